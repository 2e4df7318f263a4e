package productid.card;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/**
 * The NDEF file of this selection: NLEN and one URI record with the tap URL.
 *
 * It is made at the first read and frozen in memory that lives until the applet is selected again, because a phone reads in
 * several chunks and may come back to the start: all it reads must be of one piece, and one selection must cost one count.
 * A message thrown away by loss of power has used up its counter; the next one gets the next.
 *
 * Before LOCK the same URL is signed as a rehearsal, which no verifier takes for a tap. A card that cannot or must not sign
 * says so in the URL and costs no count.
 */
final class TapMessage {
    private static final byte[] SIGNATURE_PARAMETER = {'&', 's', '='};
    private static final short SIGNATURE_PARAMETER_LENGTH = (short) 3;
    private static final byte[] EXHAUSTED = {
        '0', '0', '0', '0', '0', '0', '0', '0', '&', 'x', '=', 'e', 'x', 'h', 'a', 'u', 's', 't', 'e', 'd',
    };
    private static final byte[] CHALLENGE_ONLY = {
        '0', '0', '0', '0', '0', '0', '0', '0', '&', 'x', '=', 'c', 'h', 'a', 'l', 'l', 'e', 'n', 'g', 'e',
    };

    // The file: NLEN ‖ record header ‖ type length ‖ payload length ‖ type ‖ identifier code ‖ rest of the URL.
    private static final short OFF_NLEN = (short) 0;
    private static final short OFF_HEADER = Const.NLEN_LENGTH;
    private static final short OFF_TYPE_LENGTH = (short) (OFF_HEADER + 1);
    private static final short OFF_PAYLOAD_LENGTH = (short) (OFF_HEADER + 2);
    private static final short OFF_TYPE = (short) (OFF_HEADER + 3);
    private static final short OFF_PAYLOAD = (short) (OFF_HEADER + 4);
    private static final short OFF_URL = (short) (OFF_PAYLOAD + 1);

    private static final short CARD_ID_TEXT_LENGTH = (short) (Const.CARD_ID_LENGTH / 3 * 4);
    private static final short SIGNATURE_TEXT_LENGTH = (short) ((4 * Const.SIGNATURE_LENGTH + 2) / 3);
    private static final short SIGNED_TAIL_LENGTH = (short) (
            2 * Const.COUNTER_LENGTH + SIGNATURE_PARAMETER_LENGTH + SIGNATURE_TEXT_LENGTH);

    private final short[] session;
    private final CardData data;
    private final CardKey key;
    private final TapCounter counter;
    /** Transient. */
    private final byte[] file;

    TapMessage(short[] session, CardData data, CardKey key, TapCounter counter) {
        this.session = session;
        this.data = data;
        this.key = key;
        this.counter = counter;
        file = JCSystem.makeTransientByteArray(Const.NDEF_FILE_MAX, JCSystem.CLEAR_ON_DESELECT);
    }

    /** The bytes of the file, valid after open. */
    byte[] file() {
        return file;
    }

    /**
     * Length of the file that a read at offset gets a piece of. The first call in a selection commits the counter, signs
     * and freezes the message. Throws 6B00 for an offset beyond the file, before anything is committed; 6985 if this
     * selection has answered a challenge; 6581 if the memory took no number.
     */
    short open(short offset) {
        switch (session[Const.SESSION_USE]) {
            case Const.USE_MESSAGE:
                break;
            case Const.USE_CHALLENGE:
                ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
                break;
            default:
                if (!data.hasKey() || !data.hasTemplate()) {
                    return empty(offset);
                }
                freeze(offset);
        }
        return Type4Tag.within(offset, session[Const.SESSION_LENGTH]);
    }

    /** A card without a template serves a valid empty file, and freezes nothing. */
    private short empty(short offset) {
        Util.setShort(file, OFF_NLEN, (short) 0);
        return Type4Tag.within(offset, Const.NLEN_LENGTH);
    }

    private void freeze(short offset) {
        if (data.isChallengeOnly()) {
            freezeUnsigned(CHALLENGE_ONLY);
            return;
        }
        Type4Tag.within(offset, signedLength());
        if (counter.commit()) {
            freezeSigned();
        } else {
            freezeUnsigned(EXHAUSTED);
        }
    }

    private short signedLength() {
        return (short) (OFF_URL - Template.SCHEME_LENGTH + data.templateLength() + CARD_ID_TEXT_LENGTH + SIGNED_TAIL_LENGTH);
    }

    private void freezeUnsigned(byte[] tail) {
        short at = writeUrl();
        finish(Util.arrayCopyNonAtomic(tail, (short) 0, file, at, (short) tail.length));
    }

    /** Signs the counter just committed. Counter and signature are put where their text will end and expanded in place. */
    private void freezeSigned() {
        short at = writeUrl();
        short bytes = (short) (at + Const.COUNTER_LENGTH);
        counter.copyCommitted(file, bytes);
        at = Ascii.hex(file, bytes, Const.COUNTER_LENGTH, file, at);
        at = Util.arrayCopyNonAtomic(SIGNATURE_PARAMETER, (short) 0, file, at, SIGNATURE_PARAMETER_LENGTH);
        bytes = (short) (at + SIGNATURE_TEXT_LENGTH - Const.SIGNATURE_LENGTH);
        key.signTap(data.isLocked() ? Const.PURPOSE_TAP : Const.PURPOSE_REHEARSAL, counter, file, bytes);
        finish(Ascii.base64Url(file, bytes, Const.SIGNATURE_LENGTH, file, at));
    }

    /** Writes the URL up to its counter; returns the offset behind it. */
    private short writeUrl() {
        short at = data.copyPrefix(file, OFF_URL);
        // The card id is put where its text will end, as in freezeSigned.
        short bytes = (short) (at + CARD_ID_TEXT_LENGTH - Const.CARD_ID_LENGTH);
        key.copyId(file, bytes);
        at = Ascii.base64Url(file, bytes, Const.CARD_ID_LENGTH, file, at);
        return data.copyMiddle(file, at);
    }

    /** Writes what stands before the URL and freezes the file, which ends at end. */
    private void finish(short end) {
        Util.setShort(file, OFF_NLEN, (short) (end - Const.NLEN_LENGTH));
        file[OFF_HEADER] = Const.NDEF_HEADER;
        file[OFF_TYPE_LENGTH] = Const.NDEF_TYPE_LENGTH;
        file[OFF_PAYLOAD_LENGTH] = (byte) (end - OFF_PAYLOAD);
        file[OFF_TYPE] = Const.NDEF_TYPE_URI;
        file[OFF_PAYLOAD] = Const.URI_HTTPS;
        session[Const.SESSION_LENGTH] = end;
        session[Const.SESSION_USE] = Const.USE_MESSAGE;
    }
}
