package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** applet/PROTOCOL.md and Const.java say the same numbers. */
class ProtocolTest {
    private static final Pattern ROW = Pattern.compile("(?m)^\\| `([A-Z][A-Z0-9_]+)` \\| `(?:0x)?([0-9A-Fa-f]+)` ");

    @Test
    void everyNumberInTheProtocolIsThatOfTheApplet() throws Exception {
        Map<String, String> documented = documented();
        Map<String, String> compiled = compiled();
        assertFalse(documented.isEmpty());
        documented.forEach((name, value) -> assertEquals(compiled.get(name), value, name));
    }

    @Test
    void everyNumberOfTheAppletIsInTheProtocol() throws Exception {
        Map<String, String> documented = documented();
        compiled().forEach((name, value) -> assertEquals(value, documented.get(name), name));
    }

    private static Map<String, String> documented() throws IOException {
        Map<String, String> rows = new TreeMap<>();
        Matcher row = ROW.matcher(Files.readString(Repository.path("applet/PROTOCOL.md")));
        while (row.find()) {
            rows.put(row.group(1), normal(Integer.parseInt(row.group(2), 16)));
        }
        return rows;
    }

    private static Map<String, String> compiled() throws ReflectiveOperationException {
        Map<String, String> constants = new TreeMap<>();
        for (Field field : Class.forName("productid.card.Const").getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) && field.getType().isPrimitive()) {
                field.setAccessible(true);
                int mask = field.getType() == byte.class ? 0xFF : 0xFFFF;
                constants.put(field.getName(), normal(((Number) field.get(null)).intValue() & mask));
            }
        }
        return constants;
    }

    private static String normal(int value) {
        return "%x".formatted(value);
    }
}
