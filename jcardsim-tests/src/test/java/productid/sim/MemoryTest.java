package productid.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.sample.Ledger;

/** The memory under the applet, proved on an applet that is there for nothing else. */
class MemoryTest {
    private static final byte[] NAME = HexFormat.of().parseHex("F000000001");
    private static final String ALL_ONE = "010101010101";
    private static final String ALL_TWO = "020202010201";

    private SimCard card;

    @BeforeEach
    void install() throws ClassNotFoundException {
        card = SimCard.install(Ledger.class.getName(), NAME, new byte[0]);
        select();
        assertEquals("9000", send(Ledger.INS_PAIR, 1));
        assertEquals(ALL_ONE, halves());
    }

    @Test
    void committedChangesStay() {
        assertEquals("9000", send(Ledger.INS_PAIR, 2));
        card.powerUp();
        select();
        assertEquals(ALL_TWO, halves());
    }

    @ParameterizedTest
    @ValueSource(bytes = {Ledger.INS_ABORT, Ledger.INS_EXCEPTION, Ledger.INS_FAULT, Ledger.INS_OPEN_END})
    void whatNoCommitEndedIsUndone(byte how) {
        send(how, 2);
        assertEquals(ALL_ONE, halves());
        assertEquals("9000", send(Ledger.INS_PAIR, 2), "no transaction is left open");
        assertEquals(ALL_TWO, halves());
    }

    @Test
    void aFaultOfTheAppletAnswers6F00() {
        assertEquals("6f00", send(Ledger.INS_FAULT, 2));
        assertEquals("6984", send(Ledger.INS_EXCEPTION, 2));
    }

    @Test
    void anAbortLeavesNonAtomicWritesAsTheyAre() {
        assertEquals("9000", send(Ledger.INS_NON_ATOMIC_IN_TRANSACTION, 2));
        assertEquals(ALL_ONE, halves());
        assertEquals("0202", block());
    }

    @Test
    void aTransactionLargerThanTheCommitBufferIsRefusedAndUndone() {
        assertEquals("6f00", send(Ledger.INS_LARGE, 2));
        assertEquals("9000", send(Ledger.INS_PAIR, 2), "the buffer is free again");
    }

    /** Six writes of 11 bytes in all, with 4 bytes beside each. */
    @Test
    void theCommitBufferIsAsLargeAsTheCardsAndCounted() {
        int needed = 11 + 6 * 4;
        assertTrue(card.memory().largestCommit() >= needed);
        card.memory().commitCapacity(needed - 1);
        assertEquals("6f00", send(Ledger.INS_PAIR, 2));
        assertEquals(ALL_ONE, halves());
        card.memory().commitCapacity(needed);
        assertEquals("9000", send(Ledger.INS_PAIR, 2));
        assertEquals(ALL_TWO, halves());
        assertEquals(needed, card.memory().largestCommit());
        assertEquals("%04x".formatted(needed), send(Ledger.INS_CAPACITY, 0).substring(0, 4), "the applet is told");
        card.memory().commitCapacity(31);
        assertEquals("6f00", send(Ledger.INS_COPY, 2), "an atomic copy of 32 bytes needs it too");
        assertEquals("0000", block());
    }

    @Test
    void tornAnywhereATransactionHappensWhollyOrNotAtAll() throws IOException {
        Set<String> seen = new TreeSet<>();
        int points = sweep(Ledger.INS_PAIR, () -> seen.add(halves()));
        assertEquals(Set.of(ALL_ONE, ALL_TWO), seen);
        assertEquals(4 + 6 * 2, points, "begin and commit, and before and after each of six writes");
    }

    @Test
    void tornAnywhereAnAtomicCopyHappensWhollyOrNotAtAll() throws IOException {
        Set<String> seen = new TreeSet<>();
        assertEquals(2, sweep(Ledger.INS_COPY, () -> seen.add(block())));
        assertEquals(Set.of("0000", "0202"), seen);
    }

    @ParameterizedTest
    @ValueSource(bytes = {Ledger.INS_COPY_NON_ATOMIC, Ledger.INS_DIGEST})
    void tornWithinANonAtomicWriteItsDestinationIsUndefined(byte how) throws IOException {
        Set<String> seen = new TreeSet<>();
        assertEquals(3, sweep(how, () -> seen.add(block())));
        assertEquals(3, seen.size(), "old, garbage, new: " + seen);
    }

    @Test
    void tornInATransactionWhatWasWrittenNonAtomicallyIsUndefined() {
        int afterTheLastWrite = 6;
        card.memory().tearAt(afterTheLastWrite);
        assertThrows(PowerLost.class, () -> send(Ledger.INS_NON_ATOMIC_IN_TRANSACTION, 2));
        card.powerUp();
        select();
        assertNotEquals("0202", block());
        assertEquals(ALL_ONE, halves());
    }

