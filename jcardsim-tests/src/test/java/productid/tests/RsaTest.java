package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import productid.tests.Card.Life;

/** An RSA card, from its key to its tap and its challenge. */
class RsaTest {
    @Test
    void aTap() {
        Card card = Card.shared(TapUrl.RSA_2048, Life.LOCKED);
        byte[] message = card.tap();
        String url = Card.url(message);
        assertEquals("ok", card.classify(url));
        assertEquals("c101000001895504", Card.hex(message).substring(0, 16));
        assertEquals(259, card.key().length);
        card.select();
        assertEquals(2, card.challenge(Card.NONCE, "00"));
        assertArrayEquals(TapUrl.cardId(TapUrl.RSA_2048, card.key()), card.info().id());
        assertTrue(message.length < 489);
    }
}
