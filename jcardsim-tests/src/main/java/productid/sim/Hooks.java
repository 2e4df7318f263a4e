package productid.sim;

import java.lang.reflect.Field;
import javacard.framework.Util;
import javacard.security.CryptoException;
import javacard.security.Key;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.Signature;

/**
 * What {@link Instrument} puts in place of the applet's own writes and calls. Public for the rewritten classes and for
 * jCardSim's random numbers only.
 */
public final class Hooks {
    private static final int REFERENCE_SIZE = 2;
    private static final int SIGNATURE_MAX = 512;

    private Hooks() {
    }

    // Fields and array elements: atomic one by one (JCRE 7.1). A static field has no target.

    public static void putField(Object target, int value, Class<?> owner, String name) {
        Field field = field(owner, name);
        if (!CardRuntime.current().isInstalled()) {
            set(field, target, narrow(field.getType(), value));
            return;
        }
        Object old = get(field, target);
        CardRuntime.current().memory.atomic(Short.BYTES, () -> set(field, target, narrow(field.getType(), value)),
                () -> set(field, target, old));
    }

    public static void putField(Object target, Object value, Class<?> owner, String name) {
        Field field = field(owner, name);
        if (!CardRuntime.current().isInstalled()) {
            set(field, target, value);
            return;
        }
        Object old = get(field, target);
        CardRuntime.current().memory.atomic(REFERENCE_SIZE, () -> set(field, target, value), () -> set(field, target, old));
    }

    public static void putStatic(int value, Class<?> owner, String name) {
        putField(null, value, owner, name);
    }

    public static void putStatic(Object value, Class<?> owner, String name) {
        putField(null, value, owner, name);
    }

    public static void storeByte(Object array, int index, int value) {
        if (array instanceof boolean[] flags) {
            boolean old = flags[index];
            write(array, 1, () -> flags[index] = (value & 1) != 0, () -> flags[index] = old);
            return;
        }
        byte[] bytes = (byte[]) array;
        byte old = bytes[index];
        write(array, 1, () -> bytes[index] = (byte) value, () -> bytes[index] = old);
    }

    public static void storeShort(short[] array, int index, int value) {
        short old = array[index];
        write(array, Short.BYTES, () -> array[index] = (short) value, () -> array[index] = old);
    }

    public static void storeReference(Object[] array, int index, Object value) {
        Object old = array[index];
        write(array, REFERENCE_SIZE, () -> array[index] = value, () -> array[index] = old);
    }

    // javacard.framework.Util

    public static short arrayCopy(byte[] from, short fromOffset, byte[] to, short toOffset, short length) {
        byte[] source = range(from, fromOffset, length);
        byte[] old = range(to, toOffset, length);
        write(to, length, () -> System.arraycopy(source, 0, to, toOffset, length),
                () -> System.arraycopy(old, 0, to, toOffset, length));
        return (short) (toOffset + length);
    }

    public static short setShort(byte[] array, short offset, short value) {
        byte[] bytes = {(byte) (value >> 8), (byte) value};
        return arrayCopy(bytes, (short) 0, array, offset, (short) bytes.length);
    }

    public static short arrayCopyNonAtomic(byte[] from, short fromOffset, byte[] to, short toOffset, short length) {
        range(from, fromOffset, length);
        writeNonAtomic(to, toOffset, length, () -> Util.arrayCopyNonAtomic(from, fromOffset, to, toOffset, length));
        return (short) (toOffset + length);
    }

    public static short arrayFillNonAtomic(byte[] array, short offset, short length, byte value) {
        writeNonAtomic(array, offset, length, () -> Util.arrayFillNonAtomic(array, offset, length, value));
        return (short) (offset + length);
    }

    // javacard.security

