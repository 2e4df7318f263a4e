package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

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

    /** Both answers of one selection stand at the same place. */
    @ParameterizedTest
    @CsvSource({"31, 32", "32, 31", "1, 1"})
    void nothingOfALongNumberIsLeftBeforeAShortOne(int r, int s) {
        Card card = Card.shared(TapUrl.P256, Life.LOCKED);
        card.challenge(Card.NONCE, "");
        byte[] first = integer(r, 1);
        byte[] second = integer(s, 2);
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                return der(first, second);
            }
        });
        assertEquals("00000002" + scalar(first) + scalar(second), card.ok(Card.challengeCommand(Card.NONCE, "")));
    }

    @ParameterizedTest
    @CsvSource({"1, 300", "2, 30"})
    void eachTapVerifies(byte algorithm, int taps) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        byte[] key = card.key();
        for (int i = 0; i < taps; i++) {
            String url = card.tapUrl();
            assertEquals("ok", TapUrl.classify(url, algorithm, key), url);
        }
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void theSignedBytesAreThoseOfTheFormat(byte algorithm) {
        byte[][] seen = new byte[1][];
        Card card = Card.shared(algorithm, Life.LOCKED);
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                seen[0] = signed;
                return signature;
            }
        });
        card.tap();
        String id = Card.hex(card.info().id());
        assertEquals("50494454" + "01" + "01" + "0" + algorithm + id + "00000001", Card.hex(seen[0]));
        card.select();
        card.challenge(Card.NONCE, "abcd");
        byte[] tail = TapUrl.challengeTail(HexFormat.of().parseHex(Card.NONCE), HexFormat.of().parseHex("abcd"));
        assertEquals("50494454" + "01" + "02" + "0" + algorithm + id + "00000002" + Card.hex(tail), Card.hex(seen[0]));
    }

    /** Every value of each byte goes through the base64url that is expanded in place. */
    @Test
    void anRsaSignatureIsInTheUrlAsTheChipMadeIt() throws TapUrl.Refused {
        Card card = Card.shared(TapUrl.RSA_2048, Life.LOCKED);
        byte[] made = new byte[256];
        card.sim.silicon(new Silicon() {
            @Override
            public byte[] signature(byte[] signed, byte[] signature) {
                return made.clone();
            }
        });
        for (int shift = 0; shift < 256; shift += 51) {
            for (int i = 0; i < made.length; i++) {
                made[i] = (byte) (i + shift);
            }
            assertEquals(Card.hex(made), Card.hex(TapUrl.parse(card.tapUrl()).signature()));
        }
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
