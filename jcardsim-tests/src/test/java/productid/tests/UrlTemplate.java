package productid.tests;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/** What PROTOCOL.md lets be a prefix or middle of a tap URL, said once more and in other words than the applet's. */
final class UrlTemplate {
    private static final String CHARACTER = "(?:[A-Za-z0-9\\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})";
    private static final String HOST = "(?:(?![/?@%])" + CHARACTER + ")+";
    /** A parameter that is neither named with one of our letters nor begins with a percent sign; it may be empty. */
    private static final String PARAMETER = "(?!%|[icsvknx](?:=|&|$))(?:(?!&)" + CHARACTER + ")*";
    private static final String PATH = "(?:/(?:(?!\\?)" + CHARACTER + ")*)?";
    private static final Pattern PREFIX_WITH_QUERY =
            Pattern.compile("https://" + HOST + PATH + "\\?(?:" + PARAMETER + "&)*i=");
    private static final Pattern PREFIX_OF_GS1 = Pattern.compile("https://" + HOST + "(?:/(?:(?!\\?)" + CHARACTER + ")*)?/21/");
    private static final Pattern MIDDLE = Pattern.compile("[?&](?:" + PARAMETER + "&)*c=");
    private static final int MAX = 120;

    private UrlTemplate() {
    }

    static boolean isPrefix(byte[] value) {
        String text = text(value);
        return PREFIX_WITH_QUERY.matcher(text).matches() || PREFIX_OF_GS1.matcher(text).matches();
    }

    static boolean isMiddle(byte[] value) {
        return MIDDLE.matcher(text(value)).matches();
    }

    /** True for two that are there and make one URL. */
    static boolean fit(byte[] prefix, byte[] middle) {
        return prefix.length > 0 && middle.length > 0 && prefix.length + middle.length <= MAX
                && (prefix[prefix.length - 1] == '=') == (middle[0] == '&');
    }

    private static String text(byte[] value) {
        return new String(value, StandardCharsets.ISO_8859_1);
    }
}
