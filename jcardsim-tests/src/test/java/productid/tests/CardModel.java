package productid.tests;

import static productid.tests.Answer.require;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * The card of PROTOCOL.md, written from that document: it predicts the whole answer to any bytes, and how often
 * persistent memory is written. Only what is random it takes from the card, after it has checked it: the key pair where it
 * is made, and each signature from the silicon that made it.
 */
final class CardModel {
    static final int INSTALLED = 0;
    static final int KEYED = 1;
    static final int LOCKED = 2;
    static final int UNKNOWN = 0xFF;
    /** How often a key generation writes depends on the chip's luck. */
    static final int ANY_WRITES = -1;
    private static final int CONTACT_ONLY = 1;
    private static final int CHALLENGE_ONLY = 1;
    private static final int ALL_ALGORITHMS = 3;
    private static final int PART = 240;
    private static final int KEY = 4;
    private static final int SIGNATURE = 5;
    private static final byte[] ABSENT = new byte[0];
    private static final byte[] NAME = HexFormat.of().parseHex("D2760000850101");

    /** What the model cannot foresee. */
    interface Source {
        /** The public key of this algorithm that the card holds now; empty if it made none. */
        byte[] publicKey(byte algorithm);

        /** The signature that the silicon made over these bytes, under the key; the next one, or a finding. */
        byte[] signature(byte purpose, CardModel card, long counter, byte[] tail);

        /** Signatures that prove a new pair: made, never answered. */
        void selfTests(CardModel card);
    }

    private final int asked;
    private final int present;
    private final int flags;
    final CounterRing ring;
    private final boolean canGenerate;
    final Source source;
    int state = INSTALLED;
    /** Of the key; 0 without key. */
    byte algorithm;
    byte[] key = ABSENT;
    byte[] id = new byte[12];
    private final byte[][] items = {ABSENT, ABSENT, {0, 0, (byte) 0xF6}};
    boolean contact;
    private boolean selected;
    /** Selections and power-ups so far: what the card remembered before the last one it must not tell. */
    int sessions;
    final TagModel tag = new TagModel(this);
    int writes;

    /** A card as installed with this parameter; powered, over the air, nothing selected. */
    CardModel(byte[] parameter, Chip.Fault fault, Source source) {
        ByteBuffer b = ByteBuffer.wrap(parameter);
        asked = b.hasRemaining() ? b.get() & 0xFF : ALL_ALGORITHMS;
        flags = b.hasRemaining() ? b.get() & 0xFF : 0;
        ring = new CounterRing(b.hasRemaining() ? b.getInt() & 0xFFFFFFFFL : 400_000);
        present = fault == Chip.Fault.NO_ALGORITHM ? 0 : asked & ALL_ALGORITHMS;
        canGenerate = fault == Chip.Fault.NONE;
        this.source = source;
    }

    private CardModel(CardModel from) {
        asked = from.asked;
        present = from.present;
        flags = from.flags;
        ring = from.ring.copy();
        canGenerate = from.canGenerate;
        source = from.source;
        state = from.state;
        algorithm = from.algorithm;
        key = from.key;
        id = from.id;
        System.arraycopy(from.items, 0, items, 0, items.length);
        contact = from.contact;
    }

    /** The same card, just powered up. */
    CardModel copy() {
        return new CardModel(this);
    }

    void powerUp() {
        selected = false;
        startSession();
    }

    private void startSession() {
        sessions++;
        tag.select();
    }

    boolean isSelected() {
        return selected;
    }

    boolean hasKey() {
        return state == KEYED || state == LOCKED;
    }

    boolean hasLongMessage() {
        return hasKey() && algorithm == TapUrl.RSA_2048;
    }

    boolean hasTemplate() {
        return UrlTemplate.fit(prefix(), middle());
    }

    boolean isChallengeOnly() {
        return (items[2][0] & CHALLENGE_ONLY) != 0;
    }

    byte[] prefix() {
        return items[0];
    }

    byte[] middle() {
        return items[1];
    }

    short maxRead() {
        return ByteBuffer.wrap(items[2]).getShort(1);
    }

    /** The answer to a command that the card has answered. */
    Answer answer(byte[] raw) {
        writes = 0;
        try {
            return new Answer(Answer.OK, dispatch(raw));
        } catch (Answer.Refused refused) {
            return new Answer(refused.status, ABSENT);
        }
    }

    private byte[] dispatch(byte[] raw) {
        CommandApdu c = CommandApdu.parse(raw);
        require(c != null, 0x6700);
        boolean byName = (c.cla() & 0xFC) == 0 && c.ins() == 0xA4 && c.p1() == 4 && (c.p2() & 0xE3) == 0;
        if (byName && isOurs(c.data())) {
            selected = true;
            startSession();
            return ABSENT;
        }
        require(selected, byName ? 0x6A82 : 0x6986);
        return switch (c.cla() & 0xFC) {
            case 0x00 -> tag.answer(c);
            case 0x80 -> command(c);
            default -> throw new Answer.Refused(0x6E00);
        };
    }

    /** The card's system takes the beginning of a name for the name, ISO 7816-4 §8.2.1.2. */
    private static boolean isOurs(byte[] name) {
        return name.length > 0 && name.length <= NAME.length && Arrays.equals(name, Arrays.copyOf(NAME, name.length));
    }

