package productid.tests;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javacard.security.CryptoException;
import javacard.security.Key;
import javacard.security.KeyPair;
import javacard.security.RSAPublicKey;
import productid.sim.KeyState;
import productid.sim.Silicon;

/**
 * Key pairs given out in turn: those of RSA have primes known before, since making one takes a third of a second. Where the chip would keep
 * a public exponent that it finds, as the API has it, it makes the pair itself.
 */
final class ReadyPairs {
    private static final BigInteger F4 = BigInteger.valueOf(65537);
    private static final int MODULUS_LENGTH = 256;
    /** More than one, so that a key made again is another one. */
    private static final List<RsaPrimes> READY_PRIMES = List.of(RsaPrimes.FULL, RsaPrimes.SECOND, RsaPrimes.THIRD);
    private static final Map<Byte, List<KeyState>> READY = new ConcurrentHashMap<>();
    private static int given;

    private ReadyPairs() {
    }

    /** A chip that makes no others. */
    static Silicon chip() {
        return new Silicon() {
            @Override
            public void generate(KeyPair pair) {
                generatingKey();
                put(pair);
            }
        };
    }

    /** Gives the pair its next key, as if it had just been made. */
    static synchronized void put(KeyPair pair) {
        Key[] keys = {pair.getPublic(), pair.getPrivate()};
        if (hasExponent(keys[0])) {
            pair.genKeyPair();
            return;
        }
        List<KeyState> ready = READY.computeIfAbsent(keys[0].getType(), type -> make(pair, keys));
        ready.get(given++ % READY_PRIMES.size()).copyTo(keys);
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
        for (RsaPrimes primes : READY_PRIMES) {
            if (keys[0] instanceof RSAPublicKey) {
                primes.put(pair, F4, MODULUS_LENGTH);
            } else {
                pair.genKeyPair();
            }
            made.add(KeyState.of(keys));
        }
        return made;
    }
}
