package productid.card;

import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/**
 * What lives for one selection: the file selected, and one buffer that holds the frozen message or the signature of the
 * challenge answered.
 *
 * The two exclude each other until the applet is selected again, so one buffer is enough, and neither can be read in the
 * place of the other. All of it is transient and cleared by the card's system when the applet is deselected: nothing of one
 * selection is there in the next, and no phone that comes near wears persistent memory.
 */
final class Session {
    private static final short FILE = (short) 0;
    private static final short USE = (short) 1;
    private static final short LENGTH = (short) 2;
    private static final short WORDS = (short) 3;

    private static final short USE_MESSAGE = (short) 1;
    private static final short USE_CHALLENGE = (short) 2;

    private final short[] words;
    private final byte[] buffer;

    /** The buffer has room for this many bytes. */
    Session(short room) {
        words = JCSystem.makeTransientShortArray(WORDS, JCSystem.CLEAR_ON_DESELECT);
        buffer = JCSystem.makeTransientByteArray(room, JCSystem.CLEAR_ON_DESELECT);
    }

    /** The file selected, or FILE_NONE. */
    short file() {
        return words[FILE];
    }

    void selectFile(short file) {
        words[FILE] = file;
    }

    /** The one buffer: a message is built and a signature is made in it before it is held. */
    byte[] buffer() {
        return buffer;
    }

    boolean hasMessage() {
        return words[USE] == USE_MESSAGE;
    }

    /** Throws 6985 if this selection froze a message. */
    void requireNoMessage() {
        requireNot(USE_MESSAGE);
    }

    /** Throws 6985 if this selection took up a challenge. */
    void requireNoChallenge() {
        requireNot(USE_CHALLENGE);
    }

    /** Freezes the first bytes of the buffer as this selection's message. */
    void freezeMessage(short length) {
        words[LENGTH] = length;
        words[USE] = USE_MESSAGE;
    }

    /** From here on this selection serves no message. Forgets the signature of an earlier challenge. */
    void takeUpChallenge() {
        words[LENGTH] = 0;
        words[USE] = USE_CHALLENGE;
    }

    /** Holds the first bytes of the buffer as the signature of the challenge taken up. */
    void holdSignature(short length) {
        words[LENGTH] = length;
    }

    /** Length of the frozen message. */
    short messageLength() {
        return words[LENGTH];
    }

    /** Copies the signature of the challenge answered; throws 6985 if this selection answered none. */
    short copySignature(byte[] out, short off) {
        if (words[USE] != USE_CHALLENGE || words[LENGTH] == 0) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
        return Util.arrayCopyNonAtomic(buffer, (short) 0, out, off, words[LENGTH]);
    }

    private void requireNot(short use) {
        if (words[USE] == use) {
            ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
        }
    }
}
