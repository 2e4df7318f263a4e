package productid.sim;

import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Writes that an API method (a digest, a random generator, a key's getter) makes into a persistent array of the
 * applet: not atomic, undone by no transaction. Which argument is the destination shows only afterwards, so the
 * arrays are compared with copies and the write is then made again, through {@link Memory}.
 */
final class ApiWrites {
    private final CardRuntime card;
    private final Map<byte[], byte[]> before = new IdentityHashMap<>();

    ApiWrites(CardRuntime card) {
        this.card = card;
    }

    /** A call begins; what an earlier one left behind by an exception is forgotten. */
    void begin() {
        before.clear();
    }

    void argument(byte[] array) {
        if (array != null && card.isPersistent(array)) {
            before.put(array, array.clone());
        }
    }

    void end() {
        before.forEach(this::replay);
        before.clear();
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
