package productid.mutants;

import java.net.URL;
import java.net.URLClassLoader;
import java.util.List;

/**
 * Loads the applet and its tests once more, so that nothing these remember of one mutant is there for the next. JUnit, the
 * simulator and the crypto are those of the parent, which the JVM has compiled by then.
 */
final class Afresh extends URLClassLoader {
    /** Packages of the applet and of its tests. */
    private static final List<String> AFRESH = List.of("productid.card.", "productid.tests.", "productid.classfile.");

    Afresh(URL[] classPath) {
        super(classPath, Afresh.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (AFRESH.stream().noneMatch(name::startsWith)) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            return loaded != null ? loaded : findClass(name);
        }
    }
}
