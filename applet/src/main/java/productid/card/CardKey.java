package productid.card;

import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.CryptoException;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.Signature;

/**
 * The key pair: made here, once, never read or written from outside.
 *
 * The card signs one layout and nothing else: "PIDT" ‖ version ‖ purpose ‖ algorithm ‖ card id ‖ counter ‖ tail. A host
 * chooses neither raw bytes nor the whole of what is hashed, so a tap can never be passed off as a challenge answer, nor a
 * foreign document as either. Key and id are persistent; the layout and the DER signature exist in transient memory only.
 *
 * A card that lacks an algorithm says so when its object is made, at install: the pair is then null and the applet lives on
 * to report it.
 */
final class CardKey {
    private static final byte[] MAGIC = {'P', 'I', 'D', 'T'};
    /** Chips have made a pair whose halves do not match; so each new pair proves itself, and is made again if it fails. */
    private static final short GENERATE_ATTEMPTS = (short) 3;
    private static final short SCALAR_LENGTH = (short) (Const.SIGNATURE_LENGTH / 2);
    /** DER of an ECDSA signature, SEC 1 §C.5: tag, length, then two INTEGERs of tag, length, up to 33 bytes. */
    private static final short DER_HEADER_LENGTH = (short) 2;
    private static final short DER_LENGTH_MAX = (short) (DER_HEADER_LENGTH + 2 * (DER_HEADER_LENGTH + SCALAR_LENGTH + 1));

    // Work area: the signed bytes, then the DER signature.
    private static final short WORK_VERSION = (short) 4;
    private static final short WORK_PURPOSE = (short) 5;
    private static final short WORK_ALGORITHM = (short) 6;
    private static final short WORK_CARD_ID = (short) 7;
    private static final short WORK_COUNTER = (short) (WORK_CARD_ID + Const.CARD_ID_LENGTH);
    private static final short WORK_TAIL = (short) (WORK_COUNTER + Const.COUNTER_LENGTH);
    private static final short WORK_DER = (short) (WORK_TAIL + MessageDigest.LENGTH_SHA_256);
    private static final short WORK_LENGTH = (short) (WORK_DER + DER_LENGTH_MAX);

    private final KeyPair pair;
    private final Signature signature;
    private final MessageDigest digest;
    private final byte[] id;
    private final byte[] work;

    /** Makes all objects; those of P-256 only if it was asked for at install. */
    CardKey(boolean withP256) {
        id = new byte[Const.CARD_ID_LENGTH];
        work = JCSystem.makeTransientByteArray(WORK_LENGTH, JCSystem.CLEAR_ON_DESELECT);
        KeyPair ecPair = null;
        Signature ecdsa = null;
        MessageDigest sha256 = null;
        if (withP256) {
            try {
                sha256 = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
                ecdsa = Signature.getInstance(Signature.ALG_ECDSA_SHA_256, false);
                ECPublicKey publicKey = (ECPublicKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PUBLIC, KeyBuilder.LENGTH_EC_FP_256, false);
                ECPrivateKey privateKey = (ECPrivateKey) KeyBuilder.buildKey(
                        KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false);
                P256.setOn(publicKey);
                P256.setOn(privateKey);
                ecPair = new KeyPair(publicKey, privateKey);
            } catch (CryptoException e) {
                // This card lacks one of them: ecPair stays null, and hasP256 says so.
            }
        }
        pair = ecPair;
        signature = ecdsa;
        digest = sha256;
    }

    /** True if this card can do what a P-256 key needs. */
    boolean hasP256() {
        return pair != null;
    }

    /** Makes the pair and its id. False if the card cannot: nothing then depends on what is left in the key objects. */
    boolean generate() {
        if (!hasP256()) {
            return false;
        }
        for (short i = 0; i < GENERATE_ATTEMPTS; i++) {
            try {
                pair.genKeyPair();
                if (writeId() && provesItself()) {
                    return true;
                }
            } catch (CryptoException e) {
                // Some cards offer the objects but make no key on board: they answer so each time.
            }
        }
        return false;
    }

    /** Copies the public key, 04 ‖ X ‖ Y. */
    short copyPublic(byte[] out, short off) {
        return (short) (off + ((ECPublicKey) pair.getPublic()).getW(out, off));
    }

    short copyId(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(id, (short) 0, out, off, Const.CARD_ID_LENGTH);
    }

