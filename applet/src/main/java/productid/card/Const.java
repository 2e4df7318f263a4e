package productid.card;

/**
 * Every number of the applet that a standard, the protocol or more than one class names.
 *
 * Compile-time constants only: javac inlines them, so this class takes no room on a card. The words ISO 7816-4 gives to
 * status words and APDU offsets come from {@link javacard.framework.ISO7816}. PROTOCOL.md repeats the groups marked with a
 * star as tables; a test compares both with the constants of the Go client.
 */
final class Const {
    // * Version of the protocol and of this applet.
    static final byte VERSION_MAJOR = (byte) 0x01;
    static final byte VERSION_MINOR = (byte) 0x00;

    // * Class bytes, ISO 7816-4 §5.1.1. The two low bits are the logical channel, which the card's system routes.
    static final byte CLA_ISO = (byte) 0x00;
    static final byte CLA_PRODUCTID = (byte) 0x80;
    static final byte CLA_CHANNEL_MASK = (byte) 0x03;

    // * Instructions of a Type 4 Tag, ISO 7816-4 §7.1.1 and §7.2.3.
    static final byte INS_SELECT = (byte) 0xA4;
    static final byte INS_READ_BINARY = (byte) 0xB0;

    // * Our own instructions.
    static final byte INS_INFO = (byte) 0x01;
    static final byte INS_GET_CAPABILITIES = (byte) 0x02;
    static final byte INS_GENERATE_KEY = (byte) 0x10;
    static final byte INS_PUT_DATA = (byte) 0x20;
    static final byte INS_GET_DATA = (byte) 0x21;
    static final byte INS_CHALLENGE = (byte) 0x30;
    static final byte INS_LOCK = (byte) 0x40;

    // * Items of PUT DATA and GET DATA. A part answers the item's length, then bytes of it; a longer item takes several parts.
    static final byte ITEM_PREFIX = (byte) 0x01;
    static final byte ITEM_MIDDLE = (byte) 0x02;
    static final byte ITEM_PROFILE = (byte) 0x03;
    static final byte ITEM_KEY = (byte) 0x04;
    static final byte ITEM_SIGNATURE = (byte) 0x05;
    static final short PART_OFF_ITEM = (short) 0x0002;
    static final short PART_LENGTH = (short) 0x00F0;

    // * Algorithms: the byte in commands and signed bytes, and its bit in a mask.
    static final byte ALGORITHM_NONE = (byte) 0x00;
    static final byte ALGORITHM_P256 = (byte) 0x01;
    static final byte ALGORITHM_RSA_2048 = (byte) 0x02;
    static final byte ALGORITHM_BIT_P256 = (byte) 0x01;
    static final byte ALGORITHM_BIT_RSA_2048 = (byte) 0x02;
    static final byte ALGORITHM_BITS_ALL = (byte) 0x03;

    // * Life cycle, as INFO tells it.
    static final byte STATE_INSTALLED = (byte) 0x00;
    static final byte STATE_KEYED = (byte) 0x01;
    static final byte STATE_LOCKED = (byte) 0x02;
    static final byte STATE_UNKNOWN = (byte) 0xFF;

    // * Profile: flags ‖ MLe. The default MLe fills one ISO-DEP frame.
    static final byte PROFILE_CHALLENGE_ONLY = (byte) 0x01;
    static final short PROFILE_LENGTH = (short) 0x0003;
    static final short MLE_MIN = (short) 0x000F;
    static final short MLE_MAX = (short) 0x00F6;

    // * Install parameter (applet data): mask ‖ flags ‖ counterMax; it may end after any of them.
    static final byte INSTALL_CONTACT_ONLY = (byte) 0x01;
    static final short INSTALL_OFF_ALGORITHMS = (short) 0x0000;
    static final short INSTALL_OFF_FLAGS = (short) 0x0001;
    static final short INSTALL_OFF_COUNTER_MAX = (short) 0x0002;
    static final short INSTALL_LENGTH = (short) 0x0006;

    // * Answer of INFO.
    static final short INFO_OFF_VERSION = (short) 0x0000;
    static final short INFO_OFF_ALGORITHMS = (short) 0x0002;
    static final short INFO_OFF_STATE = (short) 0x0003;
    static final short INFO_OFF_ALGORITHM = (short) 0x0004;
    static final short INFO_OFF_PROFILE = (short) 0x0005;
    static final short INFO_OFF_CARD_ID = (short) 0x0008;
    static final short INFO_OFF_COUNTER = (short) 0x0014;
    static final short INFO_OFF_COUNTER_MAX = (short) 0x0018;
    static final short INFO_LENGTH = (short) 0x001C;

