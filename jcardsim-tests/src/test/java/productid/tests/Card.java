package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import productid.sim.Silicon;
import productid.sim.SimCard;

/** One virtual card as a test speaks to it: in hex, and in the words of the protocol. Its key is P-256 where none is named. */
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
    private static final int PART = 240;
    /** The most bytes read at once, as the capability container says. */
    private static final int MLE = 246;
    private static final byte[] NAME = HexFormat.of().parseHex("D2760000850101");
    private static final String APPLET = "productid.card.ProductIdApplet";

    /** Memory of the cards with a key that were made for {@link #shared}, by algorithm and applet. */
    private static final Map<String, byte[]> SHARED = new ConcurrentHashMap<>();

    final SimCard sim;

    /** How far a card has come. */
    enum Life {
        INSTALLED, KEYED, CONFIGURED, LOCKED
    }

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

    /**
     * A new card with a key that was made once for all tests of the same applet, brought so far from there. An RSA key is one
     * of {@link ReadyPairs}.
     */
    static Card shared(byte algorithm, Life life) {
        byte[] keyed = SHARED.computeIfAbsent(algorithm + Applet.digest(), name -> installed("", ReadyPairs.chip()).keyed(algorithm).sim.image());
        Card card = installed();
        if (life != Life.INSTALLED) {
            card.restore(keyed);
        }
        return card.brought(algorithm, life);
    }

    void restore(byte[] image) {
        try {
            sim.restore(image);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        select();
    }

    /** Takes a card so far that has not come as far yet. */
    Card brought(byte algorithm, Life life) {
        if (life.compareTo(Life.KEYED) >= 0 && info().state() == 0) {
            generate(algorithm);
        }
        if (life.compareTo(Life.CONFIGURED) >= 0) {
            put(1, PREFIX);
            put(2, MIDDLE);
        }
        if (life == Life.LOCKED) {
            lock();
        }
        return this;
    }

    static String generateCommand(byte algorithm) {
        return "8010%02x0000".formatted(algorithm);
    }

    /** Makes the key; returns the card id. */
    byte[] generate(byte algorithm) {
        return HexFormat.of().parseHex(ok(generateCommand(algorithm)));
    }

    Card keyed() {
        return keyed(TapUrl.P256);
    }

    Card keyed(byte algorithm) {
        return brought(algorithm, Life.KEYED);
    }

    Card configured() {
        return configured(TapUrl.P256);
    }

    Card configured(byte algorithm) {
        return brought(algorithm, Life.CONFIGURED);
    }

    Card locked() {
        return locked(TapUrl.P256);
    }

    Card locked(byte algorithm) {
        return brought(algorithm, Life.LOCKED);
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

    /** Algorithm of the key, as INFO tells it. */
    byte algorithm() {
        return (byte) info().algorithm();
    }

    /** The public key's bytes. */
    byte[] key() {
        return item(4);
    }

    /** An item, all its parts. */
    byte[] item(int item) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int length;
        do {
            ByteBuffer answer = ByteBuffer.wrap(HexFormat.of().parseHex(ok("8021%02x%02x00".formatted(bytes.size() / PART, item))));
            length = answer.getShort();
            assertEquals(Math.min(PART, length - bytes.size()), answer.remaining(), "a part is full but for the last");
            bytes.write(answer.array(), answer.position(), answer.remaining());
        } while (bytes.size() < length);
        return bytes.toByteArray();
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
        StringBuilder message = new StringBuilder();
        for (int at = 0; at < length; at += MLE) {
            message.append(ok("00B0%04x%02x".formatted(2 + at, Math.min(MLE, length - at))));
        }
        return HexFormat.of().parseHex(message);
    }

    String tapUrl() {
        return url(tap());
    }

    /** The URL in an NDEF message of one URI record, short or long, with the https:// prefix. */
    static String url(byte[] message) {
        boolean isShort = message[0] == (byte) 0xD1;
        int payload = isShort ? message[2] & 0xFF : ByteBuffer.wrap(message).getInt(2);
        String head = isShort ? "d101%02x5504".formatted(payload) : "c101%08x5504".formatted(payload);
        int at = head.length() / 2;
        assertEquals(head, hex(Arrays.copyOf(message, at)));
        assertEquals(message.length - at + 1, payload);
        return "https://" + new String(message, at, payload - 1, StandardCharsets.US_ASCII);
    }

    /** The failure class of a URL under this card's key. */
    String classify(String url) {
        return TapUrl.classify(url, algorithm(), key());
    }

    void verifies(String url, byte purpose) {
        try {
            TapUrl.parse(url).verify(purpose, algorithm(), key(), new byte[0]);
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
        String answer = ok(challengeCommand(nonce, context));
        byte[] signature = item(5);
        assertEquals(algorithm() == TapUrl.P256 ? hex(signature) : "", answer.substring(8), "a short signature comes at once");
        return verifyAnswer(answer.substring(0, 8) + hex(signature), nonce, context);
    }

    /** The counter of counter ‖ signature, which must be of this challenge under this card's key. */
    long verifyAnswer(String hex, String nonce, String context) {
        byte[] answer = HexFormat.of().parseHex(hex);
        long counter = ByteBuffer.wrap(answer).getInt() & 0xFFFFFFFFL;
        TapUrl proof = new TapUrl(info().id(), counter, Arrays.copyOfRange(answer, 4, answer.length));
        byte[] tail = TapUrl.challengeTail(HexFormat.of().parseHex(nonce), HexFormat.of().parseHex(context));
        try {
            proof.verify(TapUrl.PURPOSE_CHALLENGE, algorithm(), key(), tail);
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

    /** Puts another object where the applet keeps one, as a bug might. */
    static void replace(Object owner, String name, Object value) {
        try {
            var field = owner.getClass().getDeclaredField(name);
            field.setAccessible(true);
            field.set(owner, value);
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
