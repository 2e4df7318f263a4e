package productid.tests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whatever is sent, in whatever state: the card does what PROTOCOL.md says and nothing else, and tells no secret. */
class ApduFuzzTest {
    private static final long SEED = Long.getLong("fuzz.seed", 1);
    private static final int COMMANDS_OF_ONE_LIFE = 480;

    @Test
    void noCommandInAnyStateDoesOtherThanTheProtocolSays() throws IOException {
        assertTrue(fuzz("P-256", states(false), 16) >= 200_000);
    }

    @Test
    void norWithAnRsaKey() throws IOException {
        int commands = fuzz("RSA-2048", states(true), 1);
        assertTrue(commands >= 4_000 && commands <= 5_000, () -> commands + " commands");
    }

    /** Prints what was done, fails with the scripts of what was found; returns how many commands were sent. */
    private static int fuzz(String algorithm, List<CardState> states, int lives) throws IOException {
        List<String> findings = new ArrayList<>();
        int commands = 0;
        int signatures = 0;
        for (CardState state : states) {
            Fuzzer fuzzer = new Fuzzer(state, SEED);
            findings.addAll(fuzzer.run(lives, COMMANDS_OF_ONE_LIFE));
            commands += fuzzer.commands();
            signatures += fuzzer.signatures();
        }
        System.out.printf("APDU fuzzer, %s: %d states × %d APDUs, %d signatures checked, %d findings (seed %d)%n",
                algorithm, states.size(), commands, signatures, findings.size(), SEED);
        assertTrue(findings.isEmpty(), () -> String.join("\n", findings));
        return commands;
    }

    private static List<CardState> states(boolean rsa) {
        return Arrays.stream(CardState.values()).filter(state -> state.isRsa() == rsa).toList();
    }
}
