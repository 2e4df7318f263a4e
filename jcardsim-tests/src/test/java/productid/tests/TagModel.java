package productid.tests;

import static productid.tests.Answer.require;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;

/** The Type 4 Tag of PROTOCOL.md and what one selection remembers. */
final class TagModel {
    private static final int CC = 0xE103;
    private static final int NDEF = 0xE104;
    private static final int NO_FILE = 0;
    private static final int COUNTER_AND_PARAMETER = 8 + 3;

    private final CardModel card;
    private int selected;
    /** The NDEF file as it is frozen, or null. */
    private byte[] message;
    /** Of the challenge answered, or null. */
    private byte[] signature;

    TagModel(CardModel card) {
        this.card = card;
    }

    /** A selection starts. */
    void select() {
        selected = NO_FILE;
        message = null;
        signature = null;
    }

    boolean mayChallenge() {
        return message == null;
    }

    void answeredChallenge(byte[] with) {
        signature = with;
    }

    /** The signature of the challenge answered in this selection; empty if none was. */
    byte[] signature() {
        return signature == null ? new byte[0] : signature;
    }

    byte[] answer(CommandApdu c) {
        return switch (c.ins()) {
            case 0xA4 -> selectFile(c);
            case 0xB0 -> read(c);
            default -> throw new Answer.Refused(0x6D00);
        };
    }

    private byte[] selectFile(CommandApdu c) {
        require(!c.announcesDataAndBringsNone(), 0x6700);
        require(c.p1() != 4, 0x6A82);
        require(c.p1() == 0 && (c.p2() == 0 || c.p2() == 0x0C), 0x6A86);
        require(c.data().length == 2, 0x6700);
        int file = ByteBuffer.wrap(c.data()).getShort() & 0xFFFF;
        require(file == CC || file == NDEF, 0x6A82);
        selected = file;
        return new byte[0];
    }

    private byte[] read(CommandApdu c) {
        require((c.p1() & 0x80) == 0, 0x6A86);
        int offset = c.p1() << 8 | c.p2();
        require(selected != NO_FILE, 0x6986);
        byte[] file = selected == CC ? capabilityContainer() : ndef(offset);
        require(offset <= file.length, 0x6B00);
        return Arrays.copyOfRange(file, offset, Math.min(file.length, offset + c.le()));
    }

    private byte[] capabilityContainer() {
        return ByteBuffer.allocate(15).putShort((short) 15).put((byte) 0x20).putShort(card.maxRead()).putShort((short) 0xF6)
                .put((byte) 4).put((byte) 6).putShort((short) NDEF).putShort((short) (card.hasLongMessage() ? 0x1EB : 0xE8)).put((byte) 0).put((byte) 0xFF).array();
    }

    private byte[] ndef(int offset) {
        if (message != null) {
            return message;
        }
        require(signature == null, 0x6985);
        if (!card.hasKey() || !card.hasTemplate()) {
            return new byte[2];
        }
        String url = text(card.prefix()) + Base64.getUrlEncoder().encodeToString(card.id) + text(card.middle());
        if (card.isChallengeOnly()) {
            message = file(url + "00000000&x=challenge");
            return message;
        }
        require(offset <= file(url).length + COUNTER_AND_PARAMETER + (card.hasLongMessage() ? 342 : 86), 0x6B00);
        message = file(url + (card.ring.isExhausted() ? "00000000&x=exhausted" : signedTail()));
        return message;
    }

    private String signedTail() {
        long number = card.commit();
        byte purpose = card.state == CardModel.LOCKED ? TapUrl.PURPOSE_TAP : TapUrl.PURPOSE_REHEARSAL;
        byte[] signed = card.source.signature(purpose, card, number, new byte[0]);
        return "%08X&s=".formatted(number) + Base64.getUrlEncoder().withoutPadding().encodeToString(signed);
    }

    /** NLEN and one URI record, in the long form on a card with an RSA key. */
    private byte[] file(String url) {
        byte[] rest = url.substring("https://".length()).getBytes(StandardCharsets.US_ASCII);
        int payload = 1 + rest.length;
        ByteBuffer record = ByteBuffer.allocate((card.hasLongMessage() ? 7 : 4) + payload).put((byte) (card.hasLongMessage() ? 0xC1 : 0xD1)).put((byte) 1);
        if (card.hasLongMessage()) {
            record.putInt(payload);
        } else {
            record.put((byte) payload);
        }
        record.put((byte) 0x55).put((byte) 4).put(rest);
        return ByteBuffer.allocate(Short.BYTES + record.capacity()).putShort((short) record.capacity()).put(record.array()).array();
    }

    private static String text(byte[] ascii) {
        return new String(ascii, StandardCharsets.US_ASCII);
    }
}
