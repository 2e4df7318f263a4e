package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import javacard.security.CryptoException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;

/** A locked card as phones see it: every clause of the NFC behaviour. */
class Type4TagTest {
    private static final String READ_NLEN = "00B0000002";
    private Card card;

    @BeforeEach
    void lock() {
        card = Card.installed().locked();
        card.powerUpAndSelect();
    }

    @Test
    void theCapabilityContainerSaysWhatPhonesAccept() {
        card.ok(Card.SELECT_CC);
        assertEquals("000f2000f600f60406e10400e800ff", card.ok("00B000000F"));
        assertEquals("000f", card.ok(READ_NLEN));
        assertEquals("2000f600f60406e10400e800ff", card.ok("00B000020D"));
        assertEquals("00ff", card.ok("00B0000D10"), "cut at the end");
        assertEquals("", card.ok("00B0000F01"));
        card.refuses("6b00", "00B0001001");
        assertEquals(0, card.counter());
    }

    @Test
    void aTapIsOneUriRecordThatVerifies() {
        byte[] message = card.tap();
        assertTrue(message.length <= 230);
        String url = Card.url(message);
        assertEquals(Card.PREFIX + Card.idText(card.info().id()) + "&c=00000001&s=", url.substring(0, url.length() - 86));
        assertEquals("ok", card.classify(url));
    }

    @Test
    void theFileNeverChangesItsLength() {
        int length = card.tap().length;
        for (int i = 0; i < 20; i++) {
            assertEquals(length, card.tap().length);
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
        for (int chunk : new int[] {1, 15, 48, 59, 254}) {
            StringBuilder pieces = new StringBuilder();
            for (int at = 2; at < whole.length + 2; at += chunk) {
                pieces.append(card.ok("00B0%04x%02x".formatted(at, chunk)));
            }
            assertEquals(Card.hex(whole), pieces.toString(), "chunks of " + chunk);
        }
        assertEquals("%04x".formatted(whole.length) + Card.hex(whole), card.ok("00B0000000"), "Le 00 is up to 256");
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
        card.refuses("6b00", "00B000E902");
        card.refuses("6b00", "00B07FFF02");
        card.refuses("6a86", "00B0840002");
        card.refuses("6a86", "00B0FFFF02");
        card.refuses("6700", "00B0000000000F");
        assertEquals(0, card.counter());
        card.ok(READ_NLEN);
        assertEquals(1, card.counter());
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
