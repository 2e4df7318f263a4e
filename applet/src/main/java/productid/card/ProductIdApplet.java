package productid.card;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Util;

/**
 * A card that makes its own key, pretends to be an NFC tag, and at each tap counts up and signs the count.
 *
 * This class checks and dispatches; each of the others has one job and one lifetime of memory:
 * CardData, CardKey and TapCounter hold what survives loss of power, TapMessage and Type4Tag what lives for one selection,
 * Template and Ascii nothing. All objects are made in the constructor, because a card has little memory and gives none
 * back: an install either fits or fails, and no command runs out of memory later. Nothing of a session is kept in fields:
 * they are persistent memory, which wears and outlives the session.
 *
 * INSTALLED → KEYED → LOCKED, one way. After LOCK no command changes anything but the counter. PROTOCOL.md is the
 * reference of all commands.
 */
public final class ProductIdApplet extends Applet {
    private final Session session;
    private final CardData data;
    private final CardKey key;
    private final TapCounter counter;
    private final Type4Tag tag;
    private final byte algorithmsAsked;
    private final byte installFlags;

    /** The card's system calls this with length ‖ instance AID ‖ length ‖ control information ‖ length ‖ our parameter. */
    public static void install(byte[] bArray, short bOffset, byte bLength) {
        short control = (short) (bOffset + 1 + bArray[bOffset]);
        short parameter = (short) (control + 1 + bArray[control]);
        ProductIdApplet applet = new ProductIdApplet(bArray, (short) (parameter + 1), bArray[parameter]);
        applet.register(bArray, (short) (bOffset + 1), bArray[bOffset]);
    }

    private ProductIdApplet(byte[] parameter, short off, short length) {
        if (length < 0 || length > Const.INSTALL_LENGTH
                || (length > Const.INSTALL_OFF_COUNTER_MAX && length != Const.INSTALL_LENGTH)) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
        algorithmsAsked = length > Const.INSTALL_OFF_ALGORITHMS
                ? parameter[(short) (off + Const.INSTALL_OFF_ALGORITHMS)] : Const.ALGORITHM_BITS_ALL;
        installFlags = length > Const.INSTALL_OFF_FLAGS ? parameter[(short) (off + Const.INSTALL_OFF_FLAGS)] : 0;
        data = new CardData();
        key = new CardKey(algorithmsAsked, data);
        session = new Session((key.algorithmsPresent() & Const.ALGORITHM_BIT_RSA_2048) != 0
                ? Const.NDEF_FILE_MAX_RSA_2048 : (short) (Const.NDEF_FILE_MAX + EcPair.ROOM_BEHIND_SIGNATURE));
        counter = length > Const.INSTALL_OFF_COUNTER_MAX
                ? new TapCounter(parameter, (short) (off + Const.INSTALL_OFF_COUNTER_MAX))
                : new TapCounter(TapCounter.DEFAULT_MAXIMUM, (short) 0);
        tag = new Type4Tag(session, data, new TapMessage(session, data, key, counter));
    }

