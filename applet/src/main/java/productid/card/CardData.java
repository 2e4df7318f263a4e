package productid.card;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * What the station writes and LOCK closes: life cycle with the algorithm of the key, template, profile. All persistent.
 *
 * State and algorithm are one short, because the card writes a single field whole or not at all: power lost leaves no card
 * that has a key and does not know which. Each of its values is a byte and its complement, eight bits or more from the
 * others and from 0000 and FFFF: a fault that flips some of them gives no other state but an unknown one, which signs
 * nothing, is never INSTALLED and cannot be left. Each item is kept as length ‖ value and written by one atomic copy, so
 * that power lost leaves the old item or the new one.
 */
final class CardData {
    private static final short CODE_INSTALLED = (short) 0x1EE1;
    private static final short CODE_KEYED_P256 = (short) 0x2DD2;
    private static final short CODE_LOCKED_P256 = (short) 0x4BB4;
    private static final short CODE_KEYED_RSA_2048 = (short) 0x7887;
    private static final short CODE_LOCKED_RSA_2048 = (short) 0x8778;

    // An item: length ‖ value; length 0 is an absent item.
    private static final short ITEM_OFF_LENGTH = (short) 0;
    private static final short ITEM_OFF_VALUE = (short) 1;
    private static final short PROFILE_OFF_FLAGS = ITEM_OFF_VALUE;
    private static final short PROFILE_OFF_MLE = (short) (ITEM_OFF_VALUE + 1);

    private final byte[] prefix;
    private final byte[] middle;
    private final byte[] profile;
    private short code;

    CardData() {
        prefix = new byte[(short) (ITEM_OFF_VALUE + Const.TEMPLATE_LENGTH_MAX)];
        middle = new byte[(short) (ITEM_OFF_VALUE + Const.TEMPLATE_LENGTH_MAX)];
        profile = new byte[(short) (ITEM_OFF_VALUE + Const.PROFILE_LENGTH)];
        profile[ITEM_OFF_LENGTH] = (byte) Const.PROFILE_LENGTH;
        Util.setShort(profile, PROFILE_OFF_MLE, Const.MLE_MAX);
        code = CODE_INSTALLED;
    }

    byte state() {
        switch (code) {
            case CODE_INSTALLED:
                return Const.STATE_INSTALLED;
            case CODE_KEYED_P256:
            case CODE_KEYED_RSA_2048:
                return Const.STATE_KEYED;
            case CODE_LOCKED_P256:
            case CODE_LOCKED_RSA_2048:
                return Const.STATE_LOCKED;
            default:
                return Const.STATE_UNKNOWN;
        }
    }

    /** Algorithm of the key, ALGORITHM_NONE without key. */
    byte algorithm() {
        switch (code) {
            case CODE_KEYED_P256:
            case CODE_LOCKED_P256:
                return Const.ALGORITHM_P256;
            case CODE_KEYED_RSA_2048:
            case CODE_LOCKED_RSA_2048:
                return Const.ALGORITHM_RSA_2048;
            default:
                return Const.ALGORITHM_NONE;
        }
    }

    boolean hasKey() {
        return algorithm() != Const.ALGORITHM_NONE;
    }

    boolean isLocked() {
        return state() == Const.STATE_LOCKED;
    }

    /** Throws 6985 unless the card is in this state. */
    void require(byte state) {
        if (state() != state) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
    }

    /** One way: INSTALLED → KEYED, with a key of this algorithm. */
    void setKeyed(byte algorithm) {
        require(Const.STATE_INSTALLED);
        code = algorithm == Const.ALGORITHM_RSA_2048 ? CODE_KEYED_RSA_2048 : CODE_KEYED_P256;
    }

    /** One way: KEYED → LOCKED, with a template that makes URLs. Nothing leads out of it. */
    void setLocked() {
        require(Const.STATE_KEYED);
        if (!hasTemplate()) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        code = algorithm() == Const.ALGORITHM_RSA_2048 ? CODE_LOCKED_RSA_2048 : CODE_LOCKED_P256;
    }

