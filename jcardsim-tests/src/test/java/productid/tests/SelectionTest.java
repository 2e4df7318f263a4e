package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import javacard.security.CryptoException;
import org.junit.jupiter.api.Test;
import productid.sim.Silicon;

/** What lives for one selection: the message, or the signature of a challenge, and never both. */
class SelectionTest {
    private static final String READ_NLEN = "00B0000002";
    private static final String GET_SIGNATURE = "8021000500";

    @Test
    void anEmptyFileIsNotFrozen() {
        Card card = Card.installed().keyed();
        card.ok(Card.SELECT_NDEF);
        assertEquals("0000", card.ok(READ_NLEN));
        card.refuses("6b00", "00B0000301");
        card.put(1, Card.PREFIX);
        card.put(2, Card.MIDDLE);
        card.verifies(Card.url(card.read()), TapUrl.PURPOSE_REHEARSAL);
        card.refuses("6985", Card.challengeCommand(Card.NONCE, ""));
    }

    @Test
    void anEmptyFileExcludesNoChallenge() {
        Card card = Card.installed().keyed();
        assertEquals(0, card.tap().length);
        assertEquals(1, card.challenge(Card.NONCE, ""));
    }

    @Test
    void aMessageIsNoSignature() {
        Card card = Card.installed().locked();
        card.refuses("6985", GET_SIGNATURE);
        card.tap();
        card.refuses("6985", GET_SIGNATURE);
        card.select();
        card.challenge(Card.NONCE, "");
        card.ok(GET_SIGNATURE);
        card.select();
        card.refuses("6985", GET_SIGNATURE);
    }

    @Test
    void aChallengeThatFailsLeavesNoEarlierSignature() {
        Card card = Card.installed().locked();
        card.challenge(Card.NONCE, "");
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                CryptoException.throwIt(CryptoException.ILLEGAL_USE);
                return signature;
            }
        });
        card.refuses("6f00", Card.challengeCommand(Card.NONCE, ""));
        card.refuses("6985", GET_SIGNATURE);
        card.ok(Card.SELECT_NDEF);
        card.refuses("6985", READ_NLEN);
    }

    @Test
    void nothingOfASelectionIsThereInTheNext() {
        Card card = Card.installed().locked();
        Innards innards = new Innards(card.sim.applet());
        card.tap();
        assertFalse(innards.isBlank());
        card.select();
        assertTrue(innards.isBlank(), "after a message");
        card.challenge(Card.NONCE, "00");
        card.select();
        assertTrue(innards.isBlank(), "after a challenge");
    }
}
