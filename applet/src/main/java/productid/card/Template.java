package productid.card;

/**
 * The rules for the fixed parts of a tap URL: prefix ‖ card id ‖ middle ‖ counter ‖ "&s=" ‖ signature.
 *
 * After LOCK nobody can mend a template, so the card refuses one whose URLs no verifier would accept or that could point a
 * phone elsewhere than the station meant: another scheme, userinfo, an encoded host, a fragment, a character outside
 * RFC 3986, or a second parameter with a name of ours. A parameter name that begins with a percent sign is refused too: it
 * might spell such a name.
 */
final class Template {
    private static final byte[] SCHEME = {'h', 't', 't', 'p', 's', ':', '/', '/'};
    private static final byte[] GS1_SERIAL = {'/', '2', '1', '/'};
    /** Unreserved, sub-delims and gen-delims that are no letters or digits, without '#', '[' and ']'; RFC 3986 §2. */
    private static final byte[] PUNCTUATION = {
        '-', '.', '_', '~', ':', '/', '?', '@', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=',
    };
    /** Parameter names that belong to tap URLs, now or later. */
    private static final byte[] RESERVED_NAMES = {'i', 'c', 's', 'v', 'k', 'n', 'x'};
    /** A parameter of ours as it ends a prefix or middle: its separator, its name, '='. */
    private static final short OWN_PARAMETER_LENGTH = (short) 3;

    /** NDEF says "https://" by its identifier code: the message carries the prefix from here on. */
    static final short SCHEME_LENGTH = (short) 8;

    private Template() {
    }

    /** True for https://AUTHORITY… that ends with parameter i, or with GS1's /21/ in the path and without a query. */
    static boolean isPrefix(byte[] b, short off, short length) {
        short end = (short) (off + length);
        short authority = (short) (off + SCHEME_LENGTH);
        if (!startsWith(b, off, end, SCHEME) || !hasHost(b, authority, end)) {
            return false;
        }
        short query = find((byte) '?', b, authority, end);
        if (query == end) {
            short serial = (short) (end - GS1_SERIAL.length);
            return serial > authority && startsWith(b, serial, end, GS1_SERIAL) && isClean(b, authority, end, query);
        }
        short own = (short) (end - OWN_PARAMETER_LENGTH);
        return own >= query && endsWithParameter((byte) 'i', b, own, query) && isClean(b, authority, (short) (own + 1), query);
    }

    /** True for ?…c= or &…c=, the first character deciding which prefix it goes with. */
    static boolean isMiddle(byte[] b, short off, short length) {
        short end = (short) (off + length);
        short own = (short) (end - OWN_PARAMETER_LENGTH);
        return own >= off && (b[off] == '?' || b[off] == '&')
                && endsWithParameter((byte) 'c', b, own, off) && isClean(b, off, (short) (own + 1), off);
    }

    /** True if the two, each good by itself, make one URL: the query starts in exactly one of them. */
    static boolean fit(byte prefixLast, byte middleFirst) {
        return (prefixLast == '=') == (middleFirst == '&');
    }

    /** True if the separator, name and '=' at own are a parameter of the query that starts at query. */
    private static boolean endsWithParameter(byte name, byte[] b, short own, short query) {
        return (own == query || b[own] == '&') && b[(short) (own + 1)] == name && b[(short) (own + 2)] == '=';
    }

    /** True if there is a host, without userinfo before it or a percent sign in it. */
    private static boolean hasHost(byte[] b, short off, short end) {
        short i = off;
        while (i < end && b[i] != '/' && b[i] != '?') {
            if (b[i] == '@' || b[i] == '%') {
                return false;
            }
            i++;
        }
        return i > off;
    }

    /** True if b[off, end) is RFC 3986 text and no parameter of the query, which starts at query, has a name of ours. */
    private static boolean isClean(byte[] b, short off, short end, short query) {
        for (short i = off; i < end; i++) {
            boolean isSeparator = i == query || (i > query && b[i] == '&');
            if (!isAllowed(b, i, end) || (isSeparator && hasReservedName(b, (short) (i + 1), end))) {
                return false;
            }
        }
        return true;
    }

    /** True if a URL may have the character at i; a percent sign needs two hexadecimal digits behind it. */
    private static boolean isAllowed(byte[] b, short i, short end) {
        if (b[i] == '%') {
            return (short) (end - i) > 2 && isHexDigit(b[(short) (i + 1)]) && isHexDigit(b[(short) (i + 2)]);
        }
        return isLetterOrDigit(b[i]) || contains(PUNCTUATION, b[i]);
    }

    private static boolean hasReservedName(byte[] b, short off, short end) {
        if (off == end) {
            return false;
        }
        if (b[off] == '%') {
            return true;
        }
        short next = (short) (off + 1);
        boolean isOneLetter = next == end || b[next] == '=' || b[next] == '&';
        return isOneLetter && contains(RESERVED_NAMES, b[off]);
    }

    private static boolean startsWith(byte[] b, short off, short end, byte[] text) {
        if (off < 0 || (short) (end - off) < text.length) {
            return false;
        }
        for (short i = 0; i < text.length; i++) {
            if (b[(short) (off + i)] != text[i]) {
                return false;
            }
        }
        return true;
    }

    private static boolean contains(byte[] set, byte c) {
        return find(c, set, (short) 0, (short) set.length) < set.length;
    }

    /** Offset of the first c in b[off, end), or end. */
    private static short find(byte c, byte[] b, short off, short end) {
        short i = off;
        while (i < end && b[i] != c) {
            i++;
        }
        return i;
    }

    private static boolean isLetterOrDigit(byte c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    }

    private static boolean isHexDigit(byte c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
    }
}
