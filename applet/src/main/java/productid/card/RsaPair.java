package productid.card;

import javacard.framework.Util;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.PublicKey;
import javacard.security.RSAPublicKey;
import javacard.security.Signature;

/**
 * RSASSA-PKCS1-v1_5 with SHA-256, modulus of 2048 bits, exponent 65537: key modulus ‖ 010001, signature as the chip makes it.
 *
 * The private key has CRT form, four times as fast, which is what cards are measured with. Chips differ in how they pad
 * the numbers of the public key, and a few make a modulus that is a bit short: such a pair is not taken.
 */
final class RsaPair extends CardPair {
    private static final byte[] EXPONENT = {0x01, 0x00, 0x01};
    private static final short MODULUS_LENGTH = (short) (KeyBuilder.LENGTH_RSA_2048 / 8);

    private final KeyPair pair;

    RsaPair() {
        super(Signature.getInstance(Signature.ALG_RSA_SHA_256_PKCS1, false));
        pair = new KeyPair(KeyPair.ALG_RSA_CRT, KeyBuilder.LENGTH_RSA_2048);
    }

    byte algorithm() {
        return Const.ALGORITHM_RSA_2048;
    }

    short keyLength() {
        return Const.KEY_LENGTH_RSA_2048;
    }

    short signatureLength() {
        return Const.SIGNATURE_LENGTH_RSA_2048;
    }

    KeyPair pair() {
        return pair;
    }

    /** Without a public exponent the card takes 65537; one that it finds there it keeps, and a torn attempt can leave any. */
    void generate() {
        PublicKey left = pair.getPublic();
        if (left != null) { // some chips make the objects with the first pair
            left.clearKey();
        }
        pair.genKeyPair();
    }

    boolean copyPublic(byte[] out, short off) {
        RSAPublicKey key = (RSAPublicKey) pair.getPublic();
        if (!isExponent(out, off, key.getExponent(out, off)) || key.getModulus(out, off) != MODULUS_LENGTH) {
            return false;
        }
        short end = (short) (off + MODULUS_LENGTH);
        Util.arrayCopyNonAtomic(EXPONENT, (short) 0, out, end, (short) EXPONENT.length);
        return out[off] < 0 && (out[(short) (end - 1)] & 1) != 0;
    }

    void sign(byte[] in, short length, byte[] out, short off) {
        signAsChip(in, length, out, off);
    }

    /** True for 65537, with any number of zeros before it. */
    private static boolean isExponent(byte[] b, short off, short length) {
        short at = (short) (off + length - EXPONENT.length);
        if (at < off || Util.arrayCompare(b, at, EXPONENT, (short) 0, (short) EXPONENT.length) != 0) {
            return false;
        }
        for (short i = off; i < at; i++) {
            if (b[i] != 0) {
                return false;
            }
        }
        return true;
    }
}