    @Test
    void transientWritesAreNoTearPointsAndDoNotSurvive() {
        card.memory().watch();
        send(Ledger.INS_TRANSIENT, 7);
        send(Ledger.INS_RANDOM, 0);
        assertEquals(0, card.memory().points());
        send(Ledger.INS_TRANSIENT, 7);
        assertEquals("0707", session());
        select();
        assertEquals("0007", session());
        card.powerUp();
        select();
        assertEquals("0000", session());
    }

    @Test
    void aTornCardIsDeadUntilItIsPoweredUp() {
        card.memory().tearAt(0);
        assertThrows(PowerLost.class, () -> send(Ledger.INS_PAIR, 2));
        assertThrows(PowerLost.class, () -> send(Ledger.INS_READ, 0));
        card.powerUp();
        assertEquals("6986", send(Ledger.INS_READ, 0), "and then nothing is selected");
    }

    @Test
    void theNthWriteTearsAsItself() {
        card.memory().tearWrite(1);
        assertThrows(PowerLost.class, () -> send(Ledger.INS_COPY, 2));
        card.powerUp();
        select();
        assertEquals("0000", block());
    }

    @Test
    void aWornCellKeepsItsValue() {
        byte[] halves = halvesArray();
        card.memory().wearOut(halves, 1);
        send(Ledger.INS_PAIR, 2);
        assertEquals("0201" + ALL_TWO.substring(4), halves());
        card.memory().renew();
        send(Ledger.INS_PAIR, 2);
        assertEquals(ALL_TWO, halves());
    }

    @Test
    void anImageHoldsEverythingThatStays() throws Exception {
        send(Ledger.INS_KEY, 0);
        send(Ledger.INS_COPY, 9);
        byte[] image = card.image();
        SimCard other = SimCard.install(Ledger.class.getName(), NAME, new byte[0]);
        assertNotEquals(HexFormat.of().formatHex(image), HexFormat.of().formatHex(other.image()));
        other.restore(image);
        assertArrayEquals(image, other.image());
    }

    @Test
    void anImageOfAnotherAppletIsRefused() {
        byte[] image = card.image();
        image[10] ^= 1;
        assertThrows(IOException.class, () -> card.restore(image));
        assertThrows(IOException.class, () -> card.restore(new byte[] {1, 2, 3}));
    }

    @Test
    void anImageWithAnyByteChangedIsRefusedOrIsAnotherMemory() {
        send(Ledger.INS_KEY, 0);
        byte[] image = card.image();
        int refused = 0;
        for (int i = 0; i < image.length; i++) {
            byte[] damaged = image.clone();
            damaged[i] ^= (byte) (1 << i % 8);
            try {
                card.restore(damaged);
            } catch (IOException e) {
                refused++;
            }
        }
        assertTrue(refused > 100, "refused " + refused + " of " + image.length);
        assertThrows(IOException.class, () -> card.restore(Arrays.copyOf(image, image.length + 1)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "00", "80200000", "8020000000", "802000000101", "80200000020101", "8020000001", "80200000ff01",
        "802000000000", "80200000000001", "8020000000000101", "00a404000000", "00a40400", "00a40400ff", "00a4040011" + "00"})
    void noBytesMakeTheCardThrow(String command) {
        byte[] answer = card.transmit(HexFormat.of().parseHex(command));
        assertTrue(answer.length >= 2);
    }

    @Test
    void malformedCommandsAnswer6700AndUnknownNames6A82() {
        for (String malformed : new String[] {"", "00", "0020", "802000000201", "80200000ff01", "8020000000000101"}) {
            assertEquals("6700", hex(malformed), malformed);
        }
        card.powerUp();
        assertEquals("6a82", hex("00A4040005F000000002"));
        assertEquals("6a82", hex("00A4040000"));
        assertEquals("6986", hex("00B0000001"));
    }

    /** Tears the command at each point, lets look at what is left, and returns how many points there were. */
    private int sweep(byte instruction, Runnable look) throws IOException {
        return Sweep.run(card, () -> send(instruction, 2), this::select, look);
    }

    private byte[] halvesArray() {
        try {
            var field = card.applet().getClass().getDeclaredField("halves");
            field.setAccessible(true);
            return (byte[]) field.get(card.applet());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private void select() {
        assertEquals("9000", hex("00A4040005F000000001"));
    }

    private String halves() {
        return send(Ledger.INS_READ, 0).substring(0, 12);
    }

    private String block() {
        return send(Ledger.INS_READ, 0).substring(12, 16);
    }

    private String session() {
        return send(Ledger.INS_READ, 0).substring(16, 20);
    }

    private String send(byte instruction, int value) {
        return hex("80%02x%02x00".formatted(instruction, value));
    }

    private String hex(String command) {
        return HexFormat.of().formatHex(card.transmit(HexFormat.of().parseHex(command)));
    }
}
