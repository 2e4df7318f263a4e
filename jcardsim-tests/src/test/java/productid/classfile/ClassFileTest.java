package productid.classfile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import productid.tests.Applet;

/** What only a converter or a card would say about the applet's classes, said without either. */
class ClassFileTest {
    private static final int CODE_MAX = 6 * 1024;
    /** The life cycle's state code is the one field that changes after installation. */
    private static final Set<String> STATE = Set.of("CardData.code");

    @Test
    void theAppletIsOneThatCardsTake() {
        Set<String> faults = new TreeSet<>();
        for (byte[] file : Applet.classFiles()) {
            faults.addAll(new CardClass(file, STATE).faults());
        }
        assertEquals(Set.of(), faults);
    }

    @Test
    void itsCodeFitsItsBudget() {
        int bytes = Applet.classFiles().stream().mapToInt(file -> new CardClass(file, STATE).codeBytes()).sum();
        System.out.println("applet code: " + bytes + " bytes of " + CODE_MAX);
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
}
