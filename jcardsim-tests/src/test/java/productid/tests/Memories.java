package productid.tests;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import javacard.framework.JCSystem;

/** A look into the memory of the applet on a virtual card. */
final class Memories {
    private Memories() {
    }

    /** All transient arrays of the applet. */
    static List<Object> transients(Card card) {
        List<Object> found = new ArrayList<>();
        walk(card.sim.applet(), card.sim.applet().getClass().getPackageName(), Collections.newSetFromMap(new IdentityHashMap<>()), found);
        return found;
    }

    static boolean isZero(Object array) {
        return IntStream.range(0, Array.getLength(array)).allMatch(i -> ((Number) Array.get(array, i)).intValue() == 0);
    }

    /** Its length in bytes; a short is two. */
    static int bytes(Object array) {
        return Array.getLength(array) * (array instanceof byte[] ? 1 : Short.BYTES);
    }

    private static void walk(Object value, String applet, Set<Object> seen, List<Object> found) {
        if (value == null || !seen.add(value)) {
            return;
        }
        if (value.getClass().isArray()) {
            if (JCSystem.isTransient(value) != JCSystem.NOT_A_TRANSIENT_OBJECT) {
                found.add(value);
            }
            return;
        }
        for (Class<?> type = value.getClass(); type != null && type.getPackageName().equals(applet); type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers()) && !field.getType().isPrimitive()) {
                    walk(get(field, value), applet, seen, found);
                }
            }
        }
    }

    private static Object get(Field field, Object owner) {
        try {
            field.setAccessible(true);
            return field.get(owner);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
