package productid.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** testdata/vectors/channel.json, line by line: written again from the seed, read, and refused with the class it names. */
class ChannelVectorsTest {
    @TestFactory
    Stream<DynamicTest> everyMessageIsWrittenAndRead() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (JsonObject channel : objects(vectors().getAsJsonArray("channels"))) {
            byte[] previous = new byte[32];
            for (JsonObject line : objects(channel.getAsJsonArray("messages"))) {
                byte[] before = previous;
                tests.add(DynamicTest.dynamicTest("mode " + channel.get("mode") + " message " + line.get("n"),
                        () -> message(channel, line, before)));
                previous = hex(line, "hash");
            }
        }
        return tests.stream();
    }

    private static void message(JsonObject channel, JsonObject line, byte[] previous) throws TapUrl.Refused {
        byte[] seed = hex(channel, "seed");
        byte[] id = Base64.getUrlDecoder().decode(channel.get("channel").getAsString());
        assertArrayEquals(id, Pidc1.channel(seed));
        long n = line.get("n").getAsLong();
        Pidc1.Place place = new Pidc1.Place(id, channel.get("mode").getAsInt(), n, previous);
        byte[] message = hex(line, "message");
        byte[] body = hex(line, "body");
        long start = keyStart(channel, n);
        boolean restricted = place.mode() == 1;
        byte[] key = restricted ? Pidc1.readKey(seed, start, n) : null;
        assertArrayEquals(hex(line, "readKey"), key);
        assertArrayEquals(message, Pidc1.write(seed, place, line.get("unixMs").getAsLong(), body, start, hex(line, "nonce")));
        assertArrayEquals(body, Pidc1.check(message, place, key));
        byte[] stub = Pidc1.stub(message);
        assertArrayEquals(hex(line, "hash"), TapUrl.sha256(stub));
        assertEquals(capability(channel, n, key), line.get("capability").getAsString());
        byte[] leaf = hex(line, "leaf");
        byte[] start13 = ByteBuffer.allocate(13).put("PIDL".getBytes(StandardCharsets.US_ASCII)).put((byte) 1)
                .putLong(ByteBuffer.wrap(leaf).getLong(5)).array();
        assertArrayEquals(Pidc1.concat(start13, stub), leaf);
    }

    @TestFactory
    Stream<DynamicTest> everyBadMessageHasItsClass() throws IOException {
        return objects(vectors().getAsJsonArray("channels")).stream()
                .flatMap(channel -> objects(channel.getAsJsonArray("bad")).stream())
                .map(line -> DynamicTest.dynamicTest("mode " + line.get("mode") + " " + line.get("name"),
                        () -> assertEquals(line.get("expect").getAsString(), failureClass(line))));
    }

    private static String failureClass(JsonObject line) {
        byte[] id = Base64.getUrlDecoder().decode(line.get("channel").getAsString());
        Pidc1.Place place = new Pidc1.Place(id, line.get("mode").getAsInt(), line.get("n").getAsLong(), hex(line, "prev"));
        try {
            Pidc1.check(hex(line, "message"), place, hex(line, "readKey"));
            return "ok";
        } catch (TapUrl.Refused e) {
            return e.getMessage();
        }
    }

    /** RFC 6962 §2.1: the roots over the first 0, 1, 2, … leaves, and the inclusion proofs under them. */
    @Test
    void everyRootAndInclusionProofHolds() throws IOException {
        JsonObject log = vectors().getAsJsonObject("log");
        List<byte[]> hashes = new ArrayList<>();
        for (JsonElement leaf : log.getAsJsonArray("leaves")) {
            hashes.add(TapUrl.sha256(Pidc1.concat(new byte[] {0}, HexFormat.of().parseHex(leaf.getAsString()))));
        }
        JsonArray roots = log.getAsJsonArray("roots");
        for (int size = 0; size < roots.size(); size++) {
            assertEquals(roots.get(size).getAsString(), HexFormat.of().formatHex(root(hashes.subList(0, size))));
        }
        for (JsonObject line : objects(log.getAsJsonArray("inclusion"))) {
            int size = line.get("size").getAsInt();
            List<String> proof = new ArrayList<>();
            path(line.get("index").getAsInt(), hashes.subList(0, size), proof);
            assertEquals(line.getAsJsonArray("proof").asList().stream().map(JsonElement::getAsString).toList(), proof);
        }
    }

    private static byte[] root(List<byte[]> leaves) {
        if (leaves.isEmpty()) {
            return TapUrl.sha256(new byte[0]);
        }
        if (leaves.size() == 1) {
            return leaves.get(0);
        }
        int split = Integer.highestOneBit(leaves.size() - 1);
        return TapUrl.sha256(Pidc1.concat(new byte[] {1}, root(leaves.subList(0, split)), root(leaves.subList(split, leaves.size()))));
    }

    private static void path(int index, List<byte[]> leaves, List<String> proof) {
        if (leaves.size() == 1) {
            return;
        }
        int split = Integer.highestOneBit(leaves.size() - 1);
        boolean left = index < split;
        List<byte[]> own = left ? leaves.subList(0, split) : leaves.subList(split, leaves.size());
        List<byte[]> other = left ? leaves.subList(split, leaves.size()) : leaves.subList(0, split);
        path(left ? index : index - split, own, proof);
        proof.add(HexFormat.of().formatHex(root(other)));
    }

    private static long keyStart(JsonObject channel, long n) {
        return channel.getAsJsonArray("rotatedAt").asList().stream().mapToLong(JsonElement::getAsLong)
                .filter(start -> start <= n).max().orElse(0);
    }

    private static String capability(JsonObject channel, long n, byte[] key) {
        String text = "pidc1:" + channel.get("channel").getAsString();
        return key == null ? text : text + ":" + n + ":" + Base64.getUrlEncoder().withoutPadding().encodeToString(key);
    }

    private static JsonObject vectors() throws IOException {
        return Repository.json("testdata/vectors/channel.json");
    }

    private static List<JsonObject> objects(JsonArray array) {
        return StreamSupport.stream(array.spliterator(), false).map(JsonElement::getAsJsonObject).toList();
    }

    private static byte[] hex(JsonObject line, String member) {
        return line.get(member).isJsonNull() ? null : HexFormat.of().parseHex(line.get(member).getAsString());
    }
}
