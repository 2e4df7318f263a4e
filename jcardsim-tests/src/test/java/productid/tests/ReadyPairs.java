package productid.tests;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javacard.security.CryptoException;
import javacard.security.Key;
import javacard.security.KeyPair;
import javacard.security.RSAPublicKey;
import productid.sim.KeyState;

/**
 * Key pairs that the chip made once, given out in turn: making one of RSA takes a third of a second. Where the chip would keep
 * a public exponent that it finds, as the API has it, it makes the pair itself.
 */
final class ReadyPairs {
    /** More than one, so that a key made again is another one. */
    private static final int PAIRS = 3;
    private static final Map<Byte, List<KeyState>> READY = new ConcurrentHashMap<>();
    private static int given;

    private ReadyPairs() {
    }

    /** Gives the pair its next key, as if it had just been made. */
    static synchronized void put(KeyPair pair) {
        Key[] keys = {pair.getPublic(), pair.getPrivate()};
        if (hasExponent(keys[0])) {
            pair.genKeyPair();
            return;
        }
        List<KeyState> ready = READY.computeIfAbsent(keys[0].getType(), type -> make(pair, keys));
        ready.get(given++ % PAIRS).copyTo(keys);
    }

    private static boolean hasExponent(Key key) {
        try {
            return key instanceof RSAPublicKey rsa && rsa.getExponent(new byte[rsa.getSize() / Byte.SIZE], (short) 0) > 0;
        } catch (CryptoException uninitialized) {
            return false;
        }
    }

    private static List<KeyState> make(KeyPair pair, Key[] keys) {
        List<KeyState> made = new ArrayList<>();
        for (int i = 0; i < PAIRS; i++) {
            pair.genKeyPair();
            made.add(KeyState.of(keys));
        }
        return made;
    }
}
