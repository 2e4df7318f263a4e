package productid.sim;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/** What went over the wire, in the line format of testdata/apdu: a trace can be replayed. */
final class Trace {
    private static final HexFormat HEX = HexFormat.of().withUpperCase();
    private final Writer out;

    /** Starts the file anew; without a file nothing is written. */
    Trace(Path file) throws IOException {
        out = file == null ? Writer.nullWriter() : Files.newBufferedWriter(file);
    }

    void activate() {
        line("activate");
    }

    void command(byte[] command) {
        line("> " + HEX.formatHex(command));
    }

    void answer(byte[] answer) {
        line("< " + HEX.formatHex(answer));
    }

    void note(String text) {
        line("# " + text);
    }

    private void line(String text) {
        try {
            out.write(text + "\n");
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
