package productid.tests;

import java.util.List;
import java.util.Random;

/** Prefixes and middles of tap URLs, good ones and their bad neighbours. */
final class Texts {
    static final String GS1_PREFIX = "https://id.example.com/01/09506000134352/21/";
    static final String LONGEST_PREFIX = "https://tap.example.com/" + "p".repeat(90) + "?i=";
    /** A profile's flags and MLe, as characters of one byte. */
    static final String CHALLENGE_ONLY = "\u0001\u0000\u003b";
    private static final List<String> SCHEMES = List.of("https://", "https://", "https://", "https://", "http://", "HTTPS://", "https:/", "");
    private static final List<String> HOSTS = List.of("a.example", "tap.example.com", "x:8443", "a@b", "%41.b", "", "21", "a;b=c&d");
    private static final List<String> PATHS = List.of("", "", "/", "/t", "/21", "/01/09506000134352", "/%C3%a9", "/%4", "/a@b:c", "/21/21");
    private static final List<String> PARAMETERS = List.of("", "a=1&", "lang=en&", "ii=2&", "i=2&", "c&", "s&", "v=&", "%69=1&", "a%3d&",
            "a=?i=&", "=1&", "x=challenge&", "&", "i%3D=1&", "c?=1&");
    private static final List<String> PREFIX_ENDS = List.of("?i=", "?i=", "?i=", "/21/", "/21/", "/21", "i=", "?i", "?c=", "");
    private static final List<String> GOOD_PREFIXES = List.of(Card.PREFIX, GS1_PREFIX, "https://a.example/%5a%aF?lang=en&i=");
    /** First, last and next ones of each range of characters that a rule names. */
    private static final String NEIGHBOURS = "/09:@AFGZ[`afgz{";
    private static final String CHARACTERS = "/?#@%&=:;,.~!$'()*+-_[]\"<>^`{|}\\ aicsvknxAF0129\u0000\u007f\u0080\u00ff\n";

    private Texts() {
    }

    static String prefix(Random random) {
        return mutated(random, random.nextBoolean() ? pick(random, GOOD_PREFIXES) : assembled(random));
    }

    private static String assembled(Random random) {
        String end = pick(random, PREFIX_ENDS);
        String query = end.startsWith("?") && random.nextBoolean() ? "?" + parameters(random) + end.substring(1) : end;
        return pick(random, SCHEMES) + pick(random, HOSTS) + pick(random, PATHS) + query;
    }

    static String middle(Random random) {
        return mutated(random, (random.nextBoolean() ? "?" : "&") + parameters(random) + "c=");
    }

    /** Three bytes, as characters: flags and MLe. */
    static String profile(Random random) {
        int mle = random.nextInt(3) == 0 ? random.nextInt(0x10000) : pick(random, List.of(0x0E, 0x0F, 0x3B, 0xF6, 0xF6, 0xF7, 0x80F6));
        int flags = random.nextInt(8) == 0 ? 1 << random.nextInt(8) : random.nextInt(2);
        return "" + (char) flags + (char) (mle >> 8) + (char) (mle & 0xFF);
    }

    private static String parameters(Random random) {
        StringBuilder text = new StringBuilder();
        while (random.nextInt(3) == 0) {
            text.append(pick(random, PARAMETERS));
        }
        return text.toString();
    }

    private static String mutated(Random random, String text) {
        StringBuilder b = new StringBuilder(text);
        while (random.nextInt(3) == 0) {
            int at = random.nextInt(b.length() + 1);
            switch (random.nextInt(4)) {
                case 0 -> b.insert(at, character(random));
                case 1 -> b.delete(at, Math.min(b.length(), at + 1 + random.nextInt(2)));
                case 2 -> b.insert(at, "q".repeat(random.nextInt(140)));
                default -> b.replace(at, Math.min(b.length(), at + 1), String.valueOf(character(random)));
            }
        }
        return b.substring(0, Math.min(b.length(), 255));
    }

    private static char character(Random random) {
        String from = random.nextBoolean() ? NEIGHBOURS : CHARACTERS;
        return from.charAt(random.nextInt(from.length()));
    }

    static <T> T pick(Random random, List<T> from) {
        return from.get(random.nextInt(from.size()));
    }
}
