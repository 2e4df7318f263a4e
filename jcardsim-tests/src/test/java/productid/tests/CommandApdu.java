package productid.tests;

import java.util.Arrays;

/**
 * A short command of ISO 7816-4 §5.1 as a card must take it apart. Case 1 has neither data nor Le, case 2 Le, case 3 data,
 * case 4 both.
 *
 * @param le how many bytes the reader takes, 256 for Le 00; 0 without Le
 */
record CommandApdu(int cla, int ins, int p1, int p2, byte[] data, int le, boolean isCase2) {
    private static final int HEADER = 4;
    private static final int LE_OF_00 = 256;
    private static final int ROOM = 260;

    /** Null for what is no short command: too short, extended, or of another length than its Lc says. */
    static CommandApdu parse(byte[] raw) {
        if (raw.length < HEADER) {
            return null;
        }
        if (raw.length == HEADER) {
            return of(raw, 0, 0);
        }
        int p3 = raw[HEADER] & 0xFF;
        if (raw.length == HEADER + 1) {
            return of(raw, 0, le(p3));
        }
        int end = HEADER + 1 + p3;
        if (p3 == 0 || raw.length < end || raw.length > end + 1) {
            return null;
        }
        // The simulator's buffer has no room for the Le behind 255 bytes.
        return of(raw, p3, raw.length == end || end == ROOM ? 0 : le(raw[end] & 0xFF));
    }

    private static CommandApdu of(byte[] raw, int lc, int le) {
        byte[] data = lc == 0 ? new byte[0] : Arrays.copyOfRange(raw, HEADER + 1, HEADER + 1 + lc);
        return new CommandApdu(raw[0] & 0xFF, raw[1] & 0xFF, raw[2] & 0xFF, raw[3] & 0xFF, data, le, raw.length == HEADER + 1);
    }

    private static int le(int p3) {
        return p3 == 0 ? LE_OF_00 : p3;
    }

    /** True if the fifth byte, which is Le, would be an Lc to a card that asks for data: none of it comes. */
    boolean announcesDataAndBringsNone() {
        return isCase2 && le != LE_OF_00;
    }
}