    /**
     * The halves of a pair are two objects: a tear leaves one without the other, or what is no key at all. A public exponent
     * of RSA that is there already is kept, also where a tear left it.
     */
    public static void genKeyPair(KeyPair pair) {
        CardRuntime card = CardRuntime.current();
        Key[] keys = {pair.getPublic(), pair.getPrivate()};
        KeyState old = KeyState.of(keys);
        try {
            card.silicon.generate(pair);
        } catch (IllegalArgumentException impossible) {
            CryptoException.throwIt(CryptoException.ILLEGAL_VALUE); // an even exponent, of which jCardSim says so otherwise
        }
        KeyState.trim(keys);
        KeyState made = KeyState.of(keys);
        if (!card.isInstalled()) {
            return;
        }
        KeyState changed = made.changedSince(old);
        KeyState publicHalf = changed.ofKey(keys[0]);
        KeyState privateHalf = changed.ofKey(keys[1]);
        old.restore();
        card.memory.key(made::restore, changed::garble, publicHalf::restore, privateHalf::restore, () -> {
            publicHalf.restore();
            privateHalf.halve();
        }, () -> {
            publicHalf.halve();
            privateHalf.restore();
        }, changed::erase);
    }

    public static short sign(Signature engine, byte[] in, short inOffset, short inLength, byte[] out, short outOffset) {
        CardRuntime card = CardRuntime.current();
        byte[] signature = new byte[SIGNATURE_MAX];
        short length = engine.sign(in, inOffset, inLength, signature, (short) 0);
        byte[] answer = card.silicon.signature(range(in, inOffset, inLength), range(signature, (short) 0, length));
        writeNonAtomic(out, outOffset, (short) answer.length,
                () -> System.arraycopy(answer, 0, out, outOffset, answer.length));
        return (short) answer.length;
    }

    public static boolean verify(Signature engine, byte[] in, short inOffset, short inLength, byte[] signature,
            short offset, short length) {
        return CardRuntime.current().silicon.verified(engine.verify(in, inOffset, inLength, signature, offset, length));
    }

    public static Signature signature(byte algorithm, boolean external) {
        require(Signature.class, algorithm);
        return Signature.getInstance(algorithm, external);
    }

    public static MessageDigest digest(byte algorithm, boolean external) {
        require(MessageDigest.class, algorithm);
        return MessageDigest.getInstance(algorithm, external);
    }

    public static Key buildKey(byte type, short length, boolean encrypted) {
        require(KeyBuilder.class, type);
        return KeyBuilder.buildKey(type, length, encrypted);
    }

    public static void apiBegins(Object receiver) {
        CardRuntime.current().apiWrites.begin(receiver);
    }

    public static void apiArgument(byte[] array) {
        CardRuntime.current().apiWrites.argument(array);
    }

    public static void apiEnds() {
        CardRuntime.current().apiWrites.end();
    }

    public static void random(byte[] bytes) {
        CardRuntime.current().silicon.random(bytes);
    }

    /** Bytes that are neither the old nor the new ones. */
    static void scramble(byte[] array, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            array[i] = (byte) (array[i] * 31 + 0x5B + i);
        }
    }

    private static void write(Object array, int size, Runnable write, Runnable revert) {
        CardRuntime card = CardRuntime.current();
        if (card.isPersistent(array)) {
            card.memory.atomic(size, write, revert);
        } else {
            write.run();
        }
    }

    private static void writeNonAtomic(byte[] array, short offset, short length, Runnable write) {
        range(array, offset, length);
        CardRuntime card = CardRuntime.current();
        if (card.isPersistent(array)) {
            card.memory.nonAtomic(write, () -> scramble(array, offset, length));
        } else {
            write.run();
        }
    }

    private static byte[] range(byte[] array, short offset, short length) {
        byte[] copy = new byte[length];
        System.arraycopy(array, offset, copy, 0, length);
        return copy;
    }

    private static void require(Class<?> factory, byte algorithm) {
        if (!CardRuntime.current().silicon.has(factory, algorithm)) {
            CryptoException.throwIt(CryptoException.NO_SUCH_ALGORITHM);
        }
    }

    private static Object narrow(Class<?> type, int value) {
        if (type == boolean.class) {
            return (value & 1) != 0;
        }
        if (type == byte.class) {
            return (byte) value;
        }
        return type == short.class ? (Object) (short) value : (Object) value;
    }

    private static Field field(Class<?> owner, String name) {
        try {
            Field field = owner.getDeclaredField(name);
            field.setAccessible(true);
            return field;
        } catch (NoSuchFieldException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object get(Field field, Object target) {
        try {
            return field.get(target);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void set(Field field, Object target, Object value) {
        try {
            field.set(target, value);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }
}
