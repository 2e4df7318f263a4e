package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import javacard.security.CryptoException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** A locked card as phones see it, with either key: every clause of the NFC behaviour. */
@ParameterizedClass
@ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
class Type4TagTest {
    private static final String READ_NLEN = "00B0000002";
    @Parameter
    byte algorithm;
    private int fileMax;
    private int fileLength;
    private int signatureText;
    private Card card;

    @BeforeEach
    void lock() {
        fileMax = algorithm == TapUrl.P256 ? 0xE8 : 0x1EB;
        fileLength = algorithm == TapUrl.P256 ? 143 : 402;
        signatureText = algorithm == TapUrl.P256 ? 86 : 342;
        card = Card.shared(algorithm, Life.LOCKED);
        card.powerUpAndSelect();
    }

    @Test
    void theCapabilityContainerSaysWhatPhonesAccept() {
        card.ok(Card.SELECT_CC);
        String container = "000f2000f600f60406e104%04x00ff".formatted(fileMax);
        assertEquals(container, card.ok("00B000000F"));
        assertEquals("000f", card.ok(READ_NLEN));
        assertEquals(container.substring(4), card.ok("00B000020D"));
        assertEquals("00ff", card.ok("00B0000D10"), "cut at the end");
        assertEquals("", card.ok("00B0000F01"));
        card.refuses("6b00", "00B0001001");
        assertEquals(0, card.counter());
    }

    @Test
    void aTapIsOneUriRecordThatVerifies() {
        byte[] message = card.tap();
        assertEquals(algorithm == TapUrl.P256 ? "d10189" + "5504" : "c10100000189" + "5504", hexOfHead(message));
        String url = Card.url(message);
        assertEquals(Card.PREFIX + Card.idText(card.info().id()) + "&c=00000001&s=", url.substring(0, url.length() - signatureText));
        assertEquals("ok", card.classify(url));
    }

    private String hexOfHead(byte[] message) {
        return Card.hex(Arrays.copyOf(message, algorithm == TapUrl.P256 ? 5 : 8));
    }

    @Test
    void theLongestMessageFillsTheFile() {
        card = Card.shared(algorithm, Life.KEYED);
        card.put(1, "https://tap.example.com/" + "p".repeat(120 - 24 - 3 - 3) + "?i=");
        card.put(2, Card.MIDDLE);
        card.lock();
        assertEquals(fileMax - 2, card.tap().length);
        assertEquals("ok", card.classify(Card.url(card.read())));
        card.refuses("6b00", "00B0%04x02".formatted(fileMax + 1));
    }

    @Test
    void theFileNeverChangesItsLength() {
        for (int i = 0; i < 20; i++) {
            assertEquals(fileLength - 2, card.tap().length);
        }
    }

    @Test
    void oneSelectionIsOneCount() {
        byte[] first = card.read();
        assertEquals(1, card.counter());
        assertArrayEquals(first, card.read(), "read again");
        card.ok(Card.SELECT_CC);
        card.ok("00B000000F");
        card.refuses("6a82", "00A4000C02E105");
        card.refuses("6a82", "00A4040007D276000085010000");
        card.refuses("6d00", "00D6000002FFFF");
        card.ok(Card.INFO);
        assertArrayEquals(first, card.read(), "after other files and commands");
        assertEquals(1, card.counter());
        byte[] second = card.tap();
        assertEquals(2, card.counter());
        assertNotEquals(Card.url(first), Card.url(second));
    }

    @Test
    void whateverChunksAreReadTheyAreOfOnePiece() {
        byte[] whole = card.read();
        for (int chunk : new int[] {1, 15, 48, 59, 244, 246, 254}) {
            StringBuilder pieces = new StringBuilder();
            for (int at = 2; at < whole.length + 2; at += chunk) {
                pieces.append(card.ok("00B0%04x%02x".formatted(at, chunk)));
            }
            assertEquals(Card.hex(whole), pieces.toString(), "chunks of " + chunk);
        }
        String file = "%04x".formatted(whole.length) + Card.hex(whole);
        assertEquals(file.substring(0, Math.min(file.length(), 2 * 256)), card.ok("00B0000000"), "Le 00 is up to 256");
    }

