package productid.sim;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import javacard.security.Key;

/**
 * Writes that an API method makes into persistent memory of the applet: a digest, a random generator or a key's getter into
 * an array, a setter into its key. Not atomic, undone by no transaction. What was written shows only afterwards, so
 * everything the method was given is compared with a copy, put back, and written again through {@link Memory}.
 */
final class ApiWrites {
    private final CardRuntime card;
    /** Arrays compare by identity. */
    private final Map<byte[], byte[]> before = new LinkedHashMap<>();
    private Key key;
    private KeyState keyBefore;

    ApiWrites(CardRuntime card) {
        this.card = card;
    }

    /** A call begins on this object. What one before it wrote and ended by an exception is written now. */
    void begin(Object receiver) {
        end();
        key = receiver instanceof Key k && card.isInstalled() && !KeyState.isTransient(k) ? k : null;
        keyBefore = key == null ? null : KeyState.of(key);
    }

    void argument(byte[] array) {
        if (array != null && card.isPersistent(array)) {
            before.put(array, array.clone());
        }
    }

    /** The call has ended, or the command in which it ended by an exception. */
    void end() {
        Map<byte[], byte[]> arrays = new LinkedHashMap<>(before);
        before.clear();
        Key written = key;
        key = null;
        if (written != null) {
            replay(written, keyBefore);
        }
        arrays.forEach(this::replay);
    }

    /** The power went; what is there is there. */
    void forget() {
        before.clear();
        key = null;
    }

    private void replay(Key written, KeyState old) {
        KeyState now = KeyState.of(written);
        KeyState changed = now.changedSince(old);
        if (!changed.isEmpty()) {
            old.restore();
            card.memory.key(now::restore, changed::garble);
        }
    }

    private void replay(byte[] array, byte[] old) {
        int from = Arrays.mismatch(array, old);
        if (from < 0) {
            return;
        }
        int to = array.length;
        while (array[to - 1] == old[to - 1]) {
            to--;
        }
        byte[] written = Arrays.copyOfRange(array, from, to);
        System.arraycopy(old, 0, array, 0, old.length);
        card.memory.nonAtomic(() -> System.arraycopy(written, 0, array, from, written.length),
                () -> Hooks.scramble(array, from, written.length));
    }
}
