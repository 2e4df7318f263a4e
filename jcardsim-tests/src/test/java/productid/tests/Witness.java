package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javacard.security.KeyPair;
import productid.sim.Silicon;

/**
 * Sees every key and every signature the chip makes, also those that no reader ever got, and holds the card to what must be
 * true whenever it loses power: no number in two signatures and none after a higher one, the counter never backwards, the
 * key made once, the life cycle never back, no tap signed before LOCK and no rehearsal after, and nothing signed but what the
 * protocol lays out.
 */
final class Witness extends Silicon {
    private static final int STATE_UNSEEN = -1;
    private static final byte[] MAGIC = {'P', 'I', 'D', 'T', 1};
    private static final int OFF_PURPOSE = 5;
    private static final int OFF_ALGORITHM = 6;
    private static final int OFF_ID = 7;
    private static final int OFF_COUNTER = 19;
    private static final int OFF_TAIL = 23;
    private static final int TAIL_LENGTH = 32;
    private static final int LONG_SIGNATURE = 256;

    /** What went wrong while the card was at work: an error thrown there would only be its 6F00. */
    private final List<String> broken = new ArrayList<>();
    private int signatures;
    private long lastSigned;
    private int state = STATE_UNSEEN;
    private long counter;
    private byte[] key;
    /** The card ids in what was signed, but for self-tests. */
    private final Set<String> named = new HashSet<>();
    private boolean tapSigned;

    @Override
    public void generate(KeyPair pair) {
        if (state > 0) {
            broken.add("a key made in state " + state);
        }
        generatingKey();
        ReadyPairs.put(pair);
    }

    @Override
    public byte[] signature(byte[] bytes, byte[] signature) {
        if (!isLaidOut(bytes, signature)) {
            broken.add("signed " + Card.hex(bytes));
            return signature;
        }
        long number = ByteBuffer.wrap(bytes).getInt(OFF_COUNTER) & 0xFFFFFFFFL;
        byte purpose = bytes[OFF_PURPOSE];
        boolean selfTest = number == 0 && purpose == TapUrl.PURPOSE_REHEARSAL;
        if (selfTest) {
            if (state > 0) {
                broken.add("a self-test in state " + state);
            }
            return signature;
        }
        named.add(Card.hex(Arrays.copyOfRange(bytes, OFF_ID, OFF_COUNTER)));
        if (number <= lastSigned) {
            broken.add("number " + number + " signed after " + lastSigned);
        }
        if (purpose == TapUrl.PURPOSE_REHEARSAL && state == 2) {
            broken.add("rehearsal " + number + " signed after LOCK");
        }
        lastSigned = Math.max(lastSigned, number);
        signatures++;
        tapSigned |= purpose == TapUrl.PURPOSE_TAP;
        return signature;
    }

    /** True for the bytes of PROTOCOL.md, of a purpose that there is and of the algorithm that made the signature. */
    private static boolean isLaidOut(byte[] bytes, byte[] signature) {
        byte algorithm = signature.length == LONG_SIGNATURE ? TapUrl.RSA_2048 : TapUrl.P256;
        return bytes.length >= OFF_TAIL && Arrays.equals(MAGIC, Arrays.copyOf(bytes, MAGIC.length))
                && bytes[OFF_ALGORITHM] == algorithm && bytes.length == switch (bytes[OFF_PURPOSE]) {
                    case TapUrl.PURPOSE_TAP, TapUrl.PURPOSE_REHEARSAL -> OFF_TAIL;
                    case TapUrl.PURPOSE_CHALLENGE -> OFF_TAIL + TAIL_LENGTH;
                    default -> 0;
                };
    }

    int signatures() {
        return signatures;
    }

    /** Looks at a card that was just powered up and selected. */
    void check(Card card) {
        Card.Info info = card.info();
        assertEquals(List.of(), broken);
        assertTrue(!tapSigned || info.state() == 2, "a tap signed before LOCK");
        assertTrue(info.state() >= state && info.state() <= 2, "life cycle " + state + " became " + info.state());
        assertTrue(info.counter() >= counter, "counter " + counter + " became " + info.counter());
        assertTrue(info.counter() >= lastSigned, "number " + lastSigned + " signed and not used up");
        state = info.state();
        counter = info.counter();
        if (state == 0) {
            assertEquals("00".repeat(12), Card.hex(info.id()));
            assertEquals(Set.of(), named, "signed without a key");
            return;
        }
        assertTrue(Set.of(Card.hex(info.id())).containsAll(named), () -> "signed for " + named);
        byte[] now = card.key();
        assertArrayEquals(TapUrl.cardId((byte) info.algorithm(), now), info.id());
        if (key != null) {
            assertArrayEquals(key, now, "the key changed");
        }
        key = now;
    }
}
