package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** The counter: a ring of eight slots, each number committed before it is signed. */
class CounterTest {
    private static final int SLOTS = 8;
    private static final int SLOT = 8;
    private static final long UNKNOWN = 0xFFFFFFFFL;

    @Test
    void itCountsFromOneAndTheRingWraps() {
        Card card = Card.installed().locked();
        for (int n = 1; n <= 3 * SLOTS + 1; n++) {
            assertEquals(n, tapNumber(card));
            assertEquals(slot(n), ByteBuffer.wrap(card.ring()).getLong(n % SLOTS * SLOT), "slot " + n % SLOTS);
        }
        card.powerUpAndSelect();
        assertEquals(3 * SLOTS + 1, card.counter());
    }

    @Test
    void aFreshKeyHasUsedNoNumber() {
        Card card = Card.installed();
        assertEquals(0, card.counter());
        card.keyed();
        assertEquals(0, card.counter());
        assertEquals(slot(0), ByteBuffer.wrap(card.ring()).getLong(0));
    }

    @ParameterizedTest
    @ValueSource(longs = {0xFE, 0xFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFFL, 0x80000000L, 0xFFFFFFFDL})
    void itCarriesOverEveryByteAndKnowsNoSign(long n) {
        Card card = Card.withCounterMax(-1).locked();
        plant(card, n);
        assertEquals(n, card.counter());
        assertEquals(n + 1, tapNumber(card));
        assertEquals(n + 2, tapNumber(card));
    }

