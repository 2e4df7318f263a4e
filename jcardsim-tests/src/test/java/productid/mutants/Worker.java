package productid.mutants;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * A process that runs applet tests on what lies first on its class path, which may be another mutant at each line it reads:
 * names of tests, separated by spaces. It answers each by one line.
 */
public final class Worker {
    static final String PASSED = "passed";
    static final String FAILED = "failed ";
    static final String ERROR = "error ";
    /** Where the tests are. */
    private static final String[] PACKAGES = {"productid.tests.", "productid.classfile."};
    /** Many times what the whole selection takes. A mutant that never ends is no mutant for a table. */
    private static final int SECONDS = 600;

    private Worker() {
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        PrintStream answers = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream()));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            answers.println(answer(line.split(" ")));
        }
        Runtime.getRuntime().halt(0);
    }

    private static String answer(String[] tests) throws InterruptedException {
        try {
            return CompletableFuture.supplyAsync(() -> run(tests)).get(SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            return ERROR + "no end after " + SECONDS + " s";
        } catch (ExecutionException e) {
            return ERROR + e.getCause();
        }
    }

    /** Runs the tests in this order until one fails. */
    private static String run(String[] tests) {
        try (Afresh classes = new Afresh(classPath())) {
            Launcher launcher = LauncherFactory.create();
            for (String test : tests) {
                Outcome outcome = new Outcome();
                launcher.execute(LauncherDiscoveryRequestBuilder.request().selectors(selector(classes, test))
                        .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true").build(), outcome);
                if (outcome.failed != null) {
                    return FAILED + test.replaceFirst("#.*", "") + "." + outcome.failed;
                }
                if (outcome.passed == 0) {
                    return ERROR + test + " has no test";
                }
            }
            return PASSED;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A class, or one method of it: {@code Class#method}. */
    private static DiscoverySelector selector(ClassLoader classes, String test) {
        String[] parts = test.split("#");
        for (String name : PACKAGES) {
            try {
                Class<?> type = classes.loadClass(name + parts[0]);
                return parts.length > 1 ? selectMethod(type, method(type, parts[1])) : selectClass(type);
            } catch (ClassNotFoundException e) {
                // Then it is in the next package, or nowhere.
            }
        }
        throw new IllegalStateException("no test " + test);
    }

    private static Method method(Class<?> type, String name) {
        return Stream.of(type.getDeclaredMethods()).filter(method -> method.getName().equals(name)).findAny()
                .orElseThrow(() -> new IllegalStateException("no test " + type.getName() + "#" + name));
    }

    private static URL[] classPath() throws IOException {
        List<URL> urls = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            urls.add(Path.of(entry).toUri().toURL());
        }
        return urls.toArray(URL[]::new);
    }

    private static final class Outcome implements TestExecutionListener {
        private int passed;
        private String failed;

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            if (result.getStatus() == TestExecutionResult.Status.FAILED && failed == null) {
                failed = test.getLegacyReportingName() + " " + result.getThrowable().map(Outcome::line).orElse("");
            } else if (test.isTest() && result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) {
                passed++;
            }
        }

        private static String line(Throwable why) {
            return why.toString().replaceAll("\\s+", " ");
        }
    }
}