    @ParameterizedTest
    @ValueSource(strings = {"00A4000C02E103", "00A4000002E103", "00A4000C02E10300", "00A4000C02E104", "00A4000C02E10400", "8001000000", "8002000000",
        "8021000400", "8021000100", "00B0000001", "00B0000000", "00B08100", "00B0FFFF02", "00D6000000", "80FF000000", "FFCA000000"})
    void nothingButTheFirstReadOfTheMessageCounts(String command) {
        card.send(command);
        card.sim.powerUp();
        card.send(command);
        card.select();
        card.send(command);
        card.select();
        card.select();
        assertEquals(0, card.counter());
    }

    @Test
    void activationsDoNotCount() {
        for (int i = 0; i < 3; i++) {
            card.powerUpAndSelect();
            card.ok(Card.SELECT_NDEF);
        }
        assertEquals(0, card.counter());
    }

    @Test
    void whatIsWrongIsRefusedBeforeAnythingIsCommitted() {
        card.ok(Card.SELECT_NDEF);
        card.refuses("6b00", "00B0400002");
        card.refuses("6b00", "00B0%04x02".formatted(fileMax + 1));
        card.refuses("6b00", "00B0%04x02".formatted(fileLength + 1));
        card.refuses("6b00", "00B07FFF02");
        card.refuses("6a86", "00B0840002");
        card.refuses("6a86", "00B0FFFF02");
        card.refuses("6700", "00B0000000000F");
        assertEquals(0, card.counter());
        card.ok(READ_NLEN);
        assertEquals(1, card.counter());
    }

    @Test
    void aFirstReadAnywhereInTheFileIsTheOneThatCounts() {
        for (int offset : new int[] {0, 1, 2, 7, 100, fileLength - 1, fileLength}) {
            card.select();
            card.ok(Card.SELECT_NDEF);
            long before = card.counter();
            card.ok("00B0%04x10".formatted(offset));
            assertEquals(before + 1, card.counter(), "offset " + offset);
        }
    }

    @Test
    void readsPastTheEndAreCutSilently() {
        int end = card.read().length + 2;
        assertEquals(2, card.ok("00B0%04x30".formatted(end - 2)).length() / 2);
        assertEquals("", card.ok("00B0%04x30".formatted(end)));
        card.refuses("6b00", "00B0%04x30".formatted(end + 1));
    }

    @Test
    void withNoFileSelectedThereIsNothingToRead() {
        card.refuses("6986", "00B0000001");
        card.sim.powerUp();
        card.refuses("6986", "00B0000001");
        card.select();
        card.ok(Card.SELECT_NDEF);
        card.select();
        card.refuses("6986", READ_NLEN);
        assertEquals(0, card.counter());
    }

    @Test
    void selectTakesTheNamesOfFilesAndNothingElse() {
        card.ok("00A4000C02E10300");
        card.ok("00A4000002E104");
        card.refuses("6a82", "00A4000C023F00");
        card.refuses("6a82", "00A4000C02E102");
        card.refuses("6a86", "00A4010C02E104");
        card.refuses("6a86", "00A4000402E104");
        card.refuses("6a86", "00A4020C02E104");
        card.refuses("6700", "00A4000C01E1");
        card.refuses("6700", "00A4000C03E10400");
        card.refuses("6700", "00A4000C");
        card.ok(READ_NLEN);
    }

    @Test
    void anotherApplicationIsNotHere() {
        card.refuses("6a82", "00A4040007D276000085010000");
        card.refuses("6a82", "00A4040007D2760000850102");
        card.refuses("6a82", "00A4040008A00000015100000000");
        card.sim.powerUp();
        card.refuses("6a82", "00A4040007D276000085010000");
    }

    @Test
    void foreignCommandsAreNamed() {
        card.refuses("6d00", "00B1000002");
        card.refuses("6d00", "00D6000002FFFF");
        card.refuses("6d00", "0020000000");
        card.refuses("6d00", "80F0000000");
        card.refuses("6e00", "9060000000");
        card.refuses("6e00", "FFCA000000");
        card.refuses("6a86", "8001010000");
        card.refuses("6a86", "8001000100");
        card.refuses("6a86", "8002000100");
    }

    @Test
    void aSignatureThatFailsLosesItsNumber() {
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                CryptoException.throwIt(CryptoException.ILLEGAL_USE);
                return signature;
            }
        });
        card.ok(Card.SELECT_NDEF);
        card.refuses("6f00", READ_NLEN);
        assertEquals(1, card.counter());
        card.sim.silicon(new Silicon());
        assertEquals("ok", card.classify(Card.url(card.read())), "in the same selection, with the next number");
        assertEquals(2, card.counter());
    }
}
