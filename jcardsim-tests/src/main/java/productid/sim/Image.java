package productid.sim;

import com.licel.jcardsim.crypto.ByteContainer;
import com.licel.jcardsim.crypto.KeyImpl;
import com.licel.jcardsim.crypto.KeyPairImpl;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import javacard.security.KeyPair;

/**
 * The persistent objects reachable from an applet and from the static fields of its package, keys included, as bytes and
 * back.
 *
 * <p>An applet allocates only while it is installed, so a fresh installation has every object: loading walks the fresh
 * graph and the image side by side and fills in values. An image of another applet version is refused.
 */
final class Image {
    private static final int MAGIC = 0x50494449; // "PIDI"
    /** jCardSim keeps a working engine in a key pair: no memory of a card. */
    private static final String CRYPTO_ENGINES = "com.licel.jcardsim.bouncycastle.";
    private static final byte NULL = 0;
    private static final byte OPAQUE = 1;
    private static final byte SEEN = 2;
    private static final byte ARRAY = 3;
    private static final byte OBJECT = 4;

    private final Predicate<Object> isTransient;
    private final ClassLoader appletClasses;
    /** Objects written so far, by the order in which they were met. */
    private final Map<Object, Integer> written = new IdentityHashMap<>();
    private final List<Object> read = new ArrayList<>();
    private int arrayBytes;

    private Image(Object root, Predicate<Object> isTransient) {
        this.isTransient = isTransient;
        appletClasses = root.getClass().getClassLoader();
    }

