package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.function.BinaryOperator;
import java.util.function.Consumer;
import javacard.framework.JCSystem;
import org.junit.jupiter.api.Test;

/** A fuzzer that finds nothing on a card with a bug proves nothing: each kind of bug, planted, is found and told by its name. */
class FuzzerFindsBugsTest {
    private static final int LIVES = 4;
    private static final int COMMANDS = 400;
    private static final int STATUS_LENGTH = 2;
    /** In the card's one buffer, behind all that a P-256 key puts there. */
    private static final int BEHIND = 300;

    @Test
    void aPrivateKeyInAnAnswer() throws IOException {
        byte[][] key = new byte[1][];
        assertFinds("private key", planted(card -> key[0] = new Innards(card.sim.applet()).privateKeys().get(0),
                (command, answer) -> withLeak(answer, key[0])));
    }

    @Test
    void theMessageOfAnotherSelection() throws IOException {
        byte[][] messages = new byte[2][0];
        assertFinds("memory of another selection", planted(card -> { }, (command, answer) -> {
            if (Card.hex(command).startsWith("00a404")) {
                messages[0] = messages[1];
                messages[1] = new byte[0];
            } else if (answer.length > 140) {
                messages[1] = Arrays.copyOfRange(answer, 100, 140);
            }
            return answer.length < 40 ? withLeak(answer, messages[0]) : answer;
        }));
    }

    @Test
    void residueInTheApduBuffer() throws IOException {
        Chip[] chip = new Chip[1];
        Bench bench = planted(card -> { }, (command, answer) -> withLeak(answer, Arrays.copyOfRange(chip[0].residue, 9, 9 + Secrets.WINDOW)));
        chip[0] = bench.chip;
        assertFinds("residue of the APDU buffer", bench);
    }

    @Test
    void aBufferThatNoMessageWasPutInto() throws IOException {
        byte[][] buffer = new byte[1][];
        assertFinds("transient memory", planted(card -> buffer[0] = (byte[]) Card.field(session(card), "buffer"),
                (command, answer) -> buffer[0][BEHIND] == 0 ? answer : withLeak(answer, Arrays.copyOfRange(buffer[0], BEHIND, BEHIND + Secrets.WINDOW))));
    }

    @Test
    void aNumberThatIsGivenTwice() throws IOException {
        byte[][] ring = new byte[2][];
        assertFinds("signed other bytes", planted(card -> ring[0] = card.ring(), (command, answer) -> {
            ring[1] = ring[1] == null ? ring[0].clone() : ring[1];
            System.arraycopy(ring[1], 0, ring[0], 0, ring[0].length);
            return answer;
        }));
    }

    @Test
    void anExceptionOutOfTheApplet() throws IOException {
        assertFinds("left the applet: java.lang.NullPointerException",
                planted(card -> Card.replace(tag(card), "container", null), (command, answer) -> answer));
    }

    @Test
    void aSessionThatOutlivesItsSelection() throws IOException {
        assertFinds("transient memory outlives its selection", planted(card -> Card.replace(session(card), "words",
                JCSystem.makeTransientShortArray((short) 3, JCSystem.CLEAR_ON_RESET)), (command, answer) -> answer));
    }

    @Test
    void aMessageInPersistentMemory() throws IOException {
        assertFinds("persistent writes", planted(card -> Card.replace(session(card), "buffer", new byte[512]), (command, answer) -> answer));
    }

    @Test
    void aStatusWordThatIsNotTheProtocols() throws IOException {
        assertFinds("answered 6986, not 6985", planted(card -> { },
                (command, answer) -> Card.hex(answer).equals("6985") ? new byte[] {0x69, (byte) 0x86} : answer));
    }

    @Test
    void aFindingIsRepeatableAndShort() throws IOException {
        Bench bench = planted(card -> { }, (command, answer) -> Card.hex(answer).equals("6b00") ? new byte[] {0x6F, 0} : answer);
        List<String> findings = new Fuzzer(CardState.LOCKED, bench, 1).run(LIVES, COMMANDS);
        assertFalse(findings.isEmpty());
        assertEquals(findings, new Fuzzer(CardState.LOCKED, bench, 1).run(LIVES, COMMANDS));
        for (String script : findings) {
            assertTrue(script.lines().filter(line -> line.startsWith(">")).count() <= 3, script);
        }
    }

    private static void assertFinds(String what, Bench bench) throws IOException {
        List<String> findings = new Fuzzer(CardState.LOCKED, bench, 1).run(LIVES, COMMANDS);
        assertTrue(findings.stream().anyMatch(script -> script.contains(what)), () -> findings.size() + " findings\n" + String.join("\n", findings));
    }

    /** The answer with more behind its data, if it has any. */
    private static byte[] withLeak(byte[] answer, byte[] leak) {
        if (answer.length <= STATUS_LENGTH) {
            return answer;
        }
        int end = answer.length - STATUS_LENGTH;
        byte[] longer = Arrays.copyOf(answer, answer.length + leak.length);
        System.arraycopy(leak, 0, longer, end, leak.length);
        System.arraycopy(answer, end, longer, end + leak.length, STATUS_LENGTH);
        return longer;
    }

    private static Object tag(Card card) {
        return Card.field(card.sim.applet(), "tag");
    }

    private static Object session(Card card) {
        return Card.field(card.sim.applet(), "session");
    }

    /** A locked card with a bug in it, or in what it answers to a command. */
    private static Bench planted(Consumer<Card> bug, BinaryOperator<byte[]> answers) {
        boolean[] sound = {true};
        Bench bench = CardState.LOCKED.prepare(new Bench("", Chip.Fault.NONE) {
            @Override
            byte[] transmit(byte[] command) {
                byte[] answer = super.transmit(command);
                return sound[0] ? answer : answers.apply(command, answer);
            }
        });
        bug.accept(bench.card);
        sound[0] = false;
        return bench;
    }
}
