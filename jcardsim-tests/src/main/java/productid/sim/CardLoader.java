package productid.sim;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Loads the classes of one package afresh, with {@link Instrument} between their code and the memory. */
final class CardLoader extends ClassLoader {
    private final Hierarchy applet;
    private final List<Class<?>> loaded = new ArrayList<>();

    CardLoader(String packageName) {
        super(CardLoader.class.getClassLoader());
        applet = new Hierarchy(packageName, this::file);
    }

    /**
     * Loads a class and all of its package that it can reach, and runs their static initialisers: a card loads a package as
     * a whole, and nothing is left to be loaded, or refused, while a command runs.
     *
     * @throws LinkageError for a class that could write to persistent memory unseen
     */
    Class<?> loadPackage(String root) throws ClassNotFoundException {
        Class<?> type = loadClass(root);
        for (String name : applet.reachable(internal(root))) {
            loaded.add(Class.forName(name.replace('/', '.'), true, this));
        }
        loaded.sort(Comparator.comparing(Class::getName));
        return type;
    }

    /** The classes of the package, by name. */
    List<Class<?>> classes() {
        return List.copyOf(loaded);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!applet.isOwn(internal(name))) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> known = findLoadedClass(name);
            return known != null ? known : define(name);
        }
    }

    private Class<?> define(String name) throws ClassNotFoundException {
        byte[] code = applet.code(internal(name));
        if (code == null) {
            throw new ClassNotFoundException(name);
        }
        byte[] rewritten = Instrument.rewrite(code, applet);
        return defineClass(name, rewritten, 0, rewritten.length);
    }

    private byte[] file(String name) {
        try (InputStream in = getParent().getResourceAsStream(name + ".class")) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String internal(String name) {
        return name.replace('.', '/');
    }
}
