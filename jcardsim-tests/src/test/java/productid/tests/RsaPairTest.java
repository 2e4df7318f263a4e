package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.HexFormat;
import javacard.security.CryptoException;
import javacard.security.KeyPair;
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

    /** A chip with keys of our making. The exponent it tells need not be the one that its keys have. */
    private static class Chip extends Silicon {
        private final RsaPrimes primes;
        private final BigInteger e;
        private final int modulusZeros;
        private final byte[] exponent;
        private int made;

        Chip(RsaPrimes primes, int e, int modulusZeros, byte[] exponent) {
            this.primes = primes;
            this.e = BigInteger.valueOf(e);
            this.modulusZeros = modulusZeros;
            this.exponent = exponent;
        }

        /** Good keys, and the exponent as the format has it. */
        Chip() {
            this(RsaPrimes.FULL, 65537, 0, F4);
        }

        @Override
        public void generate(KeyPair pair) {
            made++;
            if (pair.getPublic() instanceof RSAPublicKey open) {
                primes.put(pair, e, 256 + modulusZeros);
                open.setExponent(exponent, (short) 0, (short) exponent.length);
            } else {
                super.generate(pair);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 4, 5, 8, 256})
    void anExponentMayHaveZerosBeforeIt(int length) {
        byte[] exponent = new byte[length];
        System.arraycopy(F4, 0, exponent, length - F4.length, F4.length);
        Chip chip = new Chip(RsaPrimes.FULL, 65537, 0, exponent);
        Card card = Card.installed("", chip).locked(TapUrl.RSA_2048);
        assertEquals(1, chip.made);
        assertEquals("010001", Card.hex(Arrays.copyOfRange(card.key(), 256, 259)));
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    @ParameterizedTest
    @CsvSource({
        "exponent 3, FULL, 3, 0, 03", "exponent 257, FULL, 257, 0, 0101", "65537 with a one before it, FULL, 65537, 0, 01010001",
        "exponent 65539, FULL, 65539, 0, 010003", "exponent 16842753, FULL, 16842753, 0, 01010001",
        "no exponent, FULL, 65537, 0, ''", "65536, FULL, 65537, 0, 010000", "an exponent cut short, FULL, 65537, 0, 0001",
        "a modulus of 2047 bits, BIT_SHORT, 65537, 0, 010001", "of 2040 bits, BYTE_SHORT, 65537, 0, 010001",
        "with a zero before it, FULL, 65537, 1, 010001",
    })
    void aPairThatTheFormatDoesNotKnowIsNotTaken(String what, RsaPrimes primes, int e, int zeros, String exponent) {
        Chip chip = new Chip(primes, e, zeros, HexFormat.of().parseHex(exponent));
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
        Chip chip = new Chip() {
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

    /** The public numbers of an installed card's pair are what the test says; the pair itself could not sign with them. */
    @ParameterizedTest
    @CsvSource({"256, 81, 01, true", "256, 81, 80, false", "256, 7f, 01, false", "255, 81, 01, false"})
    void aModulusOfAnotherFormIsNone(int length, String first, String last, boolean taken) throws ReflectiveOperationException {
        Object rsa = Card.field(Card.field(Card.installed().sim.applet(), "key"), "rsa");
        byte[] modulus = HexFormat.of().parseHex(first + "55".repeat(length - 2) + last);
        RSAPublicKey open = (RSAPublicKey) ((KeyPair) Card.field(rsa, "pair")).getPublic();
        open.setModulus(modulus, (short) 0, (short) length);
        open.setExponent(F4, (short) 0, (short) F4.length);
        byte[] residue = new byte[300];
        Arrays.fill(residue, (byte) 0xFF);
        Method copy = rsa.getClass().getDeclaredMethod("copyPublic", byte[].class, short.class);
        copy.setAccessible(true);
        assertEquals(taken, copy.invoke(rsa, residue, (short) 1));
    }

    /** A chip keeps a public exponent that it finds, and a torn attempt leaves any: it is cleared before the next one. */
    @Test
    void anExponentThatATearLeftIsNotKept() {
        int torn = 0;
        for (int point = 0; point == torn; point++) {
            Card card = Card.installed("", new Chip());
            card.sim.memory().tearAt(point);
            try {
                card.send(Card.generateCommand(TapUrl.RSA_2048));
            } catch (PowerLost e) {
                torn++;
            }
            card.sim.memory().watch();
            card.powerUpAndSelect();
            if (card.info().state() == 0) {
                card.sim.silicon(new Keeping());
                card.generate(TapUrl.RSA_2048);
            }
            assertEquals(TapUrl.RSA_2048, card.info().algorithm(), "tear point " + point);
        }
        assertTrue(torn >= 9, "within the pair, and around id, slot 0 and state");
    }

    private static final class Keeping extends Chip {
        @Override
        public void generate(KeyPair pair) {
            RSAPublicKey open = (RSAPublicKey) pair.getPublic();
            byte[] found = new byte[256];
            short length = 0;
            try {
                length = open.getExponent(found, (short) 0);
            } catch (CryptoException empty) {
                // Then it takes its own.
            }
            super.generate(pair);
            if (length > 0) {
                open.setExponent(found, (short) 0, length);
            }
        }
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
            Card card = Card.installed("", new Chip());
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
