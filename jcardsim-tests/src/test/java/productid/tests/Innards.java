package productid.tests;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javacard.framework.JCSystem;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyPair;
import javacard.security.PrivateKey;
import javacard.security.PublicKey;
import javacard.security.RSAPrivateCrtKey;
import javacard.security.RSAPublicKey;

/** What no command shows: the key pairs of an installed applet and its memory of one selection. */
final class Innards {
    private static final int MAX = 512;

    private final List<KeyPair> pairs = new ArrayList<>();
    private final List<byte[]> transients = new ArrayList<>();
    private final List<short[]> words = new ArrayList<>();

    Innards(Object applet) {
        collect(applet, applet.getClass().getClassLoader(), Collections.newSetFromMap(new IdentityHashMap<>()));
    }

    /** The public key of this algorithm, as the protocol writes it; empty before it was made. */
    byte[] publicKey(byte algorithm) {
        Class<?> type = algorithm == TapUrl.RSA_2048 ? RSAPublicKey.class : ECPublicKey.class;
        return pairs.stream().map(KeyPair::getPublic).filter(key -> type.isInstance(key) && key.isInitialized())
                .map(Innards::bytes).findFirst().orElse(new byte[0]);
    }

    /** Each number that a private key consists of. */
    List<byte[]> privateKeys() {
        return pairs.stream().map(KeyPair::getPrivate).filter(PrivateKey::isInitialized).flatMap(Innards::numbers).toList();
    }

    /** True if nothing is left of what was there before this selection. */
    boolean isBlank() {
        return transients.stream().allMatch(array -> Arrays.equals(array, new byte[array.length]))
                && words.stream().allMatch(array -> Arrays.equals(array, new short[array.length]));
    }

    /** Puts bytes where the card promises nothing once a command has run: scratch memory, as long as nothing is frozen. */
    void fill(byte[] pattern) {
        int at = 0;
        for (byte[] array : transients) {
            for (int i = 0; i < array.length; i++) {
                array[i] = pattern[at++ % pattern.length];
            }
        }
    }

    private static byte[] bytes(PublicKey key) {
        byte[] out = new byte[MAX];
        if (key instanceof RSAPublicKey rsa) {
            short modulus = rsa.getModulus(out, (short) 0);
            return Arrays.copyOf(out, modulus + rsa.getExponent(out, modulus));
        }
        return Arrays.copyOf(out, ((ECPublicKey) key).getW(out, (short) 0));
    }

    private static Stream<byte[]> numbers(PrivateKey key) {
        byte[] out = new byte[MAX];
        if (key instanceof RSAPrivateCrtKey rsa) {
            return Stream.of(Arrays.copyOf(out, rsa.getP(out, (short) 0)), Arrays.copyOf(out, rsa.getQ(out, (short) 0)),
                    Arrays.copyOf(out, rsa.getDP1(out, (short) 0)), Arrays.copyOf(out, rsa.getDQ1(out, (short) 0)),
                    Arrays.copyOf(out, rsa.getPQ(out, (short) 0)));
        }
        return Stream.of(Arrays.copyOf(out, ((ECPrivateKey) key).getS(out, (short) 0)));
    }

    private void collect(Object value, ClassLoader own, Set<Object> seen) {
        if (value == null || !seen.add(value)) {
            return;
        }
        if (value instanceof KeyPair pair) {
            pairs.add(pair);
        } else if (value instanceof byte[] array && JCSystem.isTransient(array) != JCSystem.NOT_A_TRANSIENT_OBJECT) {
            transients.add(array);
        } else if (value instanceof short[] array && JCSystem.isTransient(array) != JCSystem.NOT_A_TRANSIENT_OBJECT) {
            words.add(array);
        } else if (value.getClass().getClassLoader() == own) {
            for (Field field : value.getClass().getDeclaredFields()) {
                if (!field.getType().isPrimitive() && !Modifier.isStatic(field.getModifiers())) {
                    collect(Card.field(value, field.getName()), own, seen);
                }
            }
        }
    }
}
