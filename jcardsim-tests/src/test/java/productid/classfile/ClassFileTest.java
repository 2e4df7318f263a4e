package productid.classfile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What only a converter or a card would say about the applet's classes, said without either. */
class ClassFileTest {
    private static final int CODE_MAX = 6 * 1024;
    /** The life cycle's state code is the one field that changes after installation. */
    private static final Set<String> STATE = Set.of("CardData.code");

    @Test
    void theAppletIsOneThatCardsTake() throws Exception {
        Set<String> faults = new TreeSet<>();
        int bytes = 0;
        for (Path file : applet()) {
            CardClass type = new CardClass(Files.readAllBytes(file), STATE);
            faults.addAll(type.faults());
            bytes += type.codeBytes();
        }
        System.out.println("applet code: " + bytes + " bytes");
        assertEquals(Set.of(), faults);
        assertTrue(bytes > 0 && bytes <= CODE_MAX, bytes + " bytes of code");
    }

    @Test
    void everyRuleFindsItsFault() throws IOException {
        Set<String> faults;
        try (InputStream in = NotForACard.class.getResourceAsStream("NotForACard.class")) {
            faults = new CardClass(in.readAllBytes(), Set.of()).faults();
        }
        for (String expected : List.of(
                "sumCompared: an intermediate int", "sumAsIndex: an intermediate int", "intLocal: a local variable of type int",
                "largeConstant: a constant that is no short", "allocates: an allocation", "text: a type", "text: a constant",
                "remembers: a field that changes and is no declared state: session", "changing: a static field", "table: a type",
                "<init>: an instruction", "time: a type", "tooNew: a member", "otherAlgorithm: an algorithm")) {
            assertTrue(faults.stream().anyMatch(fault -> fault.startsWith("NotForACard." + expected)), expected + " not in " + faults);
        }
        assertFalse(faults.stream().anyMatch(fault -> fault.contains("castIsFine")), faults::toString);
    }

    private static List<Path> applet() throws IOException, URISyntaxException, ClassNotFoundException {
        Class<?> type = Class.forName("productid.card.ProductIdApplet");
        Path folder = Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).resolve("productid/card");
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".class")).sorted().toList();
        }
    }
}
