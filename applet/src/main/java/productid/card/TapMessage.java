package productid.card;

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

    // The file: NLEN ‖ record header ‖ type length ‖ payload length, 1 or 4 bytes ‖ type ‖ identifier code ‖ rest of the URL.
    private static final short OFF_NLEN = (short) 0;
    private static final short OFF_HEADER = Const.NLEN_LENGTH;
    private static final short OFF_TYPE_LENGTH = (short) (OFF_HEADER + 1);
    private static final short OFF_PAYLOAD_LENGTH = (short) (OFF_HEADER + 2);
    /** Type and identifier code stand right before the URL; the payload starts with the second. */
    private static final short TYPE_BEFORE_URL = (short) 2;
    private static final short PAYLOAD_BEFORE_URL = (short) 1;
    private static final short OFF_URL = (short) (OFF_PAYLOAD_LENGTH + 1 + TYPE_BEFORE_URL);
    private static final short OFF_URL_LONG = (short) (OFF_PAYLOAD_LENGTH + 4 + TYPE_BEFORE_URL);

    private static final short CARD_ID_TEXT_LENGTH = (short) (Const.CARD_ID_LENGTH / 3 * 4);

    private final Session session;
    private final CardData data;
    private final CardKey key;
    private final TapCounter counter;

    TapMessage(Session session, CardData data, CardKey key, TapCounter counter) {
        this.session = session;
        this.data = data;
        this.key = key;
        this.counter = counter;
    }

    /**
     * Length of the file, in the session's buffer, that a read at offset gets a piece of. The first call in a selection
     * commits the counter, signs and freezes the message. Throws 6B00 for an offset beyond the file, before anything is
     * committed; 6985 if this selection has answered a challenge; 6581 if the memory took no number.
     */
    short open(short offset) {
        session.requireNoChallenge();
        if (!session.hasMessage()) {
            if (!data.hasKey() || !data.hasTemplate()) {
                return empty(offset);
            }
            freeze(offset);
        }
        return Type4Tag.within(offset, session.messageLength());
    }

    /** A card without a template serves a valid empty file, and freezes nothing. */
    private short empty(short offset) {
        Util.setShort(session.buffer(), OFF_NLEN, (short) 0);
        return Type4Tag.within(offset, Const.NLEN_LENGTH);
    }

    private void freeze(short offset) {
        if (data.isChallengeOnly()) {
            freezeUnsigned(CHALLENGE_ONLY);
            return;
        }
        short signatureLength = key.signatureLength();
        Type4Tag.within(offset, signedFileLength(signatureLength));
        if (counter.commit()) {
            freezeSigned(signatureLength);
        } else {
            freezeUnsigned(EXHAUSTED);
        }
    }

    private void freezeUnsigned(byte[] tail) {
        short at = writeUrl();
        finish(Util.arrayCopyNonAtomic(tail, (short) 0, session.buffer(), at, (short) tail.length));
    }

    /** Signs the counter just committed. Counter and signature are put where their text will end and expanded in place. */
    private void freezeSigned(short signatureLength) {
        byte[] file = session.buffer();
        short at = writeUrl();
        short bytes = (short) (at + Const.COUNTER_LENGTH);
        counter.copyCommitted(file, bytes);
        at = Ascii.hex(file, bytes, Const.COUNTER_LENGTH, file, at);
        at = Util.arrayCopyNonAtomic(SIGNATURE_PARAMETER, (short) 0, file, at, SIGNATURE_PARAMETER_LENGTH);
        bytes = (short) (at + Ascii.base64UrlLength(signatureLength) - signatureLength);
        key.signTap(data.isLocked() ? Const.PURPOSE_TAP : Const.PURPOSE_REHEARSAL, counter, file, bytes);
        finish(Ascii.base64Url(file, bytes, signatureLength, file, at));
    }

    /** Writes the URL up to its counter; returns the offset behind it. */
    private short writeUrl() {
        byte[] file = session.buffer();
        short at = data.copyPrefix(file, urlOffset());
        // The card id is put where its text will end, as in freezeSigned.
        short bytes = (short) (at + CARD_ID_TEXT_LENGTH - Const.CARD_ID_LENGTH);
        key.copyId(file, bytes);
        at = Ascii.base64Url(file, bytes, Const.CARD_ID_LENGTH, file, at);
        return data.copyMiddle(file, at);
    }

    /** Writes what stands before the URL and freezes the file, which ends at end. */
    private void finish(short end) {
        byte[] file = session.buffer();
        short url = urlOffset();
        short payloadLength = (short) (end - url + PAYLOAD_BEFORE_URL);
        Util.setShort(file, OFF_NLEN, (short) (end - Const.NLEN_LENGTH));
        file[OFF_TYPE_LENGTH] = Const.NDEF_TYPE_LENGTH;
        if (url == OFF_URL_LONG) {
            file[OFF_HEADER] = Const.NDEF_HEADER_LONG;
            Util.setShort(file, OFF_PAYLOAD_LENGTH, (short) 0);
            Util.setShort(file, (short) (OFF_PAYLOAD_LENGTH + 2), payloadLength);
        } else {
            file[OFF_HEADER] = Const.NDEF_HEADER;
            file[OFF_PAYLOAD_LENGTH] = (byte) payloadLength;
        }
        file[(short) (url - TYPE_BEFORE_URL)] = Const.NDEF_TYPE_URI;
        file[(short) (url - PAYLOAD_BEFORE_URL)] = Const.URI_HTTPS;
        session.freezeMessage(end);
    }

    private short signedFileLength(short signatureLength) {
        short url = (short) (data.templateLength() - Template.SCHEME_LENGTH + CARD_ID_TEXT_LENGTH + 2 * Const.COUNTER_LENGTH
                + SIGNATURE_PARAMETER_LENGTH + Ascii.base64UrlLength(signatureLength));
        return (short) (urlOffset() + url);
    }

    /** An RSA signature needs the long form of a record; a card has one form, whatever it serves. */
    private short urlOffset() {
        return data.algorithm() == Const.ALGORITHM_RSA_2048 ? OFF_URL_LONG : OFF_URL;
    }
}
