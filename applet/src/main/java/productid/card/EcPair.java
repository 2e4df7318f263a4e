package productid.card;

import javacard.framework.Util;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.Signature;

/** ECDSA on P-256 with SHA-256: key 04 ‖ X ‖ Y, signature r ‖ s. */
final class EcPair extends CardPair {
    private static final byte UNCOMPRESSED_POINT = (byte) 0x04;
    private static final short SCALAR_LENGTH = (short) (Const.SIGNATURE_LENGTH_P256 / 2);
    /** DER of an ECDSA signature, SEC 1 §C.5: tag, length, then two INTEGERs of tag, length, up to 33 bytes. */
    private static final short DER_HEADER_LENGTH = (short) 2;

    /** Room that signing takes behind r ‖ s, for the DER these come from. */
    static final short ROOM_BEHIND_SIGNATURE = (short) (DER_HEADER_LENGTH + 2 * (DER_HEADER_LENGTH + SCALAR_LENGTH + 1));

    private final KeyPair pair;

    EcPair() {
        super(Signature.getInstance(Signature.ALG_ECDSA_SHA_256, false));
        ECPublicKey publicKey = (ECPublicKey) KeyBuilder.buildKey(
                KeyBuilder.TYPE_EC_FP_PUBLIC, KeyBuilder.LENGTH_EC_FP_256, false);
        ECPrivateKey privateKey = (ECPrivateKey) KeyBuilder.buildKey(
                KeyBuilder.TYPE_EC_FP_PRIVATE, KeyBuilder.LENGTH_EC_FP_256, false);
        P256.setOn(publicKey);
        P256.setOn(privateKey);
        pair = new KeyPair(publicKey, privateKey);
    }

    /** With its curve set anew: a chip that throws a pair away, or loses power over it, may forget the curve with the key. */
    void generate() {
        P256.setOn((ECPublicKey) pair.getPublic());
        P256.setOn((ECPrivateKey) pair.getPrivate());
        super.generate();
    }

    byte algorithm() {
        return Const.ALGORITHM_P256;
    }

    short keyLength() {
        return Const.KEY_LENGTH_P256;
    }

    short signatureLength() {
        return Const.SIGNATURE_LENGTH_P256;
    }

    KeyPair pair() {
        return pair;
    }

    boolean copyPublic(byte[] out, short off) {
        return ((ECPublicKey) pair.getPublic()).getW(out, off) == Const.KEY_LENGTH_P256 && out[off] == UNCOMPRESSED_POINT;
    }

    /** Writes over ROOM_BEHIND_SIGNATURE bytes behind the signature too. */
    void sign(byte[] in, short length, byte[] out, short off) {
        short der = (short) (off + Const.SIGNATURE_LENGTH_P256);
        signAsChip(in, length, out, der);
        short s = integerToScalar(out, (short) (der + DER_HEADER_LENGTH), off);
        integerToScalar(out, s, (short) (off + SCALAR_LENGTH));
    }

    /**
     * Copies the DER INTEGER at derOff to a scalar of fixed length: without its sign byte, with the zeros DER leaves out.
     * Returns the offset behind the INTEGER.
     */
    private static short integerToScalar(byte[] b, short derOff, short scalarOff) {
        short length = b[(short) (derOff + 1)];
        short from = (short) (derOff + DER_HEADER_LENGTH);
        short end = (short) (from + length);
        if (length > SCALAR_LENGTH) {
            from = (short) (end - SCALAR_LENGTH);
            length = SCALAR_LENGTH;
        }
        short zeros = (short) (SCALAR_LENGTH - length);
        Util.arrayFillNonAtomic(b, scalarOff, zeros, (byte) 0x00);
        Util.arrayCopyNonAtomic(b, from, b, (short) (scalarOff + zeros), length);
        return end;
    }
}
