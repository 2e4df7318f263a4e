package productid.mutants;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * A process that runs applet tests on what lies first on its class path. Each virtual card loads the applet afresh, so the
 * classes may be others at each line it reads: names of tests, separated by spaces. It answers each by one line.
 */
public final class Worker {
    static final String PASSED = "passed";
    static final String FAILED = "failed ";
    static final String ERROR = "error ";
    private static final String PACKAGE = "productid.tests.";
    /** Many times what the whole selection takes. A mutant that never ends is no mutant for a table. */
    private static final int SECONDS = 120;

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
        Launcher launcher = LauncherFactory.create();
        for (String test : tests) {
            Outcome outcome = new Outcome();
            LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(selector(test))
                    .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true").build();
            launcher.execute(request, outcome);
            if (outcome.failed != null) {
                return FAILED + test.replaceFirst("#.*", "") + "." + outcome.failed;
            }
            if (outcome.passed == 0) {
                return ERROR + test + " has no test";
            }
        }
        return PASSED;
    }

    private static DiscoverySelector selector(String test) {
        return test.contains("#") ? selectMethod(PACKAGE + test + "()") : selectClass(PACKAGE + test);
    }

    private static final class Outcome implements TestExecutionListener {
        private int passed;
        private String failed;

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            if (result.getStatus() == TestExecutionResult.Status.FAILED && failed == null) {
                failed = test.getLegacyReportingName();
            } else if (test.isTest() && result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) {
                passed++;
            }
        }
    }
}
