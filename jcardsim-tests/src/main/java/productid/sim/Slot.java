package productid.sim;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A card in its reader: keeps the card's memory in a file, writes the trace, and loses an answer when told to.
 *
 * <p>The memory is in the file, synced, before the answer leaves: whoever has an answer finds the card no older than it.
 */
final class Slot {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private final SimCard card;
    private final Path state;
    private final Trace trace;
    private long answersUntilLoss;
    private long savedWrites;

    /** Takes up the memory in the state file if there is one; a loss of 0 answers is none. */
    Slot(SimCard card, Path state, Trace trace, long lostAnswer) throws IOException {
        this.card = card;
        this.state = state;
        this.trace = trace;
        answersUntilLoss = lostAnswer;
        savedWrites = card.memory().writes();
        if (state != null && Files.exists(state)) {
            card.restore(Files.readAllBytes(state));
        } else {
            write();
        }
    }

    synchronized void activate() {
        trace.activate();
        card.powerUp();
    }

    /** The card's answer, or null when it was lost with the power. */
    synchronized byte[] exchange(byte[] command) throws IOException {
        trace.command(command);
        byte[] answer;
        try {
            answer = card.transmit(command);
        } catch (PowerLost e) {
            trace.note(e.getMessage());
            save();
            return null;
        }
        save();
        if (--answersUntilLoss == 0) {
            trace.note("answer lost");
            return null;
        }
        trace.answer(answer);
        return answer;
    }

    private void save() throws IOException {
        if (card.memory().writes() != savedWrites) {
            write();
            savedWrites = card.memory().writes();
        }
    }

    private void write() throws IOException {
        if (state == null) {
            return;
        }
        Path fresh = state.resolveSibling(state.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        Files.createFile(fresh, OWNER_ONLY);
        try (FileChannel file = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
            ByteBuffer image = ByteBuffer.wrap(card.image());
            while (image.hasRemaining()) {
                file.write(image);
            }
            file.force(true);
        }
        Files.move(fresh, state, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
