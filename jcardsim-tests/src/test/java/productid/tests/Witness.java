package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import javacard.security.KeyPair;
import productid.sim.Silicon;

/**
 * Sees every key and every signature the chip makes, also those that no reader ever got, and holds the card to what must be
 * true whenever it loses power: no number in two signatures and none after a higher one, the counter never backwards, the
 * key made once, the life cycle never back, no tap signed before LOCK and no rehearsal after.
 */
final class Witness extends Silicon {
    private static final int STATE_UNSEEN = -1;
    private static final int OFF_PURPOSE = 5;
    private static final int OFF_COUNTER = 19;

    /** What went wrong while the card was at work: an error thrown there would only be its 6F00. */
    private final List<String> broken = new ArrayList<>();
    private int signatures;
    private long lastSigned;
    private int state = STATE_UNSEEN;
    private long counter;
    private byte[] key;
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
        long number = ByteBuffer.wrap(bytes).getInt(OFF_COUNTER) & 0xFFFFFFFFL;
        byte purpose = bytes[OFF_PURPOSE];
        boolean selfTest = number == 0 && purpose == TapUrl.PURPOSE_REHEARSAL;
        if (selfTest) {
            return signature;
        }
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
            return;
        }
        byte[] now = card.key();
        assertArrayEquals(TapUrl.cardId((byte) info.algorithm(), now), info.id());
        if (key != null) {
            assertArrayEquals(key, now, "the key changed");
        }
        key = now;
    }
}