    /** True if prefix and middle are there, make one URL and leave room for the rest of it. Each was checked when it came. */
    boolean hasTemplate() {
        if (prefix[ITEM_OFF_LENGTH] == 0 || middle[ITEM_OFF_LENGTH] == 0) {
            return false;
        }
        byte prefixLast = prefix[prefix[ITEM_OFF_LENGTH]];
        return templateLength() <= Const.TEMPLATE_LENGTH_MAX && Template.fit(prefixLast, middle[ITEM_OFF_VALUE]);
    }

    short templateLength() {
        return (short) (prefix[ITEM_OFF_LENGTH] + middle[ITEM_OFF_LENGTH]);
    }

    /** Copies the prefix behind its "https://". */
    short copyPrefix(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(prefix, (short) (ITEM_OFF_VALUE + Template.SCHEME_LENGTH), out, off,
                (short) (prefix[ITEM_OFF_LENGTH] - Template.SCHEME_LENGTH));
    }

    short copyMiddle(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(middle, ITEM_OFF_VALUE, out, off, middle[ITEM_OFF_LENGTH]);
    }

    /** Copies flags ‖ MLe. */
    short copyProfile(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(profile, ITEM_OFF_VALUE, out, off, Const.PROFILE_LENGTH);
    }

    boolean isChallengeOnly() {
        return (profile[PROFILE_OFF_FLAGS] & Const.PROFILE_CHALLENGE_ONLY) != 0;
    }

    /** The most bytes a reader may ask for at once, as the capability container says. */
    short maxRead() {
        return Util.getShort(profile, PROFILE_OFF_MLE);
    }

    /** Copies the value of an item; throws 6985 if it is absent, 6A86 if there is no such item. */
    short copyItem(byte item, byte[] out, short off) {
        byte[] from = find(item);
        if (from[ITEM_OFF_LENGTH] == 0) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        return Util.arrayCopyNonAtomic(from, ITEM_OFF_VALUE, out, off, from[ITEM_OFF_LENGTH]);
    }

    /**
     * Replaces an item by the data of the command in buffer. Throws 6985 unless KEYED, 6700 for a length and 6A80 for a
     * value the item cannot have, and changes nothing then.
     */
    void putItem(byte item, byte[] buffer, short length) {
        require(Const.STATE_KEYED);
        byte[] to = find(item);
        if (length == 0 || length > (short) (to.length - ITEM_OFF_VALUE)) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
        if (!isGood(item, buffer, ISO7816.OFFSET_CDATA, length)) {
            ISOException.throwIt(ISO7816.SW_WRONG_DATA);
        }
        // In a short APDU the length byte stands right before the data: one copy takes both.
        Util.arrayCopy(buffer, ISO7816.OFFSET_LC, to, ITEM_OFF_LENGTH, (short) (ITEM_OFF_VALUE + length));
    }

    private byte[] find(byte item) {
        switch (item) {
            case Const.ITEM_PREFIX:
                return prefix;
            case Const.ITEM_MIDDLE:
                return middle;
            case Const.ITEM_PROFILE:
                return profile;
            default:
                ISOException.throwIt(ISO7816.SW_INCORRECT_P1P2);
                return null;
        }
    }

    private static boolean isGood(byte item, byte[] b, short off, short length) {
        switch (item) {
            case Const.ITEM_PREFIX:
                return Template.isPrefix(b, off, length);
            case Const.ITEM_MIDDLE:
                return Template.isMiddle(b, off, length);
            default:
                return isProfile(b, off, length);
        }
    }

    /** True for known flags and an MLe that readers accept. */
    private static boolean isProfile(byte[] b, short off, short length) {
        if (length != Const.PROFILE_LENGTH || (b[off] & (byte) ~Const.PROFILE_CHALLENGE_ONLY) != 0) {
            return false;
        }
        short mle = Util.getShort(b, (short) (off + 1));
        return mle >= Const.MLE_MIN && mle <= Const.MLE_MAX;
    }
}
