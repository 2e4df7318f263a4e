package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import javacard.framework.SystemException;
import javacard.security.CryptoException;
import javacard.security.Signature;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** INSTALLED → KEYED → LOCKED, one way: each command in each state. */
class LifeCycleTest {
    private static final byte[] ALGORITHMS = {TapUrl.P256, TapUrl.RSA_2048};
    private static final String CAPABILITIES = "8002000000";
    private static final String GET_KEY = "8021000400";
    private static final String GET_PREFIX = "8021000100";
    private static final String CHALLENGE = Card.challengeCommand(Card.NONCE, "");
    private static final String PUT_PROFILE = "80200003030000f6";

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void aCardLivesFromInstalledOverKeyedToLocked(byte algorithm) {
        Card card = Card.installed();
        assertEquals(0, card.info().state());
        assertEquals(0, card.info().algorithm());
        byte[] id = card.generate(algorithm);
        assertEquals(1, card.info().state());
        assertEquals(algorithm, card.info().algorithm());
        assertEquals(algorithm == TapUrl.P256 ? 65 : 259, card.key().length);
        assertArrayEquals(TapUrl.cardId(algorithm, card.key()), id, "the id is the hash of the key");
        card.put(1, Card.PREFIX);
        card.put(2, Card.MIDDLE);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_REHEARSAL);
        card.lock();
        assertEquals(2, card.info().state());
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
        card.powerUpAndSelect();
        assertEquals(2, card.info().state(), "without power too");
        assertEquals(algorithm, card.info().algorithm());
        assertArrayEquals(id, card.info().id());
    }

    @Test
    void installed() {
        Card card = Card.installed();
        card.ok(Card.INFO);
        card.ok(CAPABILITIES);
        card.refuses("6985", Card.putCommand(1, Card.PREFIX));
        card.refuses("6985", PUT_PROFILE);
        card.refuses("6985", GET_KEY);
        card.refuses("6985", GET_PREFIX);
        card.refuses("6985", CHALLENGE);
        card.refuses("6985", "804000000c" + "00".repeat(12));
        assertEquals(0, card.tap().length, "NLEN 0");
        card.ok(Card.GENERATE);
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void keyed(byte algorithm) {
        Card card = Card.shared(algorithm, Life.KEYED);
        card.ok(Card.INFO);
        card.ok(CAPABILITIES);
        refusesToGenerate(card);
        card.ok(GET_KEY);
        card.refuses("6985", GET_PREFIX);
        assertEquals(0, card.tap().length, "no template, no URL");
        card.put(1, Card.PREFIX);
        card.put(2, Card.MIDDLE);
        card.ok(PUT_PROFILE);
        card.ok(GET_PREFIX);
        card.select();
        card.ok(CHALLENGE);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_REHEARSAL);
        card.lock();
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void lockedForEver(byte algorithm) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        card.ok(Card.INFO);
        card.ok(CAPABILITIES);
        refusesToGenerate(card);
        card.refuses("6985", Card.putCommand(1, Card.PREFIX));
        card.refuses("6985", Card.putCommand(2, Card.MIDDLE));
        card.refuses("6985", PUT_PROFILE);
        card.refuses("6985", "804000000c" + Card.hex(card.info().id()));
        card.ok(GET_KEY);
        card.ok(GET_PREFIX);
        card.ok(CHALLENGE);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    private static void refusesToGenerate(Card card) {
        for (byte algorithm : ALGORITHMS) {
            card.refuses("6985", Card.generateCommand(algorithm));
        }
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void theRehearsalIsNeverATap(byte algorithm) {
        Card card = Card.shared(algorithm, Life.CONFIGURED);
        String harvested = card.tapUrl();
        assertEquals("bad_signature", card.classify(harvested));
        card.lock();
        assertEquals("bad_signature", card.classify(harvested), "not after lock either");
        assertEquals("ok", card.classify(card.tapUrl()));
    }

    @Test
    void lockNamesItsCard() {
        Card card = Card.installed().configured();
        card.refuses("6a80", "804000000c" + "00".repeat(12));
        card.refuses("6700", "804000000b" + "00".repeat(11));
        card.refuses("6700", "8040000000");
        card.refuses("6a86", "804001000c" + Card.hex(card.info().id()));
        assertEquals(1, card.info().state());
    }

    @Test
    void lockWantsATemplateThatMakesUrls() {
        Card card = Card.installed().keyed();
        String lock = "804000000c" + Card.hex(card.info().id());
        card.refuses("6985", lock);
        card.put(1, Card.PREFIX);
        card.refuses("6985", lock);
        card.put(2, "?c=");
        card.refuses("6985", lock);
        card.put(2, Card.MIDDLE);
        card.ok(lock);
    }

    @ParameterizedTest
    @ValueSource(shorts = {0, -1, 0x1EE0, 0x2DD3, 0x4B00, 0x1234, 0x7888, (short) 0x8777})
    void anUnknownStateSignsNothingAndLeadsNowhere(short code) {
        for (byte algorithm : ALGORITHMS) {
            Card card = Card.shared(algorithm, Life.LOCKED);
            Card.setField(Card.field(card.sim.applet(), "data"), "code", code);
            card.powerUpAndSelect();
            assertEquals(0xFF, card.info().state());
            assertEquals(0, card.info().algorithm());
            assertEquals(0, card.tap().length);
            card.select();
            refusesToGenerate(card);
            for (String command : new String[] {CHALLENGE, PUT_PROFILE, Card.putCommand(1, Card.PREFIX),
                "804000000c" + "00".repeat(12), GET_KEY, "8021000500"}) {
                card.refuses("6985", command);
            }
            assertEquals(0xFF, card.info().state());
        }
    }

    /** Eight bits have to fall over before one state looks like another one, or like memory that was never written. */
    @Test
    void theCodesOfTheStatesAreFarFromEachOther() {
        List<Short> codes = new ArrayList<>(List.of((short) 0, (short) -1, code(Card.installed())));
        for (byte algorithm : ALGORITHMS) {
            codes.add(code(Card.shared(algorithm, Life.KEYED)));
            codes.add(code(Card.shared(algorithm, Life.LOCKED)));
        }
        for (int i = 0; i < codes.size(); i++) {
            for (int j = 0; j < i; j++) {
                int bits = Integer.bitCount((codes.get(i) ^ codes.get(j)) & 0xFFFF);
                assertTrue(bits >= 8, "%04x and %04x".formatted(codes.get(i), codes.get(j)));
            }
        }
    }

    private static short code(Card card) {
        return (short) Card.field(Card.field(card.sim.applet(), "data"), "code");
    }

    /** Even so: the other key was never made, or was made and thrown away, and the id commits to neither. */
    @Test
    void aCardThatTakesItsKeyForOneOfTheOtherAlgorithmSignsNothingThatVerifies() {
        short rsaLocked = code(Card.shared(TapUrl.RSA_2048, Life.LOCKED));
        Card card = Card.shared(TapUrl.P256, Life.LOCKED);
        Card.setField(Card.field(card.sim.applet(), "data"), "code", rsaLocked);
        card.powerUpAndSelect();
        card.ok(Card.SELECT_NDEF);
        card.refuses("6f00", "00B0000002");
        card.refuses("6f00", CHALLENGE);
        card.refuses("6985", "8021000500");
        card.refuses("6f00", GET_KEY);
    }

    @ParameterizedTest
    @CsvSource({"00, 00", "01, 01", "02, 02", "03, 03", "f3, 03", "fc, 00"})
    void theMaskOfTheInstallSaysWhichAlgorithmsThereAre(String asked, String present) {
        Card card = Card.installed(asked, new Silicon());
        assertEquals(asked + present + "0000", card.ok(CAPABILITIES));
        int bits = Integer.parseInt(present, 16);
        for (byte algorithm : ALGORITHMS) {
            if ((bits & algorithm) == 0) {
                card.refuses("6a81", Card.generateCommand(algorithm));
            }
        }
        assertEquals(0, card.info().state());
        for (byte algorithm : ALGORITHMS) {
            if ((bits & algorithm) != 0) {
                Card other = Card.installed(asked, ReadyPairs.chip()).locked(algorithm);
                other.verifies(other.tapUrl(), TapUrl.PURPOSE_TAP);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"javacard.security.Signature, 33, 02", "javacard.security.Signature, 40, 01", "javacard.security.KeyBuilder, 11, 02",
        "javacard.security.KeyBuilder, 12, 02", "javacard.security.MessageDigest, 4, 00"})
    void whatTheChipLacksIsAbsent(Class<?> factory, byte constant, String present) {
        Card card = Card.installed("", lacking(factory, constant));
        assertEquals("03" + present + "0000", card.ok(CAPABILITIES));
        for (byte algorithm : ALGORITHMS) {
            if ((Integer.parseInt(present, 16) & algorithm) == 0) {
                card.refuses("6a81", Card.generateCommand(algorithm));
            }
        }
        assertEquals(0, card.info().state());
    }

    @Test
    void noAlgorithmNoKey() {
        for (String algorithm : new String[] {"00", "03", "04", "80", "ff"}) {
            Card.installed().refuses("6a81", "8010" + algorithm + "0000");
        }
    }

    private static Silicon lacking(Class<?> factory, byte constant) {
        return new Silicon() {
            @Override
            public boolean has(Class<?> type, byte algorithm) {
                return type != factory || algorithm != constant;
            }
        };
    }

    /** Memory too small for what was asked is no missing algorithm: the card's system names it, and nothing is installed. */
    @Test
    void anInstallWithoutRoomFailsAsAWhole() {
        Silicon full = new Silicon() {
            @Override
            public boolean has(Class<?> type, byte algorithm) {
                if (algorithm == Signature.ALG_RSA_SHA_256_PKCS1) {
                    SystemException.throwIt(SystemException.NO_TRANSIENT_SPACE);
                }
                return true;
            }
        };
        assertThrows(SystemException.class, () -> Card.installed("03", full));
        Card.installed("01", full).locked(TapUrl.P256);
    }

    @Test
    void aChipThatCannotGenerateStaysInstalled() {
        for (Runnable refusal : List.<Runnable>of(() -> CryptoException.throwIt(CryptoException.NO_SUCH_ALGORITHM),
                () -> SystemException.throwIt(SystemException.NO_RESOURCE))) {
            Card card = Card.installed("", new Silicon() {
                @Override
                public void generatingKey() {
                    refusal.run();
                }
            });
            for (byte algorithm : ALGORITHMS) {
                card.refuses("6a81", Card.generateCommand(algorithm));
            }
            assertEquals(0, card.info().state());
            assertEquals("00".repeat(12), Card.hex(card.info().id()));
            card.sim.silicon(new Silicon());
            card.ok(Card.GENERATE);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 1, 9000", "1, 2, 9000", "2, 3, 9000", "3, 3, 6a81"})
    void aPairThatDoesNotProveItselfIsMadeAgain(int wrong, int generations, String status) {
        int[] count = new int[2];
        Card card = Card.installed("", new Silicon() {
            @Override
            public void generatingKey() {
                count[0]++;
            }

            @Override
            public boolean verified(boolean result) {
                return result && count[1]++ >= wrong;
            }
        });
        String answer = card.send(Card.GENERATE);
        assertEquals(status, answer.substring(answer.length() - 4));
        assertEquals(generations, count[0]);
        assertEquals(status.equals("9000") ? 1 : 0, card.info().state());
    }

    @Test
    void eachCardMakesItsOwnKey() {
        assertNotEquals(Card.hex(Card.installed().keyed().key()), Card.hex(Card.installed().keyed().key()));
    }

    @Test
    void eachSignatureHasItsOwnNonce() throws TapUrl.Refused {
        Card card = Card.installed().locked();
        byte[] one = TapUrl.parse(card.tapUrl()).signature();
        byte[] two = TapUrl.parse(card.tapUrl()).signature();
        assertNotEquals(Card.hex(one).substring(0, 64), Card.hex(two).substring(0, 64), "r twice gives the key away");
    }

    @Test
    void contactOnlyConfigurationKeepsTheAirOut() {
        Card card = Card.installed("0301", new Silicon());
        assertEquals("03030100", card.ok(CAPABILITIES));
        card.refuses("6982", Card.GENERATE);
        card.sim.contactless(false);
        card.configured();
        String lock = "804000000c" + Card.hex(card.info().id());
        card.sim.contactless(true);
        card.refuses("6982", Card.putCommand(2, Card.MIDDLE));
        card.refuses("6982", lock);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_REHEARSAL);
        card.sim.contactless(false);
        card.ok(lock);
        card.sim.contactless(true);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    @Test
    void installationParametersAreRememberedAndDefaulted() {
        assertEquals(400_000, Card.installed().info().counterMax());
        assertEquals(400_000, Card.installed("01", new Silicon()).info().counterMax());
        assertEquals(7, Card.withCounterMax(7).info().counterMax());
        assertEquals("01010000", Card.installed("01", new Silicon()).ok(CAPABILITIES));
    }
}
