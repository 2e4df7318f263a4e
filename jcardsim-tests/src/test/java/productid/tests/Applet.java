package productid.tests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The applet's class files, those that the virtual cards load. */
public final class Applet {
    private static final String PACKAGE = "productid.card";

    private Applet() {
    }

    /** The bytes of each class file. */
    public static List<byte[]> classFiles() {
        try (Stream<Path> files = Files.list(folder())) {
            return files.filter(file -> file.toString().endsWith(".class")).sorted().map(Applet::read).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Another text for another applet. */
    static String digest() {
        StringBuilder digests = new StringBuilder();
        classFiles().forEach(file -> digests.append(Card.hex(TapUrl.sha256(file))));
        return digests.toString();
    }

    private static Path folder() {
        try {
            Class<?> type = Class.forName(PACKAGE + ".ProductIdApplet");
            return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).resolve(PACKAGE.replace('.', '/'));
        } catch (ClassNotFoundException | URISyntaxException e) {
            throw new IllegalStateException("the applet is not compiled, run: make applet", e);
        }
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
