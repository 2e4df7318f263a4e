package productid.card;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.CryptoException;
import javacard.security.MessageDigest;

/**
 * What the card signs with its one key, and the card id, which commits to that key.
 *
 * The card signs one layout and nothing else: "PIDT" ‖ version ‖ purpose ‖ algorithm ‖ card id ‖ counter ‖ tail. A host
 * chooses neither raw bytes nor the whole of what is hashed, so a tap can never be passed off as a challenge answer, nor a
 * foreign document as either. Key and id are persistent; the layout exists in transient memory only.
 *
 * A card that lacks an algorithm says so by a CryptoException when its objects are made, at install: the pair is then null
 * and the applet lives on to report it. A card that has no room for them says so by a SystemException, which is let through:
 * an install that does not fit fails as a whole, and is tried again with one algorithm.
 */
final class CardKey {
    private static final byte[] MAGIC = {'P', 'I', 'D', 'T'};
    /** Chips have made a pair whose halves do not match; so each new pair proves itself, and is made again if it fails. */
    private static final short GENERATE_ATTEMPTS = (short) 3;

    // The signed bytes.
    private static final short OFF_VERSION = (short) 4;
    private static final short OFF_PURPOSE = (short) 5;
    private static final short OFF_ALGORITHM = (short) 6;
    private static final short OFF_CARD_ID = (short) 7;
    private static final short OFF_COUNTER = (short) (OFF_CARD_ID + Const.CARD_ID_LENGTH);
    private static final short OFF_TAIL = (short) (OFF_COUNTER + Const.COUNTER_LENGTH);
    private static final short SIGNED_LENGTH_MAX = (short) (OFF_TAIL + MessageDigest.LENGTH_SHA_256);

    private final CardData data;
    private final MessageDigest digest;
    private final CardPair ec;
    private final CardPair rsa;
    private final byte[] id;
    /** Transient: the signed bytes. */
    private final byte[] signed;

    /** Makes all objects, those of an algorithm only if it was asked for at install. */
    CardKey(byte asked, CardData data) {
        this.data = data;
        id = new byte[Const.CARD_ID_LENGTH];
        signed = JCSystem.makeTransientByteArray(SIGNED_LENGTH_MAX, JCSystem.CLEAR_ON_DESELECT);
        MessageDigest sha256 = null;
        CardPair ecPair = null;
        CardPair rsaPair = null;
        try {
            sha256 = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
        } catch (CryptoException e) {
            asked = 0;
        }
        try {
            ecPair = (asked & Const.ALGORITHM_BIT_P256) != 0 ? new EcPair() : null;
        } catch (CryptoException e) {
            // Stays null: absent.
        }
        try {
            rsaPair = (asked & Const.ALGORITHM_BIT_RSA_2048) != 0 ? new RsaPair() : null;
        } catch (CryptoException e) {
            // Stays null: absent.
        }
        digest = sha256;
        ec = ecPair;
        rsa = rsaPair;
    }

    /** Mask of the algorithms that were asked for and that this card gave every object for. */
    byte algorithmsPresent() {
        return (byte) ((ec != null ? Const.ALGORITHM_BIT_P256 : 0) | (rsa != null ? Const.ALGORITHM_BIT_RSA_2048 : 0));
    }

    /**
     * Makes a pair and its id. False if the card cannot: nothing then depends on what is left in the key objects. Scratch is
     * the APDU buffer; one that is too small for the key could never tell it to anybody.
     */
    boolean generate(byte algorithm, byte[] scratch) {
        CardPair pair = find(algorithm);
        if (pair == null || scratch.length < (short) (1 + pair.keyLength())) {
            return false;
        }
        for (short i = 0; i < GENERATE_ATTEMPTS; i++) {
            try {
                pair.generate();
                if (writeId(pair, scratch) && provesItself(pair, scratch)) {
                    return true;
                }
            } catch (RuntimeException e) {
                // Some cards offer the objects but make no key on board, or find no room for it: they answer so each time. A
                // pair that its own chip chokes on is none either.
            }
        }
        return false;
    }