    /** All commands come here, the SELECT of this applet too, which needs no answer but 9000. */
    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        switch ((byte) (apdu.getBuffer()[ISO7816.OFFSET_CLA] & (byte) ~Const.CLA_CHANNEL_MASK)) {
            case Const.CLA_ISO:
                processTag(apdu);
                break;
            case Const.CLA_PRODUCTID:
                processCommand(apdu);
                break;
            default:
                ISOException.throwIt(ISO7816.SW_CLA_NOT_SUPPORTED);
        }
    }

    private void processTag(APDU apdu) {
        switch (apdu.getBuffer()[ISO7816.OFFSET_INS]) {
            case Const.INS_SELECT:
                tag.select(apdu.getBuffer(), receive(apdu));
                break;
            case Const.INS_READ_BINARY:
                tag.read(apdu);
                break;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    private void processCommand(APDU apdu) {
        switch (apdu.getBuffer()[ISO7816.OFFSET_INS]) {
            case Const.INS_INFO:
                info(apdu);
                break;
            case Const.INS_GET_CAPABILITIES:
                getCapabilities(apdu);
                break;
            case Const.INS_GENERATE_KEY:
                generateKey(apdu);
                break;
            case Const.INS_PUT_DATA:
                putData(apdu);
                break;
            case Const.INS_GET_DATA:
                getData(apdu);
                break;
            case Const.INS_CHALLENGE:
                challenge(apdu);
                break;
            case Const.INS_LOCK:
                lock(apdu);
                break;
            default:
                ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    private void info(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        requireZero(buffer[ISO7816.OFFSET_P1]);
        requireZero(buffer[ISO7816.OFFSET_P2]);
        Util.arrayFillNonAtomic(buffer, (short) 0, Const.INFO_LENGTH, (byte) 0x00);
        buffer[Const.INFO_OFF_VERSION] = Const.VERSION_MAJOR;
        buffer[(short) (Const.INFO_OFF_VERSION + 1)] = Const.VERSION_MINOR;
        buffer[Const.INFO_OFF_ALGORITHMS] = key.algorithmsPresent();
        buffer[Const.INFO_OFF_STATE] = data.state();
        data.copyProfile(buffer, Const.INFO_OFF_PROFILE);
        if (data.hasKey()) {
            buffer[Const.INFO_OFF_ALGORITHM] = data.algorithm();
            key.copyId(buffer, Const.INFO_OFF_CARD_ID);
            counter.copyLast(buffer, Const.INFO_OFF_COUNTER);
        }
        counter.copyMaximum(buffer, Const.INFO_OFF_COUNTER_MAX);
        apdu.setOutgoingAndSend((short) 0, Const.INFO_LENGTH);
    }

    private void getCapabilities(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        requireZero(buffer[ISO7816.OFFSET_P1]);
        requireZero(buffer[ISO7816.OFFSET_P2]);
        buffer[Const.CAPABILITIES_OFF_ASKED] = algorithmsAsked;
        buffer[Const.CAPABILITIES_OFF_PRESENT] = key.algorithmsPresent();
        buffer[Const.CAPABILITIES_OFF_FLAGS] = installFlags;
        buffer[Const.CAPABILITIES_OFF_RESERVED] = 0;
        apdu.setOutgoingAndSend((short) 0, Const.CAPABILITIES_LENGTH);
    }

    /** The state is written last: power lost before it leaves an INSTALLED card, whose half-made key nobody has seen. */
    private void generateKey(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        byte algorithm = buffer[ISO7816.OFFSET_P1];
        requireZero(buffer[ISO7816.OFFSET_P2]);
        requireConfigurable(Const.STATE_INSTALLED);
        if (!key.generate(algorithm, buffer)) {
            ISOException.throwIt(ISO7816.SW_FUNC_NOT_SUPPORTED);
        }
        counter.start();
        data.setKeyed(algorithm);
        key.copyId(buffer, (short) 0);
        apdu.setOutgoingAndSend((short) 0, Const.CARD_ID_LENGTH);
    }

    private void putData(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        requireZero(buffer[ISO7816.OFFSET_P1]);
        byte item = buffer[ISO7816.OFFSET_P2];
        requireConfigurable(Const.STATE_KEYED);
        data.putItem(item, buffer, receive(apdu));
    }

    /** Length of the item ‖ one part of it. On the way the buffer holds the whole item. */
    private void getData(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        short part = (short) (buffer[ISO7816.OFFSET_P1] & 0xFF);
        short length = copyItem(buffer[ISO7816.OFFSET_P2], buffer);
        if (part > (short) ((short) (length - 1) / Const.PART_LENGTH)) {
            ISOException.throwIt(ISO7816.SW_WRONG_P1P2);
        }
        short from = (short) (part * Const.PART_LENGTH);
        short rest = (short) (length - from);
        short sent = rest < Const.PART_LENGTH ? rest : Const.PART_LENGTH;
        Util.arrayCopyNonAtomic(buffer, from, buffer, Const.PART_OFF_ITEM, sent);
        Util.setShort(buffer, (short) 0, length);
        apdu.setOutgoingAndSend((short) 0, (short) (Const.PART_OFF_ITEM + sent));
    }

    /** Copies an item to the start; returns its length. Throws 6985 if it is absent, 6A86 if there is no such item. */
    private short copyItem(byte item, byte[] out) {
        switch (item) {
            case Const.ITEM_KEY:
                return key.copyPublic(out);
            case Const.ITEM_SIGNATURE:
                return session.copySignature(out, (short) 0);
            default:
                return data.copyItem(item, out, (short) 0);
        }
    }

    /**
     * Commits first, signs then: see TapCounter. The signature is held for GET DATA; a short one comes with the answer too.
     */
    private void challenge(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        requireZero(buffer[ISO7816.OFFSET_P1]);
        requireZero(buffer[ISO7816.OFFSET_P2]);
        if (!data.hasKey()) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        session.requireNoMessage();
        short length = receive(apdu);
        checkChallenge(buffer, length);
        if (!counter.commit()) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        session.takeUpChallenge();
        key.signChallenge(counter, buffer, ISO7816.OFFSET_CDATA, length, session.buffer(), (short) 0);
        session.holdSignature(key.signatureLength());
        short end = counter.copyCommitted(buffer, (short) 0);
        if (data.algorithm() == Const.ALGORITHM_P256) {
            end = session.copySignature(buffer, end);
        }
        apdu.setOutgoingAndSend((short) 0, end);
    }

    /** Throws 6A80 for a nonce too short or too long, 6700 if the data does not hold it or the context is too long. */
    private static void checkChallenge(byte[] buffer, short length) {
        if (length == 0) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
        short nonceLength = (short) (buffer[ISO7816.OFFSET_CDATA] & 0xFF);
        if (nonceLength < Const.NONCE_LENGTH_MIN || nonceLength > Const.NONCE_LENGTH_MAX) {
            ISOException.throwIt(ISO7816.SW_WRONG_DATA);
        }
        short contextLength = (short) (length - 1 - nonceLength);
        if (contextLength < 0 || contextLength > Const.CONTEXT_LENGTH_MAX) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
    }

    /** The host names the card it means: a lock cannot be undone, and two cards may lie on one reader. */
    private void lock(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        requireZero(buffer[ISO7816.OFFSET_P1]);
        requireZero(buffer[ISO7816.OFFSET_P2]);
        requireConfigurable(Const.STATE_KEYED);
        if (receive(apdu) != Const.CARD_ID_LENGTH) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
        if (!key.isId(buffer, ISO7816.OFFSET_CDATA)) {
            ISOException.throwIt(ISO7816.SW_WRONG_DATA);
        }
        data.setLocked();
    }

    /** Throws 6985 in another state, 6982 over the air if configuration was confined to the contacts at install. */
    private void requireConfigurable(byte state) {
        data.require(state);
        if ((installFlags & Const.INSTALL_CONTACT_ONLY) != 0 && !isContact()) {
            ISOException.throwIt(ISO7816.SW_SECURITY_STATUS_NOT_SATISFIED);
        }
    }

    private static boolean isContact() {
        byte media = (byte) (APDU.getProtocol() & APDU.PROTOCOL_MEDIA_MASK);
        return media == APDU.PROTOCOL_MEDIA_DEFAULT || media == APDU.PROTOCOL_MEDIA_USB;
    }

    private static void requireZero(byte parameter) {
        if (parameter != 0) {
            ISOException.throwIt(ISO7816.SW_INCORRECT_P1P2);
        }
    }

    /** Receives all data of the command into the APDU buffer, however the reader cut it; returns its length. */
    private static short receive(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        short length = (short) (buffer[ISO7816.OFFSET_LC] & 0xFF);
        if (length > (short) (buffer.length - ISO7816.OFFSET_CDATA)) {
            ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
        }
        short received = apdu.setIncomingAndReceive();
        while (received < length) {
            short more = apdu.receiveBytes((short) (ISO7816.OFFSET_CDATA + received));
            if (more <= 0) {
                ISOException.throwIt(ISO7816.SW_WRONG_LENGTH);
            }
            received += more;
        }
        return received;
    }
}
