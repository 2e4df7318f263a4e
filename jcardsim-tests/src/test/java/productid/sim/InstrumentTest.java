package productid.sim;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import javacard.security.ECPrivateKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyBuilder;
import javacard.security.RSAPrivateCrtKey;
import javacard.security.RSAPublicKey;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.sample.Refused;
import productid.sim.sample.Vault;

/** An applet whose writes the simulator cannot follow is not loaded. */
class InstrumentTest {
    private static final String SAMPLES = "productid.sim.sample";
    private static final Hierarchy HIERARCHY = new Hierarchy(SAMPLES, InstrumentTest::file);

    @ParameterizedTest
    @ValueSource(strings = {"AtomicFill", "Repack", "IntOfBytes", "Tlv", "TryCounter", "InheritedWrite", "FreeMemory", "Crc",
        "NewerOverload", "NewerKey", "HostCopy", "ArrayCopyByClone", "IntArray", "WideField", "LinkedAtRunTime"})
    void aWayOfWritingThatIsNotKnownIsRefused(String way) {
        byte[] code = file(internal(Refused.class) + "$" + way);
        LinkageError refusal = assertThrows(LinkageError.class, () -> Instrument.rewrite(code, HIERARCHY));
        assertTrue(refusal.getMessage().startsWith("not loaded: " + internal(Refused.class) + "$" + way + "."),
                refusal.getMessage());
    }

    @Test
    void everyWayThatIsRefusedHasItsRow() throws NoSuchMethodException {
        ValueSource rows = getClass().getDeclaredMethod("aWayOfWritingThatIsNotKnownIsRefused", String.class)
                .getAnnotation(ValueSource.class);
        Set<String> classes = new TreeSet<>();
        for (Class<?> way : Refused.class.getDeclaredClasses()) {
            classes.add(way.getSimpleName());
        }
        assertEquals(classes, new TreeSet<>(Set.of(rows.strings())));
    }

    @Test
    void anAppletThatNamesSuchAClassIsNotInstalled() {
        LinkageError refusal =
                assertThrows(LinkageError.class, () -> SimCard.install(Refused.class.getName(), new byte[5], new byte[0]));
        assertTrue(refusal.getMessage().contains("what that writes is not known"), refusal.getMessage());
    }

    @Test
    void anInheritedMethodCountsAsThatOfTheApi() {
        assertEquals("javacard/framework/Applet", HIERARCHY.declaredIn(internal(Vault.class), "register", "()V"));
        assertEquals(internal(Vault.class), HIERARCHY.declaredIn(internal(Vault.class), "process", "(Ljavacard/framework/APDU;)V"));
        assertDoesNotThrow(() -> Instrument.rewrite(file(internal(Vault.class)), HIERARCHY));
    }

    /** A method of a key type that the table forgot would make an applet unloadable, one of the wrong kind its writes unseen. */
    @Test
    void everySetterAndGetterOfTheKeysInUseIsKnownForWhatItDoes() {
        for (Class<?> type : new Class<?>[] {ECPublicKey.class, ECPrivateKey.class, RSAPublicKey.class, RSAPrivateCrtKey.class}) {
            for (var method : type.getMethods()) {
                boolean newer = method.getName().equals("copyDomainParametersFrom");
                boolean takesArray = method.getParameterTypes().length > 0 && method.getParameterTypes()[0] == byte[].class;
                Api.Effect expected = newer ? null : Map.of("set", Api.Effect.KEY, "cle", Api.Effect.KEY,
                        "get", takesArray ? Api.Effect.ARRAYS : Api.Effect.NOTHING, "isI", Api.Effect.NOTHING)
                        .get(method.getName().substring(0, 3));
                assertEquals(expected, Api.effect(internal(type), method.getName(), ""), method.toString());
            }
        }
        assertNull(Api.effect(internal(KeyBuilder.class), "buildKeyWithSharedDomain", ""));
    }

    private static String internal(Class<?> type) {
        return type.getName().replace('.', '/');
    }

    private static byte[] file(String name) {
        try (InputStream in = InstrumentTest.class.getResourceAsStream("/" + name + ".class")) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
