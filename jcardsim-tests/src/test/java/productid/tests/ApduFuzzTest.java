package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Whatever is sent, in whatever state: the card does what PROTOCOL.md says and nothing else, and tells no secret. */
class ApduFuzzTest {
    private static final long SEED = Long.getLong("fuzz.seed", 1);
    /** What a run has to get to, or it proves little: each command with each status word that PROTOCOL.md has for it. */
    private static final List<String> GOALS = List.of("00 a4: 9000 6700 6986 6a82 6a86", "00 b0: 9000 6581 6700 6985 6986 6a86 6b00",
            "80 01: 9000 6700 6986 6a86", "80 02: 9000 6700 6986 6a86", "80 10: 9000 6581 6700 6982 6985 6986 6a81 6a86",
            "80 20: 9000 6700 6982 6985 6986 6a80 6a86", "80 21: 9000 6700 6985 6986 6a86 6b00",
            "80 30: 9000 6581 6700 6985 6986 6a80 6a86", "80 40: 9000 6700 6982 6985 6986 6a80 6a86",
            "00 10: 6d00", "80 b0: 6d00", "84 82: 6e00", "a0 a4: 6e00", "01 b0: 9000", "83 01: 9000");
    private static final List<String> GOALS_OF_RSA = List.of("00 b0: 9000 6985 6b00", "80 10: 9000 6985", "80 21: 9000 6985 6b00", "80 30: 9000 6985");

    @Test
    void noCommandInAnyStateDoesOtherThanTheProtocolSays() throws IOException {
        assertTrue(fuzz("P-256", states(false), 16, 480, GOALS) >= 200_000);
    }

    @Test
    void norWithAnRsaKey() throws IOException {
        int commands = fuzz("RSA-2048", states(true), 3, 160, GOALS_OF_RSA);
        assertTrue(commands >= 4_000 && commands <= 5_000, () -> commands + " commands");
    }

    /** Prints what was done, fails with the scripts of what was found; returns how many commands were sent. */
    private static int fuzz(String algorithm, List<CardState> states, int lives, int length, List<String> goals) throws IOException {
        List<String> findings = new ArrayList<>();
        Set<String> reached = new TreeSet<>();
        int commands = 0;
        int signatures = 0;
        for (CardState state : states) {
            Fuzzer fuzzer = new Fuzzer(state, SEED);
            findings.addAll(fuzzer.run(lives, length));
            reached.addAll(fuzzer.reached());
            commands += fuzzer.commands();
            signatures += fuzzer.signatures();
        }
        System.out.printf("APDU fuzzer, %s: %d states × %d APDUs, %d signatures checked, %d findings (seed %d)%n",
                algorithm, states.size(), commands, signatures, findings.size(), SEED);
        assertTrue(findings.isEmpty(), () -> String.join("\n", findings));
        assertEquals(List.of(), missing(goals, reached), "never got there");
        return commands;
    }

    private static List<String> missing(List<String> goals, Set<String> reached) {
        return goals.stream().flatMap(goal -> Arrays.stream(goal.substring(7).split(" ")).map(status -> goal.substring(0, 5) + " " + status))
                .filter(pair -> !reached.contains(pair)).toList();
    }

    private static List<CardState> states(boolean rsa) {
        return Arrays.stream(CardState.values()).filter(state -> state.isRsa() == rsa).toList();
    }
}
