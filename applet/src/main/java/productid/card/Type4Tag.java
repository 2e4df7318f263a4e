package productid.card;

import javacard.framework.APDU;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/**
 * The NFC Forum Type 4 Tag that phones see: two read-only files, mapping version 2.0.
 *
 * Readers take nothing but 9000 for success and retry or give up on anything else, so a read past the end is cut silently
 * and what is wrong is refused before it has any effect. Which file is selected is session state: a field would be worn by
 * every phone that comes near.
 */
final class Type4Tag {
    private static final byte[] CAPABILITY_CONTAINER = {
        0x00, (byte) Const.CC_LENGTH,
        Const.CC_MAPPING_VERSION,
        0x00, (byte) Const.MLE_MAX,
        0x00, (byte) Const.MLE_MAX,
        Const.CC_NDEF_FILE_CONTROL_TAG, Const.CC_NDEF_FILE_CONTROL_LENGTH,
        (byte) (Const.FILE_NDEF >> 8), (byte) Const.FILE_NDEF,
        0x00, (byte) Const.NDEF_FILE_MAX,
        Const.CC_READ_FREE, Const.CC_WRITE_NEVER,
    };

    private final Session session;
    private final CardData data;
    private final TapMessage message;
    /** Transient: the capability container with the MLe of the profile and the file size of the key's algorithm. */
    private final byte[] container;

    Type4Tag(Session session, CardData data, TapMessage message) {
        this.session = session;
        this.data = data;
        this.message = message;
        container = JCSystem.makeTransientByteArray(Const.CC_LENGTH, JCSystem.CLEAR_ON_DESELECT);
    }

    /** SELECT by file identifier. A SELECT by name that arrives here named an application this card does not have. */
    void select(byte[] buffer, short length) {
        byte p1 = buffer[ISO7816.OFFSET_P1];
        byte p2 = buffer[ISO7816.OFFSET_P2];
        if (p1 == Const.P1_SELECT_BY_NAME) {
            ISOException.throwIt(ISO7816.SW_FILE_NOT_FOUND);
        }
        if (p1 != Const.P1_SELECT_BY_FILE_ID || (p2 != Const.P2_SELECT_NO_RESPONSE && p2 != Const.P2_SELECT_FIRST_OR_ONLY)) {
            ISOException.throwIt(ISO7816.SW_INCORRECT_P1P2);
        }
        if (length != Const.FILE_ID_LENGTH) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
        short file = Util.getShort(buffer, ISO7816.OFFSET_CDATA);
        if (file != Const.FILE_CC && file != Const.FILE_NDEF) {
            ISOException.throwIt(ISO7816.SW_FILE_NOT_FOUND);
        }
        session.selectFile(file);
    }

    /** READ BINARY of the selected file. */
    void read(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        if ((buffer[ISO7816.OFFSET_P1] & Const.P1_READ_SHORT_FILE_ID) != 0) {
            ISOException.throwIt(ISO7816.SW_INCORRECT_P1P2);
        }
        short offset = Util.getShort(buffer, ISO7816.OFFSET_P1);
        switch (session.file()) {
            case Const.FILE_CC:
                send(apdu, container, offset, openContainer(offset));
                break;
            case Const.FILE_NDEF:
                send(apdu, session.buffer(), offset, message.open(offset));
                break;
            default:
                ISOException.throwIt(ISO7816.SW_COMMAND_NOT_ALLOWED);
        }
    }

    /** Returns length if offset is in the file or right behind it, where a read gets no bytes; throws 6B00 else. */
    static short within(short offset, short length) {
        if (offset > length) {
            ISOException.throwIt(ISO7816.SW_WRONG_P1P2);
        }
        return length;
    }

    private short openContainer(short offset) {
        Util.arrayCopyNonAtomic(CAPABILITY_CONTAINER, (short) 0, container, (short) 0, Const.CC_LENGTH);
        Util.setShort(container, Const.CC_OFF_MLE, data.maxRead());
        if (data.algorithm() == Const.ALGORITHM_RSA_2048) {
            Util.setShort(container, Const.CC_OFF_NDEF_FILE_MAX, Const.NDEF_FILE_MAX_RSA_2048);
        }
        return within(offset, Const.CC_LENGTH);
    }

    private static void send(APDU apdu, byte[] file, short offset, short length) {
        short rest = (short) (length - offset);
        short le = apdu.setOutgoing();
        short sent = le < rest ? le : rest;
        apdu.setOutgoingLength(sent);
        apdu.sendBytesLong(file, offset, sent);
    }
}
