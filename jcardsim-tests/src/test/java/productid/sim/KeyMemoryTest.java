package productid.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.HexFormat;
import java.util.Set;
import java.util.TreeSet;
import javacard.security.Key;
import javacard.security.KeyPair;
import javacard.security.RSAPublicKey;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import productid.sim.sample.Vault;

/** Key objects, static fields and constructors are persistent memory as any other, but for what {@link Vault} shows here. */
class KeyMemoryTest {
    private static final byte[] NAME = HexFormat.of().parseHex("F000000001");

    private SimCard card;

    @BeforeEach
    void install() throws ClassNotFoundException {
        card = SimCard.install(Vault.class.getName(), NAME, new byte[0]);
        select();
        assertEquals("9000", send(Vault.INS_SET, 1));
        assertEquals("0101", key());
    }

    @Test
    void aSetterTearsBeforeWithinAndAfter() throws IOException {
        Set<String> seen = new TreeSet<>();
        assertEquals(3, sweep(Vault.INS_SET, () -> seen.add(key())));
        assertEquals(3, seen.size(), "old, garbage, new: " + seen);
        assertTrue(seen.containsAll(Set.of("0101", "0202")));
    }

    @Test
    void soDoesClearing() throws IOException {
        Set<String> seen = new TreeSet<>();
        assertEquals(3, sweep(Vault.INS_CLEAR, () -> seen.add(key())));
        assertTrue(seen.containsAll(Set.of("0101", "0000")), seen.toString());
    }

    @Test
    void writingTheSameKeyAgainWritesNothing() {
        card.memory().watch();
        send(Vault.INS_SET, 1);
        assertEquals(0, card.memory().points());
    }

    @Test
    void anAbortedTransactionLeavesAKeyUndefined() {
        assertEquals("9000", send(Vault.INS_SET_AND_ABORT, 2));
        assertFalse(Set.of("0101", "0202", "0000").contains(key()), key());
        assertEquals("00", read().substring(8, 10), "the array beside it is as it was");
    }

    @Test
    void tornInATransactionAKeyIsUndefinedUntilTheCommit() throws IOException {
        Set<String> seen = new TreeSet<>();
        sweep(Vault.INS_SET_IN_TRANSACTION, () -> seen.add(read().substring(8, 10) + key()));
        assertEquals(3, seen.size(), "old, old with garbage, new: " + seen);
        assertTrue(seen.containsAll(Set.of("000101", "020202")), seen.toString());
    }

    @Test
    void aGetterIntoAPersistentArrayTearsToo() throws IOException {
        Set<String> seen = new TreeSet<>();
        assertEquals(3, sweep(Vault.INS_COPY_OUT, () -> seen.add(read().substring(8, 10))));
        assertEquals(3, seen.size(), seen.toString());
    }

    @Test
    void aTransientKeyIsNoTearPoint() {
        card.memory().watch();
        assertEquals("9000", send(Vault.INS_SET_TRANSIENT, 2));
        assertEquals(0, card.memory().points());
    }

    @Test
    void aSetterThatFailsLeavesNothingBehind() throws IOException {
        assertEquals("6f00", send(Vault.INS_FAIL, 2));
        assertEquals("0101", key());
        assertEquals(3, sweep(Vault.INS_SET, () -> { }));
    }

    @ParameterizedTest
    @CsvSource({"ec, new/garbage", "rsa, new/mixed"})
    void aTornGenerationLeavesEveryKindOfHalfMadePair(String pair, String half) throws Exception {
        byte how = pair.equals("rsa") ? Vault.INS_GENERATE_RSA : Vault.INS_GENERATE_EC;
        send(how, 0);
        KeyState old = KeyState.of(keys(card, pair));
        send(how, 0);
        KeyState made = KeyState.of(keys(card, pair));
        old.restore();
        card.silicon(new Silicon() {
            @Override
            public void generate(KeyPair into) {
                made.copyTo(into.getPublic(), into.getPrivate());
            }
        });
        Set<String> seen = new TreeSet<>();
        int points = sweep(how, () -> seen.add(half(pair, 0, old, made) + "/" + half(pair, 1, old, made)));
        assertEquals(8, points, "before, six kinds of half, after");
        assertEquals(Set.of("old/old", "garbage/garbage", "new/old", "old/new", half, "garbage/new", "none/none", "new/new"), seen);
    }

    /** What one half of a pair holds: mixed is new numbers beside garbage. */
    private String half(String pair, int which, KeyState old, KeyState made) {
        Key[] keys = keys(card, pair);
        KeyState now = KeyState.of(keys);
        int changes = made.changedSince(old).ofKey(keys[which]).size();
        int strange = now.changedSince(made).ofKey(keys[which]).size();
        if (now.changedSince(old).ofKey(keys[which]).isEmpty()) {
            return "old";
        }
        if (!keys[which].isInitialized()) {
            return "none";
        }
        return strange == 0 ? "new" : strange == changes ? "garbage" : "mixed";
    }

    @Test
    void staticFieldsAreMemoryToo() throws Exception {
        Set<String> seen = new TreeSet<>();
        int points = sweep(Vault.INS_STATIC, () -> seen.add(read().substring(0, 6)));
        assertEquals(Set.of("000002", "020102"), Set.copyOf(seen));
        assertEquals(4 + 3 * 2, points, "begin, commit and three writes");
        send(Vault.INS_STATIC_AND_ABORT, 5);
        assertEquals("020102", read().substring(0, 6));
    }

    @Test
    void aConstructorThatWritesIntoAnotherObjectIsATearPoint() throws IOException {
        Set<String> seen = new TreeSet<>();
        assertEquals(4, sweep(Vault.INS_CONSTRUCT, () -> seen.add(read().substring(6, 8))), "its own field, and the other's");
        assertEquals(Set.of("00", "02"), seen);
    }

    @Test
    void anImageHoldsKeysAndStatics() throws Exception {
        send(Vault.INS_GENERATE_RSA, 0);
        send(Vault.INS_GENERATE_EC, 0);
        send(Vault.INS_STATIC, 7);
        byte[] image = card.image();
        SimCard other = SimCard.install(Vault.class.getName(), NAME, new byte[0]);
        other.restore(image);
        assertArrayEquals(image, other.image());
        assertArrayEquals(modulus(card), modulus(other));
        send(Vault.INS_CLEAR, 0);
        send(Vault.INS_STATIC, 8);
        card.restore(image);
        assertArrayEquals(image, card.image(), "a cleared key comes back as well");
    }

    private static byte[] modulus(SimCard card) {
        byte[] modulus = new byte[64];
        ((RSAPublicKey) keys(card, "rsa")[0]).getModulus(modulus, (short) 0);
        return modulus;
    }

    private static Key[] keys(SimCard card, String pair) {
        try {
            KeyPair keys = (KeyPair) card.applet().getClass().getField(pair).get(card.applet());
            return new Key[] {keys.getPublic(), keys.getPrivate()};
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /** Tears the command at each point, lets look at what is left, and returns how many points there were. */
    private int sweep(byte instruction, Runnable look) throws IOException {
        return Sweep.run(card, () -> send(instruction, 2), this::select, look);
    }

    private void select() {
        assertEquals("9000", hex("00A4040005F000000001"));
    }

    private String key() {
        return read().substring(10, 14);
    }

    private String read() {
        return send(Vault.INS_READ, 0);
    }

    private String send(byte instruction, int value) {
        return hex("80%02x%02x00".formatted(instruction, value));
    }

    private String hex(String command) {
        return HexFormat.of().formatHex(card.transmit(HexFormat.of().parseHex(command)));
    }
}
