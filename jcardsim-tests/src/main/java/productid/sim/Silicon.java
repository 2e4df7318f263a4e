package productid.sim;

import java.security.SecureRandom;
import javacard.security.KeyPair;

/** The crypto coprocessor as the applet meets it. A test extends it to make something go wrong. */
public class Silicon {
    private static final SecureRandom RANDOM = new SecureRandom();

    /** The random number generator: fills bytes, which become keys and the nonces of ECDSA. */
    public void random(byte[] bytes) {
        RANDOM.nextBytes(bytes);
    }

    /** Called when a command has come in. From used on, a card's APDU buffer holds whatever was there before. */
    public void received(byte[] buffer, int used) {
    }

    /** Whether this card has the algorithm: a constant of Signature, KeyBuilder (type) or MessageDigest. */
    public boolean has(Class<?> factory, byte algorithm) {
        return true;
    }

    /** Called before each key generation; may throw a CryptoException. */
    public void generatingKey() {
    }

    /** Makes the pair's keys: new ones, or those that a test has ready. */
    public void generate(KeyPair pair) {
        generatingKey();
        pair.genKeyPair();
    }

    /** What the applet gets instead of this signature (DER for ECDSA) of these bytes. */
    public byte[] signature(byte[] signed, byte[] signature) {
        return signature;
    }

    /** What the applet gets instead of this result of Signature.verify. */
    public boolean verified(boolean result) {
        return result;
    }
}
