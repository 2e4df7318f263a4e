package productid.tests;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Leads one card through many lives from the same state, each of a seed of its own, and reports where it leaves the
 * protocol: the seed, and the shortest way there it can find.
 */
final class Fuzzer {
    private static final int REPLAYS_MAX = 400;

    private final CardState state;
    private final Bench bench;
    private final long seed;
    private int commands;
    private int signatures;

    Fuzzer(CardState state, long seed) {
        this(state, state.bench(), seed);
    }

    Fuzzer(CardState state, Bench bench, long seed) {
        this.state = state;
        this.bench = bench;
        this.seed = seed;
    }

    int commands() {
        return commands;
    }

    int signatures() {
        return signatures;
    }

    /** Each instruction with each status word that it was answered, as in "80 30 6a80". */
    Set<String> reached() {
        return bench.reached();
    }

    /** Lives one after the other, of so many commands each; what was found, as scripts. */
    List<String> run(int episodes, int commandsOfOne) throws IOException {
        List<String> findings = new ArrayList<>();
        for (int episode = 0; episode < episodes; episode++) {
            String finding = live(seed * 1_000_003 + state.ordinal() * 1009L + episode, commandsOfOne);
            if (finding != null) {
                findings.add(finding);
            }
        }
        return findings;
    }

    private String live(long life, int length) throws IOException {
        List<Step> done = new ArrayList<>();
        bench.begin(life);
        Grammar grammar = new Grammar(new Random(life), bench.model(), state.isRsa() ? TapUrl.RSA_2048 : TapUrl.P256);
        int before = bench.signatures();
        try {
            for (int sent = 0; sent < length;) {
                for (Step step : grammar.phrase()) {
                    done.add(step);
                    sent += step instanceof Step.Send ? 1 : 0;
                    bench.step(step);
                }
            }
            return null;
        } catch (Bench.Finding finding) {
            return script(life, done.size(), shortened(life, done), finding);
        } finally {
            commands += (int) done.stream().filter(Step.Send.class::isInstance).count();
            signatures += bench.signatures() - before;
        }
    }

    /** Leaves out what the finding does not need, larger pieces first. */
    private List<Step> shortened(long life, List<Step> steps) throws IOException {
        List<Step> best = steps;
        int replays = 0;
        for (int piece = best.size() / 2; piece > 0; piece /= 2) {
            for (int at = 0; at + piece < best.size() && replays < REPLAYS_MAX; replays++) {
                List<Step> fewer = new ArrayList<>(best);
                fewer.subList(at, at + piece).clear();
                if (fails(life, fewer)) {
                    best = fewer;
                } else {
                    at += piece;
                }
            }
        }
        return best;
    }

    /** True if the last of these steps, and none before, is a finding. */
    private boolean fails(long life, List<Step> steps) throws IOException {
        bench.begin(life);
        for (int i = 0; i < steps.size(); i++) {
            try {
                bench.step(steps.get(i));
            } catch (Bench.Finding finding) {
                return i == steps.size() - 1;
            }
        }
        return false;
    }

    private String script(long life, int step, List<Step> steps, Bench.Finding finding) {
        StringBuilder text = new StringBuilder("# %s, seed %d, life %d, step %d%n".formatted(state, seed, life, step));
        steps.forEach(s -> text.append(s).append('\n'));
        return text.append("# ").append(finding.getMessage()).append('\n').toString();
    }
}
