package productid.sim;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;

/**
 * A card's memory in a file that survives a kill at any time: it holds what the last {@link #save} was given, whole, or what
 * the save that was killed was given.
 *
 * <p>Saved beside the file as FILE.new, synced, put in its place by one rename, and the folder synced. FILE.lock keeps a
 * second process out, and stays behind. A file that is damaged, empty or none of ours is an error and is left as it is: it
 * is never taken for a new card.
 */
final class StateFile {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final byte[] HEADER = "productid virtual card, version 1\n".getBytes(StandardCharsets.US_ASCII);
    private static final int DIGEST_LENGTH = 32;

    private final Path file;
    /** Open, and so locked, until the process ends. */
    private final FileChannel lock;

    /** Takes the file for this process. Throws IOException with the reason in words, when another has it for one. */
    StateFile(Path file) throws IOException {
        this.file = file.toAbsolutePath();
        lock = FileChannel.open(beside(".lock"), Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), OWNER_ONLY);
        if (!isLocked()) {
            throw new IOException(file + " is in use by another virtual card");
        }
    }

    private boolean isLocked() throws IOException {
        try {
            return lock.tryLock() != null;
        } catch (OverlappingFileLockException ofThisProcess) {
            return false;
        }
    }

    /** What was saved last; empty where nothing ever was. */
    Optional<byte[]> load() throws IOException {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        byte[] bytes = Files.readAllBytes(file);
        int start = HEADER.length + DIGEST_LENGTH;
        if (bytes.length < start || !Arrays.equals(bytes, 0, HEADER.length, HEADER, 0, HEADER.length)) {
            throw new IOException(file + " is no card's memory, or the beginning of it is lost");
        }
        byte[] image = Arrays.copyOfRange(bytes, start, bytes.length);
        if (!Arrays.equals(digest(image), Arrays.copyOfRange(bytes, HEADER.length, start))) {
            throw new IOException(file + " is damaged: its checksum is wrong");
        }
        return Optional.of(image);
    }

    /** Durable on return. */
    void save(byte[] image) throws IOException {
        Path fresh = beside(".new");
        Files.deleteIfExists(fresh);
        try (FileChannel out = FileChannel.open(fresh, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNER_ONLY)) {
            for (byte[] part : new byte[][] {HEADER, digest(image), image}) {
                ByteBuffer bytes = ByteBuffer.wrap(part);
                while (bytes.hasRemaining()) {
                    out.write(bytes);
                }
            }
            out.force(true);
        }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel folder = FileChannel.open(file.getParent())) {
            folder.force(true);
        }
    }

    private Path beside(String suffix) {
        return file.resolveSibling(file.getFileName() + suffix);
    }

    private static byte[] digest(byte[] image) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(image);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
