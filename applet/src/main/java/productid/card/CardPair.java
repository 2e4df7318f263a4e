package productid.card;

import javacard.security.KeyPair;
import javacard.security.Signature;

/**
 * A key pair of one algorithm: objects made at install, filled once by the card itself, never read or written from outside.
 *
 * A subclass knows what its chip calls may answer and the bytes the format wants instead. Its constructor throws a
 * CryptoException on a card that lacks the algorithm.
 */
abstract class CardPair {
    private final Signature signature;

    CardPair(Signature signature) {
        this.signature = signature;
    }

    /** As in commands and signed bytes. */
    abstract byte algorithm();

    /** Length of the public key's bytes. */
    abstract short keyLength();

    /** Length of a signature's bytes. */
    abstract short signatureLength();

    abstract KeyPair pair();

    /** Makes both halves anew, whatever power lost in an earlier attempt has left in them. */
    void generate() {
        pair().genKeyPair();
    }

    /**
     * Writes the public key as the format has it. False if the chip's key is none that the format knows: what was written
     * then means nothing. May write a little more than the key on the way.
     */
    abstract boolean copyPublic(byte[] out, short off);

    /** Writes the signature of in[0, length) as the format has it. */
    abstract void sign(byte[] in, short length, byte[] out, short off);

    /** Writes the signature of in[0, length) as the chip makes it; returns its length. */
    short signAsChip(byte[] in, short length, byte[] out, short off) {
        // Before each signature: some chips forget the key with the selection, or once they have signed.
        signature.init(pair().getPrivate(), Signature.MODE_SIGN);
        return signature.sign(in, (short) 0, length, out, off);
    }

    /** True if the public half accepts what the private half signs. Leaves the signature in scratch. */
    boolean provesItself(byte[] in, short length, byte[] scratch) {
        short made = signAsChip(in, length, scratch, (short) 0);
        signature.init(pair().getPublic(), Signature.MODE_VERIFY);
        return signature.verify(in, (short) 0, length, scratch, (short) 0, made);
    }
}
