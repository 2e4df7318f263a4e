package productid.tests;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files of the repository that more than one language reads. */
final class Repository {
    private static final Path ROOT = Path.of(System.getProperty("repository", ".."));

    private Repository() {
    }

    static Path path(String name) {
        return ROOT.resolve(name);
    }

    static JsonObject json(String name) throws IOException {
        return JsonParser.parseString(Files.readString(path(name))).getAsJsonObject();
    }
}
