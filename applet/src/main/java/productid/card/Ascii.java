package productid.card;

/** Bytes as URL text. Each function returns the offset behind what it wrote. */
final class Ascii {
    /** Base64url, RFC 4648 §5. */
    private static final byte[] BASE64URL = {
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
        'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
        'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
        'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_',
    };
    private static final byte[] HEX = {
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    };

    private Ascii() {
    }

    /** Upper-case hexadecimal, two characters a byte. */
    static short hex(byte[] in, short inOff, short length, byte[] out, short outOff) {
        for (short i = 0; i < length; i++) {
            byte b = in[(short) (inOff + i)];
            out[outOff++] = HEX[(short) ((b >> 4) & 0x0F)];
            out[outOff++] = HEX[(short) (b & 0x0F)];
        }
        return outOff;
    }

    /** Characters that base64Url makes of so many bytes: ⌈4·length/3⌉. */
    static short base64UrlLength(short length) {
        return (short) ((short) (4 * length + 2) / 3);
    }

    /**
     * Base64url without padding.
     *
     * May work in place when the bytes stand at the very end of the room for their text: writing, which starts that much
     * earlier, never overtakes reading. So a signature needs no second buffer.
     */
    static short base64Url(byte[] in, short inOff, short length, byte[] out, short outOff) {
        short waiting = 0;
        short bits = 0;
        for (short i = 0; i < length; i++) {
            waiting = (short) ((short) (waiting << 8) | (short) (in[(short) (inOff + i)] & 0xFF));
            bits += 8;
            while (bits >= 6) {
                bits -= 6;
                out[outOff++] = BASE64URL[(short) ((waiting >> bits) & 0x3F)];
            }
            waiting &= 0x000F;
        }
        if (bits > 0) {
            out[outOff++] = BASE64URL[(short) ((short) (waiting << (short) (6 - bits)) & 0x3F)];
        }
        return outOff;
    }
}
