package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import productid.sim.Silicon;
import productid.sim.SimCard;

/** One virtual card as a test speaks to it: in hex, and in the words of the protocol. */
final class Card {
    static final String SELECT = "00A4040007D276000085010100";
    static final String SELECT_CC = "00A4000C02E103";
    static final String SELECT_NDEF = "00A4000C02E104";
    static final String INFO = "8001000000";
    static final String GENERATE = "8010010000";
    static final String PREFIX = "https://tap.example.com/t?i=";
    static final String MIDDLE = "&c=";
    static final String NONCE = "000102030405060708090a0b0c0d0e0f";
    /** Asks for both algorithms, restricts nothing. */
    static final String INSTALL_OPEN = "0300";
    private static final byte[] NAME = HexFormat.of().parseHex("D2760000850101");
    private static final String APPLET = "productid.card.ProductIdApplet";

    final SimCard sim;

    /** What INFO tells. */
    record Info(int state, int algorithm, int flags, int mle, byte[] id, long counter, long counterMax) {
    }

    private Card(SimCard sim) {
        this.sim = sim;
        select();
    }

    /** As it comes from the installer, selected. */
    static Card installed() {
        return installed("", new Silicon());
    }

    static Card installed(String parameters, Silicon silicon) {
        try {
            return new Card(SimCard.install(APPLET, NAME, HexFormat.of().parseHex(parameters), silicon));
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException("the applet is not compiled, run: make applet", e);
        }
    }

    /** A card that stops at this counter. */
    static Card withCounterMax(int max) {
        return installed(INSTALL_OPEN + "%08x".formatted(max), new Silicon());
    }

    Card keyed() {
        ok(GENERATE);
        return this;
    }

    Card configured() {
        keyed();
        put(1, PREFIX);
        put(2, MIDDLE);
        return this;
    }

    Card locked() {
        configured();
        lock();
        return this;
    }

    void lock() {
        ok("804000000c" + hex(info().id()));
    }

    void put(int item, String value) {
        ok(putCommand(item, value));
    }

    static String putCommand(int item, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.US_ASCII);
        return "802000%02x%02x".formatted(item, bytes.length) + hex(bytes);
    }

    /** The answer with its status word, lower-case hex. */
    String send(String command) {
        return hex(sim.transmit(HexFormat.of().parseHex(command)));
    }

    /** The answer's data; the status word has to be 9000. */
    String ok(String command) {
        String answer = send(command);
        assertTrue(answer.endsWith("9000"), () -> command + " answered " + answer);
        return answer.substring(0, answer.length() - 4);
    }

    void refuses(String status, String command) {
        assertEquals(status, send(command), command);
    }

    void select() {
        ok(SELECT);
    }

    void powerUpAndSelect() {
        sim.powerUp();
        select();
    }

    Info info() {
        ByteBuffer b = ByteBuffer.wrap(HexFormat.of().parseHex(ok(INFO)));
        assertEquals(28, b.remaining());
        b.position(3);
        int state = b.get() & 0xFF;
        int algorithm = b.get();
        int flags = b.get();
        int mle = b.getShort();
        byte[] id = new byte[12];
        b.get(id);
        return new Info(state, algorithm, flags, mle, id, b.getInt() & 0xFFFFFFFFL, b.getInt() & 0xFFFFFFFFL);
    }

    long counter() {
        return info().counter();
    }

    /** Bytes 04 ‖ X ‖ Y. */
    byte[] key() {
        byte[] answer = HexFormat.of().parseHex(ok("8021000400"));
        assertEquals(answer.length - 2, ByteBuffer.wrap(answer).getShort());
        return Arrays.copyOfRange(answer, 2, answer.length);
    }

    /** Selects the application and reads the message, as a phone does. */
    byte[] tap() {
        select();
        return read();
    }

    /** Reads the message of this selection. */
    byte[] read() {
        ok(SELECT_NDEF);
        int length = Integer.parseInt(ok("00B0000002"), 16);
        return length == 0 ? new byte[0] : HexFormat.of().parseHex(ok("00B00002%02x".formatted(length)));
    }

    String tapUrl() {
        return url(tap());
    }

    /** The URL in an NDEF message of one short URI record with the https:// prefix. */
    static String url(byte[] message) {
        int payload = message[2] & 0xFF;
        assertEquals("d101%02x5504".formatted(payload), hex(Arrays.copyOf(message, 5)));
        assertEquals(message.length - 4, payload);
        return "https://" + new String(message, 5, payload - 1, StandardCharsets.US_ASCII);
    }

    /** The failure class of a URL under this card's key. */
    String classify(String url) {
        return TapUrl.classify(url, TapUrl.P256, key());
    }

    void verifies(String url, byte purpose) {
        try {
            TapUrl.parse(url).verify(purpose, TapUrl.P256, key(), new byte[0]);
        } catch (TapUrl.Refused e) {
            throw new AssertionError(url, e);
        }
    }

    static String challengeCommand(String nonce, String context) {
        int length = 1 + nonce.length() / 2 + context.length() / 2;
        return "80300000%02x%02x".formatted(length, nonce.length() / 2) + nonce + context + "00";
    }

    /** The counter of an answered challenge, whose signature is checked. */
    long challenge(String nonce, String context) {
        return verifyAnswer(ok(challengeCommand(nonce, context)), nonce, context);
    }

    long verifyAnswer(String hex, String nonce, String context) {
        byte[] answer = HexFormat.of().parseHex(hex);
        assertEquals(4 + 64, answer.length);
        long counter = ByteBuffer.wrap(answer).getInt() & 0xFFFFFFFFL;
        TapUrl proof = new TapUrl(info().id(), counter, Arrays.copyOfRange(answer, 4, answer.length));
        byte[] tail = TapUrl.challengeTail(HexFormat.of().parseHex(nonce), HexFormat.of().parseHex(context));
        try {
            proof.verify(TapUrl.PURPOSE_CHALLENGE, TapUrl.P256, key(), tail);
        } catch (TapUrl.Refused e) {
            throw new AssertionError("challenge answer", e);
        }
        return counter;
    }

    /** The slots of the counter, in the card's persistent memory. */
    byte[] ring() {
        return (byte[]) field(field(sim.applet(), "counter"), "ring");
    }

    static Object field(Object owner, String name) {
        try {
            var field = owner.getClass().getDeclaredField(name);
            field.setAccessible(true);
            return field.get(owner);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    static void setField(Object owner, String name, short value) {
        try {
            var field = owner.getClass().getDeclaredField(name);
            field.setAccessible(true);
            field.setShort(owner, value);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    static String idText(byte[] id) {
        return Base64.getUrlEncoder().encodeToString(id);
    }

    static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }
}
