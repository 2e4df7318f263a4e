package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import javacard.security.Signature;
import org.junit.jupiter.api.Test;
import productid.sim.Silicon;

/** What INFO and GET CAPABILITIES tell, byte by byte and whatever the APDU buffer held before. */
class InfoTest {
    private static final String CAPABILITIES = "8002000000";
    private static final String COUNTER_MAX = "00061a80";
    private static final String NO_ID = "00".repeat(12);

    /** A chip with old bytes in its APDU buffer, and without RSA if it is to lack that. */
    private static Silicon chip(boolean rsa) {
        return new Silicon() {
            @Override
            public void received(byte[] buffer, int used) {
                Arrays.fill(buffer, used, buffer.length, (byte) 0xA5);
            }

            @Override
            public boolean has(Class<?> factory, byte algorithm) {
                return rsa || factory != Signature.class || algorithm != Signature.ALG_RSA_SHA_256_PKCS1;
            }
        };
    }

    @Test
    void ofANewCard() {
        Card card = Card.installed("", chip(true));
        assertEquals("0100" + "03" + "00" + "00" + "00" + "00f6" + NO_ID + "00000000" + COUNTER_MAX, card.ok(Card.INFO));
        assertEquals("03030000", card.ok(CAPABILITIES));
    }

    @Test
    void ofACardInUse() {
        Card card = Card.installed("f304" + "00000009", chip(true)).locked();
        byte[] id = TapUrl.cardId(TapUrl.P256, card.key());
        card.tap();
        assertEquals("0100" + "03" + "02" + "01" + "00" + "00f6" + Card.hex(id) + "00000001" + "00000009", card.ok(Card.INFO));
        assertEquals("f3030400", card.ok(CAPABILITIES), "bits without a meaning are kept");
    }

    @Test
    void ofACardThatLacksAnAlgorithm() {
        Card card = Card.installed("", chip(false));
        assertEquals("0100" + "01" + "00" + "00" + "00" + "00f6" + NO_ID + "00000000" + COUNTER_MAX, card.ok(Card.INFO));
        assertEquals("03010000", card.ok(CAPABILITIES));
    }

    /** After an attempt that failed the id of a key that nobody has is in memory, and no business of anyone's. */
    @Test
    void ofACardWhoseKeyWasNotMade() {
        Card card = Card.installed("", new Silicon() {
            @Override
            public boolean verified(boolean result) {
                return false;
            }
        });
        card.refuses("6a81", Card.GENERATE);
        assertEquals("0100" + "03" + "00" + "00" + "00" + "00f6" + NO_ID + "00000000" + COUNTER_MAX, card.ok(Card.INFO));
    }
}
