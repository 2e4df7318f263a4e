package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import productid.sim.Silicon;

/**
 * Sees every signature the chip makes, also those that no reader ever got, and holds the card to what must be true
 * whenever it loses power: no number in two signatures, the counter never backwards, the key made once, the life cycle
 * never back, no tap signed before LOCK and no rehearsal after.
 */
final class Witness extends Silicon {
    private static final int STATE_UNSEEN = -1;

    private final Set<Long> signed = new HashSet<>();
    /** What went wrong while the card was at work: an error thrown there would only be its 6F00. */
    private final List<String> broken = new ArrayList<>();
    private int state = STATE_UNSEEN;
    private long counter;
    private byte[] key;
    private boolean tapSigned;

    @Override
    public byte[] signature(byte[] bytes, byte[] signature) {
        long number = ByteBuffer.wrap(bytes).getInt(19) & 0xFFFFFFFFL;
        byte purpose = bytes[5];
        boolean selfTest = number == 0 && purpose == TapUrl.PURPOSE_REHEARSAL;
        if (!selfTest && (number == 0 || !signed.add(number))) {
            broken.add("number " + number + " in two signatures");
        }
        if (purpose == TapUrl.PURPOSE_REHEARSAL && state == 2) {
            broken.add("rehearsal " + number + " signed after LOCK");
        }
        tapSigned |= purpose == TapUrl.PURPOSE_TAP;
        return signature;
    }

    int signatures() {
        return signed.size();
    }

    /** Looks at a card that was just powered up and selected. */
    void check(Card card) {
        Card.Info info = card.info();
        assertEquals(List.of(), broken);
        assertTrue(!tapSigned || info.state() == 2, "a tap signed before LOCK");
        assertTrue(info.state() >= state && info.state() <= 2, "life cycle " + state + " became " + info.state());
        assertTrue(info.counter() >= counter, "counter " + counter + " became " + info.counter());
        assertTrue(signed.stream().allMatch(n -> n <= info.counter()), "a number signed and not used up");
        state = info.state();
        counter = info.counter();
        if (state == 0) {
            assertEquals("00".repeat(12), Card.hex(info.id()));
            return;
        }
        byte[] now = card.key();
        assertArrayEquals(TapUrl.cardId(TapUrl.P256, now), info.id());
        if (key != null) {
            assertArrayEquals(key, now, "the key changed");
        }
        key = now;
    }
}
