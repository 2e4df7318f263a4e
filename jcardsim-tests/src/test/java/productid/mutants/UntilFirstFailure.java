package productid.mutants;

import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestWatcher;

/** Skips the tests that come after one that failed. In force where a run asks for the extensions it finds, as {@link Worker} does. */
public final class UntilFirstFailure implements ExecutionCondition, TestWatcher {
    private volatile boolean failed;

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        return failed ? ConditionEvaluationResult.disabled("one failed before") : ConditionEvaluationResult.enabled("none failed yet");
    }

    @Override
    public void testFailed(ExtensionContext context, Throwable cause) {
        failed = true;
    }
}