    static byte[] save(Object root, List<Class<?>> classes, Predicate<Object> isTransient) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        try {
            out.writeInt(MAGIC);
            Image image = new Image(root, isTransient);
            image.write(root, out);
            for (Field field : statics(classes)) {
                image.writeField(field, null, out);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** Fills the graph below root; an IOException means that the image is not one of this applet. */
    static void load(Object root, List<Class<?>> classes, byte[] bytes, Predicate<Object> isTransient) throws IOException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
        if (in.readInt() != MAGIC) {
            throw new IOException("not a card's memory");
        }
        Image image = new Image(root, isTransient);
        try {
            image.read(root, in);
            for (Field field : statics(classes)) {
                image.readField(field, null, in);
            }
        } catch (IllegalArgumentException | ClassCastException | NullPointerException e) {
            throw new IOException("memory of another version of the applet", e);
        }
        if (in.read() >= 0) {
            throw damaged();
        }
    }

    /** Bytes in persistent arrays of the applet itself, key objects not counted. */
    static int arrayBytes(Object root, Predicate<Object> isTransient) {
        Image image = new Image(root, isTransient);
        try {
            image.write(root, new DataOutputStream(new ByteArrayOutputStream()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return image.arrayBytes;
    }

    private void write(Object value, DataOutputStream out) throws IOException {
        if (value == null) {
            out.writeByte(NULL);
        } else if (!isMemory(value)) {
            out.writeByte(OPAQUE);
        } else if (written.putIfAbsent(value, written.size()) != null) {
            out.writeByte(SEEN);
            out.writeInt(written.get(value));
        } else if (value.getClass().isArray()) {
            out.writeByte(ARRAY);
            out.writeInt(Array.getLength(value));
            writeElements(value, out);
        } else {
            out.writeByte(OBJECT);
            out.writeUTF(value.getClass().getName());
            for (Field field : fields(value.getClass())) {
                writeField(field, value, out);
            }
        }
    }

    private void writeElements(Object array, DataOutputStream out) throws IOException {
        if (array instanceof byte[] bytes) {
            arrayBytes += bytes.length;
            out.write(bytes);
            return;
        }
        for (int i = 0; i < Array.getLength(array); i++) {
            Object element = Array.get(array, i);
            arrayBytes += Short.BYTES;
            if (array.getClass().getComponentType().isPrimitive()) {
                out.writeInt(asInt(element));
            } else {
                write(element, out);
            }
        }
    }

    private void writeField(Field field, Object owner, DataOutputStream out) throws IOException {
        Object value = get(field, owner);
        if (field.getType().isPrimitive()) {
            out.writeInt(asInt(value));
        } else if (owner instanceof ByteContainer) {
            int before = arrayBytes;
            write(value, out);
            arrayBytes = before;
        } else {
            write(value, out);
        }
    }

    private Object read(Object existing, DataInputStream in) throws IOException {
        byte tag = in.readByte();
        return switch (tag) {
            case NULL -> null;
            case OPAQUE -> existing;
            case SEEN -> seen(in.readInt());
            case ARRAY -> readArray(existing, in);
            case OBJECT -> readObject(existing, in);
            default -> throw damaged();
        };
    }

    private Object seen(int index) throws IOException {
        if (index < 0 || index >= read.size()) {
            throw damaged();
        }
        return read.get(index);
    }

    private Object readArray(Object existing, DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > Short.MAX_VALUE) {
            throw damaged();
        }
        Object array = existing != null && Array.getLength(existing) == length ? existing : new byte[length];
        read.add(array);
        if (array instanceof byte[] bytes) {
            in.readFully(bytes);
            return array;
        }
        Class<?> type = array.getClass().getComponentType();
        for (int i = 0; i < length; i++) {
            Array.set(array, i, type.isPrimitive() ? asType(type, in.readInt()) : read(Array.get(array, i), in));
        }
        return array;
    }

    private Object readObject(Object existing, DataInputStream in) throws IOException {
        String name = in.readUTF();
        if (existing == null || !existing.getClass().getName().equals(name)) {
            throw new IOException("memory of another version of the applet: " + name);
        }
        read.add(existing);
        for (Field field : fields(existing.getClass())) {
            readField(field, existing, in);
        }
        return existing;
    }

    private void readField(Field field, Object owner, DataInputStream in) throws IOException {
        Object old = get(field, owner);
        Object value = field.getType().isPrimitive() ? asType(field.getType(), in.readInt()) : read(old, in);
        boolean isConstant = Modifier.isStatic(field.getModifiers()) && Modifier.isFinal(field.getModifiers());
        try {
            if (!isConstant) {
                field.set(owner, value);
            } else if (value != old && field.getType().isArray()) {
                throw new IOException("memory of another version of the applet: " + field.getName());
            }
        } catch (IllegalAccessException | IllegalArgumentException e) {
            throw new IOException("memory of another version of the applet: " + field.getName(), e);
        }
    }

    private boolean isMemory(Object value) {
        Class<?> type = value.getClass();
        if (type.isArray()) {
            return !isTransient.test(value);
        }
        return type.getClassLoader() == appletClasses || value instanceof KeyPair || value instanceof KeyPairImpl
                || value instanceof KeyImpl || value instanceof ByteContainer;
    }

    private static List<Field> fields(Class<?> type) {
        List<Field> all = new ArrayList<>();
        for (Class<?> c = type; c != null && c != Object.class; c = c.getSuperclass()) {
            Field[] own = c.getDeclaredFields();
            Arrays.sort(own, Comparator.comparing(Field::getName));
            for (Field field : own) {
                boolean engine = field.getType().getName().startsWith(CRYPTO_ENGINES);
                if (!Modifier.isStatic(field.getModifiers()) && !engine) {
                    field.setAccessible(true);
                    all.add(field);
                }
            }
        }
        return all;
    }

    /** Static fields that can change, or whose objects can. */
    private static List<Field> statics(List<Class<?>> classes) {
        List<Field> all = new ArrayList<>();
        for (Class<?> type : classes) {
            Field[] own = type.getDeclaredFields();
            Arrays.sort(own, Comparator.comparing(Field::getName));
            for (Field field : own) {
                boolean isNumber = field.getType().isPrimitive() && Modifier.isFinal(field.getModifiers());
                if (Modifier.isStatic(field.getModifiers()) && !isNumber) {
                    field.setAccessible(true);
                    all.add(field);
                }
            }
        }
        return all;
    }

    private static IOException damaged() {
        return new IOException("damaged image of a card's memory");
    }

    private static Object get(Field field, Object owner) {
        try {
            return field.get(owner);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static int asInt(Object value) {
        return value instanceof Boolean flag ? (flag ? 1 : 0) : ((Number) value).intValue();
    }

    private static Object asType(Class<?> type, int value) {
        if (type == boolean.class) {
            return value != 0;
        }
        if (type == byte.class) {
            return (byte) value;
        }
        return type == short.class ? (Object) (short) value : (Object) value;
    }
}
