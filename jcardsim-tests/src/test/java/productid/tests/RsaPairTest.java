package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import javacard.security.KeyPair;
import javacard.security.RSAPrivateCrtKey;
import javacard.security.RSAPublicKey;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.PowerLost;
import productid.sim.Silicon;

/** What chips may answer when an RSA pair is made, which of it is taken, and what is left when the power goes meanwhile. */
class RsaPairTest {
    private static final byte[] F4 = {1, 0, 1};
    private static final BigInteger EXPONENTS = BigInteger.valueOf(3L * 257 * 65537);
    private static final Map<String, BigInteger> PRIMES = new ConcurrentHashMap<>();

    /** A chip with keys of our making. The exponent it tells need not be the one that its keys have. */
    private static class Chip extends Silicon {
        private final BigInteger p;
        private final BigInteger q;
        private final BigInteger e;
        private final int modulusZeros;
        private final byte[] exponent;
        private int made;

        Chip(int bitsOfP, int bitsOfQ, int e, int modulusZeros, byte[] exponent) {
            this.e = BigInteger.valueOf(e);
            p = PRIMES.computeIfAbsent("p " + bitsOfP, name -> prime(bitsOfP, new Random(1)));
            q = PRIMES.computeIfAbsent("q " + bitsOfQ, name -> prime(bitsOfQ, new Random(2)));
            this.modulusZeros = modulusZeros;
            this.exponent = exponent;
        }

        /** A prime that goes with each of the exponents. */
        private static BigInteger prime(int bits, Random random) {
            BigInteger prime;
            do {
                // The two highest bits are set, so that a product has as many bits as its factors together.
                prime = new BigInteger(bits, random).setBit(bits - 1).setBit(bits - 2).setBit(0);
            } while (!prime.subtract(BigInteger.ONE).gcd(EXPONENTS).equals(BigInteger.ONE) || !prime.isProbablePrime(20));
            return prime;
        }

        @Override
        public void generate(KeyPair pair) {
            made++;
            if (pair.getPublic() instanceof RSAPublicKey) {
                fill(pair);
            } else {
                super.generate(pair);
            }
        }

        private void fill(KeyPair pair) {
            BigInteger d = e.modInverse(p.subtract(BigInteger.ONE).multiply(q.subtract(BigInteger.ONE)));
            RSAPrivateCrtKey secret = (RSAPrivateCrtKey) pair.getPrivate();
            secret.setP(bytes(p, 128), (short) 0, (short) 128);
            secret.setQ(bytes(q, 128), (short) 0, (short) 128);
            secret.setDP1(bytes(d.mod(p.subtract(BigInteger.ONE)), 128), (short) 0, (short) 128);
            secret.setDQ1(bytes(d.mod(q.subtract(BigInteger.ONE)), 128), (short) 0, (short) 128);
            secret.setPQ(bytes(q.modInverse(p), 128), (short) 0, (short) 128);
            RSAPublicKey open = (RSAPublicKey) pair.getPublic();
            byte[] modulus = bytes(p.multiply(q), 256 + modulusZeros);
            open.setModulus(modulus, (short) 0, (short) modulus.length);
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

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5, 8, 256})
    void anExponentMayHaveZerosBeforeIt(int length) {
        byte[] exponent = new byte[length];
        System.arraycopy(F4, 0, exponent, length - F4.length, F4.length);
        Chip chip = new Chip(1024, 1024, 65537, 0, exponent);
        Card card = Card.installed("", chip).locked(TapUrl.RSA_2048);
        assertEquals(1, chip.made);
        assertEquals("010001", Card.hex(Arrays.copyOfRange(card.key(), 256, 259)));
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    @ParameterizedTest
    @CsvSource({
        "exponent 3, 1024, 1024, 3, 0, 03", "exponent 257, 1024, 1024, 257, 0, 0101", "65537 with a one before it, 1024, 1024, 65537, 0, 01010001",
        "exponent 65539, 1024, 1024, 65539, 0, 010003", "exponent 16842753, 1024, 1024, 16842753, 0, 01010001",
        "no exponent, 1024, 1024, 65537, 0, ''", "65536, 1024, 1024, 65537, 0, 010000", "an exponent cut short, 1024, 1024, 65537, 0, 0001",
        "a modulus of 2047 bits, 1024, 1023, 65537, 0, 010001", "of 2040 bits, 1024, 1016, 65537, 0, 010001",
        "with a zero before it, 1024, 1024, 65537, 1, 010001",
    })
    void aPairThatTheFormatDoesNotKnowIsNotTaken(String what, int bitsOfP, int bitsOfQ, int e, int zeros, String exponent) {
        Chip chip = new Chip(bitsOfP, bitsOfQ, e, zeros, HexFormat.of().parseHex(exponent));
        Card card = Card.installed("", chip);
        card.refuses("6a81", Card.generateCommand(TapUrl.RSA_2048));
        assertEquals(3, chip.made, what);
        assertEquals(0, card.info().state());
        card.sim.silicon(new Silicon());
        card.locked(TapUrl.P256);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    @Test
    void halvesThatDoNotMatchAreNotTaken() {
        Chip chip = new Chip(1024, 1024, 65537, 0, F4) {
            @Override
            public void generate(KeyPair pair) {
                super.generate(pair);
                byte[] modulus = new byte[256];
                RSAPublicKey open = (RSAPublicKey) pair.getPublic();
                open.getModulus(modulus, (short) 0);
                modulus[100] ^= 1;
                open.setModulus(modulus, (short) 0, (short) modulus.length);
            }
        };
        Card card = Card.installed("", chip);
        card.refuses("6a81", Card.generateCommand(TapUrl.RSA_2048));
        assertEquals(3, chip.made);
    }

    /** A key that could not be read out would be of no use: the card says so before it is made. */
    @ParameterizedTest
    @CsvSource({"1, 65, false", "1, 133, true", "2, 133, false", "2, 259, false", "2, 260, true"})
    void aKeyThatTheApduBufferCannotHoldIsNotMade(byte algorithm, int buffer, boolean made) throws ReflectiveOperationException {
        Object key = Card.field(Card.installed().sim.applet(), "key");
        Method generate = key.getClass().getDeclaredMethod("generate", byte.class, byte[].class);
        generate.setAccessible(true);
        assertEquals(made, generate.invoke(key, algorithm, new byte[buffer]));
    }

    /** Each tear of one algorithm's GENERATE leaves a card with that key or with none, which the other can still be made on. */
    @ParameterizedTest
    @CsvSource({"1, 2", "2, 1"})
    void aTornAttemptLeavesTheOtherAlgorithmFree(byte torn, byte other) {
        int keyed = 0;
        int free = 0;
        for (int point = 0; keyed < 2; point++) {
            Card card = Card.installed("", new Chip(1024, 1024, 65537, 0, F4));
            card.sim.memory().tearAt(point);
            try {
                card.send(Card.generateCommand(torn));
            } catch (PowerLost e) {
                // As it was meant.
            }
            card.sim.memory().watch();
            card.powerUpAndSelect();
            byte algorithm = torn;
            if (card.info().state() == 0) {
                free++;
                algorithm = other;
                card.generate(other);
            } else {
                keyed++;
            }
            assertEquals(algorithm, card.info().algorithm(), "tear point " + point);
            card.put(1, Card.PREFIX);
            card.put(2, Card.MIDDLE);
            card.lock();
            card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
            card.select();
            card.challenge(Card.NONCE, "00");
        }
        assertTrue(free >= 6, "before and after key, id and slot 0, and before the state");
    }
}