    @Test
    void theHighestValidSlotWins() {
        Card card = Card.installed().locked();
        ByteBuffer ring = ByteBuffer.wrap(card.ring());
        plant(card, 21);
        assertEquals(21, card.counter());
        ring.putLong(7 * SLOT, slot(0x1234));
        assertEquals(21, card.counter(), "a number in a foreign slot counts nothing");
        ring.putLong(0, slot(0x1230) ^ 1L << 40);
        assertEquals(21, card.counter(), "nor does one whose complement disagrees");
        assertEquals(22, tapNumber(card));
        assertEquals(25, tapNumber(card), "and the two damaged slots are passed over");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 7, 8, 9, 15, 16, 20})
    void aNumberWhoseSlotIsDamagedIsNotGivenAgain(int n) {
        Card card = Card.installed().locked();
        for (int i = 1; i <= n; i++) {
            tapNumber(card);
        }
        card.ring()[n % SLOTS * SLOT] ^= 0x40;
        assertEquals(n - 1, card.counter());
        assertEquals(n + 1, tapNumber(card));
    }

    @Test
    void anyBitThatFallsMakesASlotInvalid() {
        Card card = Card.installed().locked();
        plant(card, 9);
        byte[] ring = card.ring();
        for (int bit = 0; bit < SLOT * 8; bit++) {
            ring[SLOT + bit / 8] ^= (byte) (1 << bit % 8);
            assertEquals(8, card.counter(), "bit " + bit);
            ring[SLOT + bit / 8] ^= (byte) (1 << bit % 8);
        }
        assertEquals(9, card.counter());
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void withoutAValidSlotTheCardIsExhausted(byte algorithm) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        Arrays.fill(card.ring(), (byte) 0);
        assertEquals(UNKNOWN, card.counter());
        assertSaysExhausted(card);
        card.select();
        card.refuses("6985", Card.challengeCommand(Card.NONCE, ""));
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void atCounterMaxTheCardSaysSo(byte algorithm) {
        Card card = Card.withCounterMax(3).locked(algorithm);
        for (int n = 1; n <= 3; n++) {
            assertEquals(n, tapNumber(card));
        }
        assertSaysExhausted(card);
        card.select();
        card.refuses("6985", Card.challengeCommand(Card.NONCE, ""));
        assertEquals(3, card.counter());
    }

    @Test
    void aRehearsalUsesNumbersUpToo() {
        Card card = Card.withCounterMax(2).configured();
        card.tap();
        card.tap();
        assertSaysExhausted(card);
        card.lock();
        assertSaysExhausted(card);
    }

    @Test
    void aCellThatDoesNotHoldItsNumberIsPassedOver() {
        Card card = Card.installed().locked();
        wearOut(card, 2);
        assertEquals(1, tapNumber(card));
        assertEquals(3, tapNumber(card));
        wearOut(card, 4, 5, 6);
        assertEquals(7, tapNumber(card));
        card.sim.memory().renew();
        assertEquals(8, tapNumber(card));
        assertEquals(9, tapNumber(card));
        assertEquals(11, tapNumber(card), "and for ever");
    }

    @Test
    void eightTriesThenMemoryFailureAndNoSignature() {
        int[] signatures = new int[1];
        Card card = Card.installed().locked();
        plant(card, 21);
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                signatures[0]++;
                return signature;
            }
        });
        wearOut(card, 0, 1, 2, 3, 4, 5, 6, 7);
        card.sim.memory().watch();
        card.select();
        card.ok(Card.SELECT_NDEF);
        card.refuses("6581", "00B0000002");
        assertEquals(SLOTS * 2, card.sim.memory().points(), "eight writes, a tear point before and after each");
        assertEquals(0, signatures[0]);
        card.select();
        assertTrue(card.send(Card.challengeCommand(Card.NONCE, "")).matches("6581|6985"));
        assertEquals(0, signatures[0]);
    }

    @Test
    void aMemoryThatTakesNothingIsTriedOnceRoundTheRing() {
        Card card = Card.installed().locked();
        plant(card, 21);
        for (int cell = 0; cell < SLOTS * SLOT; cell++) {
            card.sim.memory().wearOut(card.ring(), cell);
        }
        card.sim.memory().watch();
        card.select();
        card.ok(Card.SELECT_NDEF);
        card.refuses("6581", "00B0000002");
        assertEquals(SLOTS * 2, card.sim.memory().points(), "eight writes, a tear point before and after each");
        assertEquals(21, card.counter());
    }

    @Test
    void aWornCellIsNoReasonToPassCounterMax() {
        Card card = Card.withCounterMax(3).locked();
        assertEquals(1, tapNumber(card));
        assertEquals(2, tapNumber(card));
        wearOut(card, 3);
        card.select();
        card.ok(Card.SELECT_NDEF);
        card.refuses("6581", "00B0000002");
        assertEquals(2, card.counter());
    }

    @Test
    void withoutNumberZeroThereIsNoKey() {
        Card card = Card.installed();
        wearOut(card, 0);
        card.refuses("6581", Card.GENERATE);
        assertEquals(0, card.info().state());
        card.sim.memory().renew();
        card.ok(Card.GENERATE);
        assertEquals(0, card.counter());
    }

    @Test
    void neverTwiceTheSameNumberOverWornCells() {
        Card card = Card.installed().locked();
        List<Long> numbers = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            if (i % 5 == 0) {
                wearOut(card, i % SLOTS);
            }
            numbers.add(tapNumber(card));
        }
        assertEquals(numbers, numbers.stream().sorted().distinct().toList());
    }

    private static void assertSaysExhausted(Card card) {
        long before = card.counter();
        String url = card.tapUrl();
        assertEquals(Card.PREFIX + Card.idText(card.info().id()) + "&c=00000000&x=exhausted", url);
        assertEquals("unsigned", card.classify(url));
        assertEquals(before, card.counter());
    }

    /** The number of a tap whose signature is checked. */
    private static long tapNumber(Card card) {
        String url = card.tapUrl();
        assertEquals("ok", card.classify(url), url);
        return Long.parseLong(url.substring(url.indexOf("&c=") + 3, url.indexOf("&s=")), 16);
    }

    /** The ring as it is after number n, the lap before it in the other slots. */
    private static void plant(Card card, long n) {
        ByteBuffer ring = ByteBuffer.wrap(card.ring());
        for (long i = Math.max(0, n - SLOTS + 1); i <= n; i++) {
            ring.putLong((int) (i % SLOTS) * SLOT, slot(i));
        }
    }

    /** The low byte of the complement, which every number of a slot has another one of. */
    private static void wearOut(Card card, int... slots) {
        for (int slot : slots) {
            card.sim.memory().wearOut(card.ring(), slot * SLOT + 7);
        }
    }

    private static long slot(long n) {
        return n << 32 | ~n & UNKNOWN;
    }
}
