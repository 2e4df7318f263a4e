package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** testdata/apdu: what each kind of reader sends gets it one message, which verifies, for one count. */
class ReadSequencesTest {
    @TestFactory
    Stream<DynamicTest> everyReaderGetsItsMessage() throws IOException {
        try (Stream<Path> files = Files.list(Repository.path("testdata/apdu"))) {
            List<Path> scripts = files.filter(file -> file.toString().endsWith(".apdu")).sorted().toList();
            assertFalse(scripts.isEmpty());
            return scripts.stream().flatMap(script -> Stream.of(TapUrl.P256, TapUrl.RSA_2048)
                    .map(algorithm -> DynamicTest.dynamicTest(script.getFileName() + ", algorithm " + algorithm, () -> run(script, algorithm))));
        }
    }

    private static void run(Path script, byte algorithm) throws IOException {
        Card card = Card.shared(algorithm, Card.Life.LOCKED);
        List<byte[]> messages = new Script(card).run(Files.readAllLines(script));
        assertFalse(messages.isEmpty());
        for (byte[] message : messages) {
            assertEquals("ok", card.classify(Card.url(message)));
        }
    }
}
