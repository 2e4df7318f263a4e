package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import productid.sim.Silicon;

/** What the card signs, and how its signatures look from outside. */
class SignatureTest {
    /** Lengths of the DER integers: 33 bytes have a sign byte before them, 30 and 31 lack leading zeros. */
    @ParameterizedTest
    @CsvSource({"32, 32", "33, 33", "33, 32", "32, 33", "31, 32", "32, 31", "31, 33", "33, 31", "31, 31", "30, 32", "32, 30",
        "30, 33", "33, 30", "30, 31", "30, 30", "1, 1", "1, 33", "33, 1"})
    void derBecomesTwice32Bytes(int r, int s) throws TapUrl.Refused {
        byte[] first = integer(r, 1);
        byte[] second = integer(s, 2);
        Card card = Card.installed().locked();
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                return der(first, second);
            }
        });
        String expected = scalar(first) + scalar(second);
        assertEquals(expected, Card.hex(TapUrl.parse(card.tapUrl()).signature()));
        card.select();
        String challenge = Card.challengeCommand("ff".repeat(32), "ff".repeat(100));
        assertEquals("00000002" + expected, card.ok(challenge), "also where other bytes were");
    }

    @Test
    void threeHundredTapsVerify() {
        Card card = Card.installed().locked();
        byte[] key = card.key();
        for (int i = 0; i < 300; i++) {
            String url = card.tapUrl();
            assertEquals("ok", TapUrl.classify(url, TapUrl.P256, key), url);
        }
    }

    @Test
    void theSignedBytesAreThoseOfTheFormat() throws TapUrl.Refused {
        byte[][] seen = new byte[1][];
        Card card = Card.installed().locked();
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                seen[0] = signed;
                return signature;
            }
        });
        card.tap();
        String id = Card.hex(card.info().id());
        assertEquals("50494454" + "01" + "01" + "01" + id + "00000001", Card.hex(seen[0]));
        card.select();
        card.challenge(Card.NONCE, "abcd");
        byte[] tail = TapUrl.challengeTail(HexFormat.of().parseHex(Card.NONCE), HexFormat.of().parseHex("abcd"));
        assertEquals("50494454" + "01" + "02" + "01" + id + "00000002" + Card.hex(tail), Card.hex(seen[0]));
    }

    @ParameterizedTest
    @CsvSource({"16, 0", "16, 200", "20, 17", "32, 0", "32, 200"})
    void aChallengeIsAnsweredUnderTheKeyWithANumberOfItsOwn(int nonceLength, int contextLength) {
        Card card = Card.installed().locked();
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
        Card card = Card.installed().keyed();
        String answer = card.ok(Card.challengeCommand(Card.NONCE, "01"));
        card.verifyAnswer(answer, Card.NONCE, "01");
        assertThrows(AssertionError.class, () -> card.verifyAnswer(answer, Card.NONCE, "02"));
        assertThrows(AssertionError.class, () -> card.verifyAnswer(answer, Card.NONCE + "01", ""), "the border is signed too");
    }

    @Test
    void anAnswerIsNoTap() throws TapUrl.Refused {
        Card card = Card.installed().locked();
        String signature = Base64.getUrlEncoder().withoutPadding()
                .encodeToString(HexFormat.of().parseHex(card.ok(Card.challengeCommand(Card.NONCE, "")).substring(8)));
        String forged = Card.PREFIX + Card.idText(card.info().id()) + "&c=00000001&s=" + signature;
        assertEquals("bad_signature", card.classify(forged));
    }

    @ParameterizedTest
    @CsvSource({
        "8030000000, 6700", "80300000010f, 6a80", "80300000" + "10" + "0f" + "000102030405060708090a0b0c0d0e" + ", 6a80",
        "80300000" + "10" + "10" + "000102030405060708090a0b0c0d0e" + ", 6700", "803000000121, 6a80", "8030000001ff, 6a80",
        "803000000120, 6700", "80300100" + "11" + "10" + "000102030405060708090a0b0c0d0e0f" + ", 6a86",
        "80300001" + "11" + "10" + "000102030405060708090a0b0c0d0e0f" + ", 6a86",
    })
    void aBadChallengeIsRefusedAndCostsNothing(String command, String status) {
        Card card = Card.installed().locked();
        card.refuses(status, command);
        assertEquals(0, card.counter());
    }

    @Test
    void aContextOf201BytesIsTooLong() {
        Card card = Card.installed().locked();
        card.refuses("6700", Card.challengeCommand(Card.NONCE, "00".repeat(201)));
        card.refuses("6700", Card.challengeCommand("00".repeat(32), "00".repeat(201)));
        assertEquals(0, card.counter());
    }

    @Test
    void aFrozenMessageAndAChallengeExcludeEachOther() {
        Card card = Card.installed().locked();
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

    /** A DER integer of so many bytes, its sign byte included. */
    private static byte[] integer(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        bytes[0] = length == 33 ? 0 : (byte) (bytes[0] & 0x7F | 0x01);
        if (length == 33) {
            bytes[1] |= (byte) 0x80;
        }
        return bytes;
    }

    private static byte[] der(byte[] r, byte[] s) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(0x30);
        out.write(r.length + s.length + 4);
        for (byte[] part : new byte[][] {r, s}) {
            out.write(0x02);
            out.write(part.length);
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static String scalar(byte[] integer) {
        return "%064x".formatted(new BigInteger(1, integer));
    }
}
