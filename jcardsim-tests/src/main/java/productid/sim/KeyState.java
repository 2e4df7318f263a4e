package productid.sim;

import com.licel.jcardsim.crypto.ByteContainer;
import com.licel.jcardsim.crypto.KeyImpl;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javacard.security.Key;

/**
 * What key objects hold at one moment: every number of each key, with the flags beside them. Can be put back, or into other
 * keys of the same types, wholly or in part.
 */
public final class KeyState {
    private static final Field DATA = field(ByteContainer.class, "data");
    private static final Field LENGTH = field(ByteContainer.class, "length");
    private static final Field MEMORY = field(ByteContainer.class, "memoryType");

    private final List<Part> parts = new ArrayList<>();

    /** A field of a key: a number as bytes, or a flag. */
    private record Part(KeyImpl key, Field field, Object value) {
        boolean isNumber() {
            return field.getType() == ByteContainer.class;
        }

        boolean sameAs(Part other) {
            return isNumber() ? Arrays.equals((byte[]) value, (byte[]) other.value) : value.equals(other.value);
        }

        void put(KeyImpl into, Object what) {
            if (!isNumber()) {
                set(field, into, what);
                return;
            }
            ByteContainer number = (ByteContainer) get(field, into);
            byte[] bytes = (byte[]) what;
            set(DATA, number, bytes == null ? null : bytes.clone());
            set(LENGTH, number, (short) (bytes == null ? 0 : bytes.length));
        }
    }

    private KeyState() {
    }

    /** The keys as they are now. */
    public static KeyState of(Key... keys) {
        KeyState state = new KeyState();
        for (Key key : keys) {
            for (Field field : fields(key.getClass())) {
                Object value = get(field, key);
                state.parts.add(new Part((KeyImpl) key, field, value instanceof ByteContainer number ? bytes(number) : value));
            }
        }
        return state;
    }

    /** Whether the key forgets itself without power, or when another applet is selected. */
    static boolean isTransient(Key key) {
        return fields(key.getClass()).stream().map(field -> get(field, key))
                .anyMatch(value -> value instanceof ByteContainer number && (byte) get(MEMORY, number) != 0);
    }

    /** Puts everything back. */
    public void restore() {
        parts.forEach(part -> part.put(part.key, part.value));
    }

    /** Puts everything into other keys, of the same types in the same order. */
    public void copyTo(Key... keys) {
        int key = 0;
        for (int i = 0; i < parts.size(); i++) {
            key += i > 0 && parts.get(i).key != parts.get(i - 1).key ? 1 : 0;
            parts.get(i).put((KeyImpl) keys[key], parts.get(i).value);
        }
    }

    /** What has another value here than there; the two are of the same keys. */
    KeyState changedSince(KeyState before) {
        KeyState changed = new KeyState();
        for (int i = 0; i < parts.size(); i++) {
            if (!parts.get(i).sameAs(before.parts.get(i))) {
                changed.parts.add(parts.get(i));
            }
        }
        return changed;
    }

    /** The part that is of one of the keys. */
    KeyState ofKey(Key key) {
        KeyState some = new KeyState();
        parts.stream().filter(part -> part.key == key).forEach(some.parts::add);
        return some;
    }

    boolean isEmpty() {
        return parts.isEmpty();
    }

    int size() {
        return parts.size();
    }

    /** Numbers as long as these, and of no key. */
    void garble() {
        garbleFrom(0);
    }

    /** The first half of the numbers as they are here, the rest garbage; a single number is all garbage. */
    void halve() {
        parts.forEach(part -> part.put(part.key, part.value));
        garbleFrom(parts.size() / 2);
    }

    /** Neither old nor new, nor garbage: nothing, as from an erased page. */
    void erase() {
        parts.stream().filter(Part::isNumber).forEach(part -> part.put(part.key, null));
    }

    /** jCardSim keeps bytes of a longer number behind a shorter one and then computes with all of them: cuts them off. */
    static void trim(Key... keys) {
        of(keys).restore();
    }

    private void garbleFrom(int first) {
        for (Part part : parts.subList(first, parts.size())) {
            if (part.isNumber() && part.value != null) {
                byte[] garbage = ((byte[]) part.value).clone();
                Hooks.scramble(garbage, 0, garbage.length);
                part.put(part.key, garbage);
            }
        }
    }

    private static byte[] bytes(ByteContainer number) {
        short length = (short) get(LENGTH, number);
        return length == 0 ? null : Arrays.copyOf((byte[]) get(DATA, number), length);
    }

    private static List<Field> fields(Class<?> type) {
        List<Field> all = new ArrayList<>();
        for (Class<?> c = type; c != Object.class; c = c.getSuperclass()) {
            for (Field field : c.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers())) {
                    field.setAccessible(true);
                    all.add(field);
                }
            }
        }
        return all;
    }

    private static Field field(Class<?> type, String name) {
        try {
            Field field = type.getDeclaredField(name);
            field.setAccessible(true);
            return field;
        } catch (NoSuchFieldException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object get(Field field, Object owner) {
        try {
            return field.get(owner);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void set(Field field, Object owner, Object value) {
        try {
            field.set(owner, value);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }
}