    /**
     * Copies the public key to the start of out, as the format has it; returns its length. Throws 6985 without key, 6F00 if
     * the chip gives another one by now.
     */
    short copyPublic(byte[] out) {
        CardPair pair = pair();
        if (!pair.copyPublic(out, (short) 0)) {
            ISOException.throwIt(ISO7816.SW_UNKNOWN);
        }
        return pair.keyLength();
    }

    short copyId(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(id, (short) 0, out, off, Const.CARD_ID_LENGTH);
    }

    boolean isId(byte[] b, short off) {
        return Util.arrayCompare(id, (short) 0, b, off, Const.CARD_ID_LENGTH) == 0;
    }

    /** Length of the signatures that the card's key makes. */
    short signatureLength() {
        return pair().signatureLength();
    }

    /** Writes the signature over a tap or rehearsal with the counter just committed. See EcPair.sign for the room. */
    void signTap(byte purpose, TapCounter counter, byte[] out, short off) {
        CardPair pair = pair();
        layOut(pair, purpose);
        counter.copyCommitted(signed, OFF_COUNTER);
        pair.sign(signed, OFF_TAIL, out, off);
    }

    /**
     * Writes the signature over a challenge with the counter just committed. The challenge is nonce length ‖ nonce ‖
     * context, as CHALLENGE brings it: one zero byte before it makes the length 16 bits wide, as the signed bytes want it.
     */
    void signChallenge(TapCounter counter, byte[] challenge, short challengeOff, short challengeLength, byte[] out, short off) {
        CardPair pair = pair();
        layOut(pair, Const.PURPOSE_CHALLENGE);
        counter.copyCommitted(signed, OFF_COUNTER);
        signed[OFF_TAIL] = 0;
        digest.reset();
        digest.update(signed, OFF_TAIL, (short) 1);
        digest.doFinal(challenge, challengeOff, challengeLength, signed, OFF_TAIL);
        pair.sign(signed, SIGNED_LENGTH_MAX, out, off);
    }

    /** The pair of this algorithm, or null. */
    private CardPair find(byte algorithm) {
        switch (algorithm) {
            case Const.ALGORITHM_P256:
                return ec;
            case Const.ALGORITHM_RSA_2048:
                return rsa;
            default:
                return null;
        }
    }

    /** The pair that is the card's key; throws 6985 if there is none. */
    private CardPair pair() {
        CardPair pair = find(data.algorithm());
        if (pair == null) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        return pair;
    }

    private void layOut(CardPair pair, byte purpose) {
        Util.arrayCopyNonAtomic(MAGIC, (short) 0, signed, (short) 0, (short) MAGIC.length);
        signed[OFF_VERSION] = Const.SIGNED_VERSION;
        signed[OFF_PURPOSE] = purpose;
        signed[OFF_ALGORITHM] = pair.algorithm();
        copyId(signed, OFF_CARD_ID);
    }

    /** Card id: the first 12 bytes of SHA-256(algorithm ‖ public key). One atomic copy. */
    private boolean writeId(CardPair pair, byte[] scratch) {
        scratch[0] = pair.algorithm();
        if (!pair.copyPublic(scratch, (short) 1)) {
            return false;
        }
        digest.reset();
        digest.doFinal(scratch, (short) 0, (short) (1 + pair.keyLength()), scratch, (short) 0);
        Util.arrayCopy(scratch, (short) 0, id, (short) 0, Const.CARD_ID_LENGTH);
        return true;
    }

    /** Signs and verifies a rehearsal with counter 0, which no verifier accepts; it never leaves the card. */
    private boolean provesItself(CardPair pair, byte[] scratch) {
        layOut(pair, Const.PURPOSE_REHEARSAL);
        Util.arrayFillNonAtomic(signed, OFF_COUNTER, Const.COUNTER_LENGTH, (byte) 0x00);
        return pair.provesItself(signed, OFF_TAIL, scratch);
    }
}
