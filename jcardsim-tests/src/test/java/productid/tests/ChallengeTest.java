package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import javacard.framework.JCSystem;
import javacard.security.CryptoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** CHALLENGE, with either key: what is answered, what is held, and what it excludes. */
@ParameterizedClass
@ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
class ChallengeTest {
    private static final String GET_SIGNATURE = "8021000500";
    @Parameter
    byte algorithm;

    @ParameterizedTest
    @CsvSource({"16, 0", "16, 200", "20, 17", "32, 0", "32, 200"})
    void aChallengeIsAnsweredUnderTheKeyWithANumberOfItsOwn(int nonceLength, int contextLength) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        String nonce = "5a".repeat(nonceLength);
        String context = "c3".repeat(contextLength);
        assertEquals(1, card.challenge(nonce, context));
        assertEquals(2, card.challenge(nonce, context));
        assertEquals(2, card.counter());
        assertEquals("ok", card.classify(card.tapUrl()));
        assertEquals(3, card.counter());
    }

    @Test
    void anAnswerIsBoundToNonceAndContext() {
        Card card = Card.shared(algorithm, Life.KEYED);
        String answer = answer(card, Card.NONCE, "01");
        card.verifyAnswer(answer, Card.NONCE, "01");
        assertThrows(AssertionError.class, () -> card.verifyAnswer(answer, Card.NONCE, "02"));
        assertThrows(AssertionError.class, () -> card.verifyAnswer(answer, Card.NONCE + "01", ""), "the border is signed too");
    }

    @Test
    void anAnswerIsNoTap() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        String signature = Base64.getUrlEncoder().withoutPadding()
                .encodeToString(HexFormat.of().parseHex(answer(card, Card.NONCE, "").substring(8)));
        String forged = Card.PREFIX + Card.idText(card.info().id()) + "&c=00000001&s=" + signature;
        assertEquals("bad_signature", card.classify(forged));
    }

    @Test
    void aShortSignatureComesWithItsNumberALongOneIsFetched() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        String answer = card.ok(Card.challengeCommand(Card.NONCE, ""));
        assertEquals(algorithm == TapUrl.P256 ? "00000001" + Card.hex(card.item(5)) : "00000001", answer);
        assertEquals(signatureLength(), card.item(5).length, "as often as one likes");
        String first = card.ok(GET_SIGNATURE);
        assertEquals("%04x".formatted(signatureLength()), first.substring(0, 4));
        assertEquals(algorithm == TapUrl.P256 ? 2 + 64 : 2 + 240, first.length() / 2);
        if (algorithm == TapUrl.RSA_2048) {
            assertEquals(2 + 16, card.ok("8021010500").length() / 2);
        }
        card.refuses("6b00", "8021020500");
        card.refuses("6b00", "8021ff0500");
    }

    @Test
    void aSignatureIsHeldForItsSelectionOnly() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        card.refuses("6985", GET_SIGNATURE);
        card.challenge(Card.NONCE, "00");
        card.ok(GET_SIGNATURE);
        card.select();
        card.refuses("6985", GET_SIGNATURE);
        card.challenge(Card.NONCE, "00");
        card.powerUpAndSelect();
        card.refuses("6985", GET_SIGNATURE);
        card.tap();
        card.refuses("6985", GET_SIGNATURE);
        Card.shared(algorithm, Life.INSTALLED).refuses("6985", GET_SIGNATURE);
    }

    @Test
    void theSignatureHeldIsThatOfTheLastNumber() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        String first = answer(card, Card.NONCE, "");
        card.refuses("6a80", "803000000121");
        assertEquals(first.substring(8), Card.hex(card.item(5)), "a challenge refused changes nothing");
        String second = answer(card, Card.NONCE, "");
        assertNotEquals(first.substring(8), second.substring(8));
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                CryptoException.throwIt(CryptoException.ILLEGAL_USE);
                return signature;
            }
        });
        card.refuses("6f00", Card.challengeCommand(Card.NONCE, ""));
        card.refuses("6985", GET_SIGNATURE);
        card.ok(Card.SELECT_NDEF);
        card.refuses("6985", "00B0000002");
        assertEquals(3, card.counter(), "its number is lost");
    }

    @Test
    void readingItemsLeavesAFrozenMessageAsItIs() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        byte[] message = card.tap();
        for (int item = 1; item <= 4; item++) {
            card.item(item);
        }
        card.refuses("6985", GET_SIGNATURE);
        card.info();
        assertArrayEquals(message, card.read());
    }

    /** What a selection leaves in transient memory is gone with it, whatever it was. */
    @Test
    void nothingOfASelectionIsThereInTheNext() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        for (Runnable use : List.<Runnable>of(card::tap, () -> card.challenge("5a".repeat(32), "c3".repeat(200)))) {
            card.select();
            use.run();
            List<Object> transients = Memories.transients(card);
            assertEquals(5, transients.size(), "words and buffer of the session, signed bytes, slot, capability container");
            assertTrue(transients.stream().anyMatch(array -> !Memories.isZero(array)));
            transients.forEach(array -> assertEquals(JCSystem.CLEAR_ON_DESELECT, JCSystem.isTransient(array)));
            card.select();
            transients.forEach(array -> assertTrue(Memories.isZero(array)));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "8030000000, 6700", "80300000010f, 6a80", "80300000" + "10" + "0f" + "000102030405060708090a0b0c0d0e" + ", 6a80",
        "80300000" + "10" + "10" + "000102030405060708090a0b0c0d0e" + ", 6700", "803000000121, 6a80", "8030000001ff, 6a80",
        "803000000120, 6700", "80300100" + "11" + "10" + "000102030405060708090a0b0c0d0e0f" + ", 6a86",
        "80300001" + "11" + "10" + "000102030405060708090a0b0c0d0e0f" + ", 6a86",
    })
    void aBadChallengeIsRefusedAndCostsNothing(String command, String status) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        card.refuses(status, command);
        assertEquals(0, card.counter());
    }

    @Test
    void aContextOf201BytesIsTooLong() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        card.refuses("6700", Card.challengeCommand(Card.NONCE, "00".repeat(201)));
        card.refuses("6700", Card.challengeCommand("00".repeat(32), "00".repeat(201)));
        assertEquals(0, card.counter());
    }

    @Test
    void aFrozenMessageAndAChallengeExcludeEachOther() {
        Card card = Card.shared(algorithm, Life.LOCKED);
        byte[] message = card.tap();
        card.refuses("6985", Card.challengeCommand(Card.NONCE, ""));
        assertArrayEquals(message, card.read());
        card.select();
        assertEquals(2, card.challenge(Card.NONCE, ""));
        card.ok(Card.SELECT_NDEF);
        card.refuses("6985", "00B0000002");
        assertEquals(3, card.challenge(Card.NONCE, ""), "a second one is no harm");
        assertNotEquals(Card.url(message), card.tapUrl());
        assertEquals(4, card.counter());
    }

    private int signatureLength() {
        return algorithm == TapUrl.P256 ? 64 : 256;
    }

    /** Counter ‖ signature. */
    private static String answer(Card card, String nonce, String context) {
        return card.ok(Card.challengeCommand(nonce, context)).substring(0, 8) + Card.hex(card.item(5));
    }
}