    // * Answer of GET CAPABILITIES.
    static final short CAPABILITIES_OFF_ASKED = (short) 0x0000;
    static final short CAPABILITIES_OFF_PRESENT = (short) 0x0001;
    static final short CAPABILITIES_OFF_FLAGS = (short) 0x0002;
    static final short CAPABILITIES_OFF_RESERVED = (short) 0x0003;
    static final short CAPABILITIES_LENGTH = (short) 0x0004;

    // * Signed bytes: "PIDT" ‖ version ‖ purpose ‖ algorithm ‖ card id ‖ counter ‖ tail.
    static final byte SIGNED_VERSION = (byte) 0x01;
    static final byte PURPOSE_TAP = (byte) 0x01;
    static final byte PURPOSE_CHALLENGE = (byte) 0x02;
    static final byte PURPOSE_REHEARSAL = (byte) 0x07;

    // * Lengths in bytes.
    static final short CARD_ID_LENGTH = (short) 0x000C;
    static final short COUNTER_LENGTH = (short) 0x0004;
    static final short KEY_LENGTH_P256 = (short) 0x0041;
    static final short KEY_LENGTH_RSA_2048 = (short) 0x0103;
    static final short SIGNATURE_LENGTH_P256 = (short) 0x0040;
    static final short SIGNATURE_LENGTH_RSA_2048 = (short) 0x0100;
    static final short NONCE_LENGTH_MIN = (short) 0x0010;
    static final short NONCE_LENGTH_MAX = (short) 0x0020;
    static final short CONTEXT_LENGTH_MAX = (short) 0x00C8;
    static final short TEMPLATE_LENGTH_MAX = (short) 0x0078;

    // * Files and parameters of a Type 4 Tag, T4T 2.0 §5.1, §5.4 and ISO 7816-4 tables 39, 40.
    static final short FILE_NONE = (short) 0x0000;
    static final short FILE_CC = (short) 0xE103;
    static final short FILE_NDEF = (short) 0xE104;
    static final short FILE_ID_LENGTH = (short) 0x0002;
    static final byte P1_SELECT_BY_FILE_ID = (byte) 0x00;
    static final byte P1_SELECT_BY_NAME = (byte) 0x04;
    static final byte P2_SELECT_FIRST_OR_ONLY = (byte) 0x00;
    static final byte P2_SELECT_NO_RESPONSE = (byte) 0x0C;
    static final byte P1_READ_SHORT_FILE_ID = (byte) 0x80;

    // * Capability container, T4T 2.0 §5.1. The longest file is NLEN and the longest message.
    static final byte CC_MAPPING_VERSION = (byte) 0x20;
    static final byte CC_NDEF_FILE_CONTROL_TAG = (byte) 0x04;
    static final byte CC_NDEF_FILE_CONTROL_LENGTH = (byte) 0x06;
    static final byte CC_READ_FREE = (byte) 0x00;
    static final byte CC_WRITE_NEVER = (byte) 0xFF;
    static final short CC_OFF_MLE = (short) 0x0003;
    static final short CC_OFF_NDEF_FILE_MAX = (short) 0x000B;
    static final short CC_LENGTH = (short) 0x000F;
    static final short NLEN_LENGTH = (short) 0x0002;
    static final short NDEF_FILE_MAX = (short) 0x00E8;
    static final short NDEF_FILE_MAX_RSA_2048 = (short) 0x01EB;

    // * NDEF record, NDEF 1.0 §3.2: MB, ME, well-known type "U", SR for a short one; RTD-URI 1.0 §3.2.2: 04 is "https://".
    static final byte NDEF_HEADER = (byte) 0xD1;
    static final byte NDEF_HEADER_LONG = (byte) 0xC1;
    static final byte NDEF_TYPE_LENGTH = (byte) 0x01;
    static final byte NDEF_TYPE_URI = (byte) 0x55;
    static final byte URI_HTTPS = (byte) 0x04;

    // * Status word that javacard.framework.ISO7816 lacks: ISO 7816-4 table 6, "memory failure".
    static final short SW_MEMORY_FAILURE = (short) 0x6581;

    private Const() {
    }
}