    boolean isId(byte[] b, short off) {
        return Util.arrayCompare(id, (short) 0, b, off, Const.CARD_ID_LENGTH) == 0;
    }

    /** Writes r ‖ s over a tap or rehearsal with the counter just committed. */
    void signTap(byte purpose, TapCounter counter, byte[] out, short off) {
        layOut(purpose);
        counter.copyCommitted(work, WORK_COUNTER);
        sign(WORK_TAIL, out, off);
    }

    /**
     * Writes r ‖ s over a challenge with the counter just committed. The challenge is nonce length ‖ nonce ‖ context, as
     * CHALLENGE brings it: one zero byte before it makes the length 16 bits wide, as the signed bytes want it. May write
     * over the challenge.
     */
    void signChallenge(TapCounter counter, byte[] challenge, short challengeOff, short challengeLength, byte[] out, short off) {
        layOut(Const.PURPOSE_CHALLENGE);
        counter.copyCommitted(work, WORK_COUNTER);
        work[WORK_TAIL] = 0;
        digest.reset();
        digest.update(work, WORK_TAIL, (short) 1);
        digest.doFinal(challenge, challengeOff, challengeLength, work, WORK_TAIL);
        sign((short) (WORK_TAIL + MessageDigest.LENGTH_SHA_256), out, off);
    }

    private void layOut(byte purpose) {
        Util.arrayCopyNonAtomic(MAGIC, (short) 0, work, (short) 0, (short) MAGIC.length);
        work[WORK_VERSION] = Const.SIGNED_VERSION;
        work[WORK_PURPOSE] = purpose;
        work[WORK_ALGORITHM] = Const.ALGORITHM_P256;
        copyId(work, WORK_CARD_ID);
    }

    private void sign(short length, byte[] out, short off) {
        signature.init(pair.getPrivate(), Signature.MODE_SIGN);
        signature.sign(work, (short) 0, length, work, WORK_DER);
        derToRaw(work, WORK_DER, out, off);
    }

    /** Card id: the first 12 bytes of SHA-256(algorithm ‖ public key). One atomic copy. */
    private boolean writeId() {
        work[0] = Const.ALGORITHM_P256;
        if (copyPublic(work, (short) 1) != (short) (1 + Const.KEY_LENGTH)) {
            return false;
        }
        digest.reset();
        digest.doFinal(work, (short) 0, (short) (1 + Const.KEY_LENGTH), work, (short) 0);
        Util.arrayCopy(work, (short) 0, id, (short) 0, Const.CARD_ID_LENGTH);
        return true;
    }

    /** Signs and verifies a rehearsal with counter 0, which no verifier accepts; it never leaves the card. */
    private boolean provesItself() {
        layOut(Const.PURPOSE_REHEARSAL);
        Util.arrayFillNonAtomic(work, WORK_COUNTER, Const.COUNTER_LENGTH, (byte) 0x00);
        signature.init(pair.getPrivate(), Signature.MODE_SIGN);
        short length = signature.sign(work, (short) 0, WORK_TAIL, work, WORK_DER);
        signature.init(pair.getPublic(), Signature.MODE_VERIFY);
        return signature.verify(work, (short) 0, WORK_TAIL, work, WORK_DER, length);
    }

    /** Turns a DER signature into r ‖ s, 32 bytes each. DER is as short as the numbers allow; the raw form never varies. */
    static void derToRaw(byte[] der, short derOff, byte[] raw, short rawOff) {
        short s = integerToScalar(der, (short) (derOff + DER_HEADER_LENGTH), raw, rawOff);
        integerToScalar(der, s, raw, (short) (rawOff + SCALAR_LENGTH));
    }

    /** Copies the INTEGER at derOff without its sign byte or with the zeros DER leaves out; returns the offset behind it. */
    private static short integerToScalar(byte[] der, short derOff, byte[] raw, short rawOff) {
        short length = der[(short) (derOff + 1)];
        short from = (short) (derOff + DER_HEADER_LENGTH);
        short end = (short) (from + length);
        if (length > SCALAR_LENGTH) {
            from = (short) (end - SCALAR_LENGTH);
            length = SCALAR_LENGTH;
        }
        short zeros = (short) (SCALAR_LENGTH - length);
        Util.arrayFillNonAtomic(raw, rawOff, zeros, (byte) 0x00);
        Util.arrayCopyNonAtomic(der, from, raw, (short) (rawOff + zeros), length);
        return end;
    }
}
