package productid.tests;

import java.math.BigInteger;
import java.util.Random;
import javacard.security.KeyPair;
import javacard.security.RSAPrivateCrtKey;
import javacard.security.RSAPublicKey;

/**
 * Two primes of an RSA key. Those named here were looked for once: a search takes a third of a second, which each test and each
 * mutant would pay again. They go with each of the exponents 3, 257, 65537, 65539 and 16842753.
 */
enum RsaPrimes {
    /** A modulus of 2048 bits, as all that the names say nothing else of. */
    FULL(1, 44, 2, 1024, 842),
    SECOND(3, 4340, 4, 1024, 1644),
    THIRD(5, 238, 6, 1024, 684),
    /** A modulus of 2047 bits. */
    BIT_SHORT(1, 44, 2, 1023, 328),
    /** A modulus of 2040 bits. */
    BYTE_SHORT(1, 44, 2, 1016, 48);

    private static final int HALF = 128;

    private final BigInteger p;
    private final BigInteger q;

    RsaPrimes(long seedOfP, int distanceOfP, long seedOfQ, int bitsOfQ, int distanceOfQ) {
        p = prime(seedOfP, 8 * HALF, distanceOfP);
        q = prime(seedOfQ, bitsOfQ, distanceOfQ);
    }

    /** The prime that is so far behind a random number whose two highest bits are set, so that products lose no bit. */
    private static BigInteger prime(long seed, int bits, int distance) {
        BigInteger from = new BigInteger(bits, new Random(seed)).setBit(bits - 1).setBit(bits - 2).setBit(0);
        return from.add(BigInteger.valueOf(distance));
    }

    /** Makes the pair the one of these primes and of this exponent, with a modulus of so many bytes, as a chip may pad it. */
    void put(KeyPair pair, BigInteger e, int modulusLength) {
        BigInteger d = e.modInverse(p.subtract(BigInteger.ONE).multiply(q.subtract(BigInteger.ONE)));
        RSAPrivateCrtKey secret = (RSAPrivateCrtKey) pair.getPrivate();
        secret.setP(bytes(p, HALF), (short) 0, (short) HALF);
        secret.setQ(bytes(q, HALF), (short) 0, (short) HALF);
        secret.setDP1(bytes(d.mod(p.subtract(BigInteger.ONE)), HALF), (short) 0, (short) HALF);
        secret.setDQ1(bytes(d.mod(q.subtract(BigInteger.ONE)), HALF), (short) 0, (short) HALF);
        secret.setPQ(bytes(q.modInverse(p), HALF), (short) 0, (short) HALF);
        RSAPublicKey open = (RSAPublicKey) pair.getPublic();
        open.setModulus(bytes(p.multiply(q), modulusLength), (short) 0, (short) modulusLength);
        byte[] exponent = e.toByteArray();
        open.setExponent(exponent, (short) 0, (short) exponent.length);
    }

    private static byte[] bytes(BigInteger number, int length) {
        byte[] bytes = number.toByteArray();
        byte[] fixed = new byte[length];
        int take = Math.min(bytes.length, length);
        System.arraycopy(bytes, bytes.length - take, fixed, length - take, take);
        return fixed;
    }
}