    private byte[] command(CommandApdu c) {
        return switch (c.ins()) {
            case 0x01 -> info(c);
            case 0x02 -> capabilities(c);
            case 0x10 -> generateKey(c);
            case 0x20 -> putData(c);
            case 0x21 -> getData(c);
            case 0x30 -> challenge(c);
            case 0x40 -> lock(c);
            default -> throw new Answer.Refused(0x6D00);
        };
    }

    private byte[] info(CommandApdu c) {
        require(c.p1() == 0 && c.p2() == 0, 0x6A86);
        return ByteBuffer.allocate(28).put((byte) 1).put((byte) 0).put((byte) present).put((byte) state)
                .put(hasKey() ? algorithm : 0).put(items[2])
                .put(hasKey() ? id : new byte[12]).putInt(hasKey() ? (int) ring.last() : 0).putInt((int) ring.max()).array();
    }

    private byte[] capabilities(CommandApdu c) {
        require(c.p1() == 0 && c.p2() == 0, 0x6A86);
        return new byte[] {(byte) asked, (byte) present, (byte) flags, 0};
    }

    private byte[] generateKey(CommandApdu c) {
        require(c.p2() == 0, 0x6A86);
        requireConfigurable(INSTALLED);
        require((c.p1() == TapUrl.P256 || c.p1() == TapUrl.RSA_2048) && (present & c.p1()) != 0, 0x6A81);
        algorithm = (byte) c.p1();
        key = source.publicKey(algorithm);
        if (key.length > 0) {
            id = TapUrl.cardId(algorithm, key);
            source.selfTests(this);
        }
        writes = ANY_WRITES;
        require(canGenerate, 0x6A81);
        require(ring.start(), 0x6581);
        state = KEYED;
        return id;
    }

    private byte[] putData(CommandApdu c) {
        require(c.p1() == 0, 0x6A86);
        requireConfigurable(KEYED);
        require(!c.announcesDataAndBringsNone(), 0x6700);
        require(c.p2() >= 1 && c.p2() <= 3, 0x6A86);
        byte[] value = c.data();
        require(value.length > 0 && value.length <= (c.p2() == 3 ? 3 : 120), 0x6700);
        boolean good = switch (c.p2()) {
            case 1 -> UrlTemplate.isPrefix(value);
            case 2 -> UrlTemplate.isMiddle(value);
            default -> isProfile(value);
        };
        require(good, 0x6A80);
        items[c.p2() - 1] = value;
        writes = 1;
        return ABSENT;
    }

    private static boolean isProfile(byte[] value) {
        if (value.length != 3) {
            return false;
        }
        short mle = ByteBuffer.wrap(value).getShort(1);
        return (value[0] & ~CHALLENGE_ONLY) == 0 && mle >= 0x0F && mle <= 0xF6;
    }

    private byte[] getData(CommandApdu c) {
        require(c.p2() >= 1 && c.p2() <= SIGNATURE, 0x6A86);
        byte[] item = switch (c.p2()) {
            case KEY -> hasKey() ? key : ABSENT;
            case SIGNATURE -> tag.signature();
            default -> items[c.p2() - 1];
        };
        require(item.length > 0, 0x6985);
        require(c.p1() * PART < item.length, 0x6B00);
        byte[] part = Arrays.copyOfRange(item, c.p1() * PART, Math.min(item.length, (c.p1() + 1) * PART));
        return ByteBuffer.allocate(Short.BYTES + part.length).putShort((short) item.length).put(part).array();
    }

    private byte[] challenge(CommandApdu c) {
        require(c.p1() == 0 && c.p2() == 0, 0x6A86);
        require(hasKey() && tag.mayChallenge(), 0x6985);
        byte[] data = c.data();
        require(!c.announcesDataAndBringsNone() && data.length > 0, 0x6700);
        int nonceLength = data[0] & 0xFF;
        require(nonceLength >= 16 && nonceLength <= 32, 0x6A80);
        int contextLength = data.length - 1 - nonceLength;
        require(contextLength >= 0 && contextLength <= 200, 0x6700);
        long number = commit();
        byte[] nonce = Arrays.copyOfRange(data, 1, 1 + nonceLength);
        byte[] context = Arrays.copyOfRange(data, 1 + nonceLength, data.length);
        byte[] signature = source.signature(TapUrl.PURPOSE_CHALLENGE, this, number, TapUrl.challengeTail(nonce, context));
        tag.answeredChallenge(signature);
        byte[] atOnce = algorithm == TapUrl.P256 ? signature : ABSENT;
        return ByteBuffer.allocate(4 + atOnce.length).putInt((int) number).put(atOnce).array();
    }

    /** Uses up a number; 6985 on an exhausted card, 6581 if the memory takes none. */
    long commit() {
        require(!ring.isExhausted(), 0x6985);
        CounterRing.Commit commit = ring.commit();
        writes = commit.writes();
        require(commit.number() != CounterRing.Commit.FAILED, 0x6581);
        return commit.number();
    }

    private byte[] lock(CommandApdu c) {
        require(c.p1() == 0 && c.p2() == 0, 0x6A86);
        requireConfigurable(KEYED);
        require(c.data().length == id.length, 0x6700);
        require(Arrays.equals(c.data(), id), 0x6A80);
        require(hasTemplate(), 0x6985);
        state = LOCKED;
        writes = 1;
        return ABSENT;
    }

    private void requireConfigurable(int wanted) {
        require(state == wanted, 0x6985);
        require((flags & CONTACT_ONLY) == 0 || contact, 0x6982);
    }
}
