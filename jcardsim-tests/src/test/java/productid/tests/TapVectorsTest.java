package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** testdata/vectors/tap.json, line by line: the verifier of these tests sees what every other one sees. */
class TapVectorsTest {
    @TestFactory
    Stream<DynamicTest> everyTapHasItsClass() throws IOException {
        return lines("taps").map(line -> DynamicTest.dynamicTest(text(line, "name"), () ->
                assertEquals(text(line, "expect"), TapUrl.classify(text(line, "url"), line.get("alg").getAsByte(), hex(line, "key")))));
    }

    @TestFactory
    Stream<DynamicTest> everyChallengeVerifies() throws IOException {
        return lines("challenges").map(line -> DynamicTest.dynamicTest("counter " + line.get("counter"), () -> {
            byte algorithm = line.get("alg").getAsByte();
            byte[] tail = TapUrl.challengeTail(hex(line, "nonce"), hex(line, "context"));
            byte[] id = Base64.getUrlDecoder().decode(text(line, "cardId"));
            TapUrl answer = new TapUrl(id, line.get("counter").getAsLong(), hex(line, "signature"));
            assertArrayEquals(hex(line, "signed"), answer.signed(TapUrl.PURPOSE_CHALLENGE, algorithm, tail));
            answer.verify(TapUrl.PURPOSE_CHALLENGE, algorithm, hex(line, "key"), tail);
        }));
    }

    private static Stream<JsonObject> lines(String name) throws IOException {
        return StreamSupport.stream(Repository.json("testdata/vectors/tap.json").getAsJsonArray(name).spliterator(), false)
                .map(JsonElement::getAsJsonObject);
    }

    private static String text(JsonObject line, String member) {
        return line.get(member).getAsString();
    }

    private static byte[] hex(JsonObject line, String member) {
        return HexFormat.of().parseHex(text(line, member));
    }
}
