package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Runs a read sequence of testdata/apdu; its README is the format. */
final class Script {
    private final Card card;
    private final long countBefore;
    private final List<String> messages = new ArrayList<>();
    private String answer = "";
    private int nlen;

    Script(Card card) {
        this.card = card;
        card.powerUpAndSelect();
        countBefore = card.counter();
        card.sim.powerUp();
    }

    /** The messages that were read, each checked to be what the script expects. */
    List<byte[]> run(List<String> lines) {
        assertTrue(lines.get(lines.size() - 1).startsWith("expect counts "), "a script ends with its count");
        for (String line : lines) {
            if (!line.isBlank() && !line.startsWith("#")) {
                step(line);
            }
        }
        return messages.stream().map(HexFormat.of()::parseHex).toList();
    }

    private void step(String line) {
        String[] words = line.split(" ");
        switch (words[0]) {
            case "activate" -> card.sim.powerUp();
            case ">" -> answer = card.send(words[1]);
            case "<" -> match(line.substring(2));
            case "read" -> messages.add(words.length == 2 ? read(Integer.parseInt(words[1])) : overrun(Integer.parseInt(words[1])));
            case "expect" -> expect(line.substring(7));
            default -> fail("no such line: " + line);
        }
    }

    private void match(String pattern) {
        String regex = pattern.toLowerCase(Locale.ROOT).replace(" ", "").replace("{nlen}", "(?<nlen>....)")
                .replace("{cc}", ".{30}").replace("{data}", "(..)*");
        Matcher matcher = Pattern.compile(regex).matcher(answer);
        assertTrue(matcher.matches(), () -> answer + " is not " + pattern);
        if (pattern.contains("{nlen}")) {
            nlen = Integer.parseInt(matcher.group("nlen"), 16);
        }
    }

    private String read(int chunk) {
        StringBuilder data = new StringBuilder();
        for (int at = 0; at < nlen; at += chunk) {
            int le = Math.min(chunk, nlen - at);
            String piece = binary(at + 2, le);
            assertEquals(2 * le, piece.length());
            data.append(piece);
        }
        return data.toString();
    }

    private String overrun(int chunk) {
        StringBuilder data = new StringBuilder();
        while (data.length() < 2 * (nlen + 2)) {
            String piece = binary(data.length() / 2, chunk);
            boolean last = data.length() + piece.length() >= 2 * (nlen + 2);
            assertTrue(last || piece.length() == 2 * chunk, "a short answer before the end");
            data.append(piece);
        }
        assertEquals("%04x".formatted(nlen), data.substring(0, 4));
        assertEquals(2 * (nlen + 2), data.length(), "the file ends where NLEN says");
        return data.substring(4);
    }

    private String binary(int offset, int le) {
        return card.ok("00B0%04x%02x".formatted(offset, le));
    }

    private void expect(String what) {
        String last = messages.isEmpty() ? "" : messages.get(messages.size() - 1);
        switch (what) {
            case "same message" -> assertEquals(1, messages.stream().distinct().count());
            case "new message" -> assertFalse(messages.subList(0, messages.size() - 1).contains(last));
            default -> {
                card.powerUpAndSelect();
                assertEquals(what, "counts " + (card.counter() - countBefore));
            }
        }
    }
}
