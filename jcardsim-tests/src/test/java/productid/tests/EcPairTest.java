package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.function.UnaryOperator;
import javacard.security.CryptoException;
import javacard.security.ECKey;
import javacard.security.ECPublicKey;
import javacard.security.KeyPair;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;

/** What chips do with a P-256 pair on the way to a good one, and which of them is taken. */
class EcPairTest {
    /** Makes keys on the curve that is set on both halves and on no other, and takes that along when it throws a pair away. */
    private static final class Forgetful extends Silicon {
        private final int failures;
        private int asked;

        Forgetful(int failures) {
            this.failures = failures;
        }

        @Override
        public void generate(KeyPair pair) {
            asked++;
            requireCurve((ECKey) pair.getPublic());
            requireCurve((ECKey) pair.getPrivate());
            if (asked <= failures) {
                pair.getPublic().clearKey();
                pair.getPrivate().clearKey();
                CryptoException.throwIt(CryptoException.ILLEGAL_USE);
            }
            super.generate(pair);
        }

        private static void requireCurve(ECKey key) {
            byte[] part = new byte[65];
            key.getField(part, (short) 0);
            key.getA(part, (short) 0);
            key.getB(part, (short) 0);
            key.getG(part, (short) 0);
            key.getR(part, (short) 0);
            assertEquals(1, key.getK());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void aCurveThatWasForgottenIsSetAgain(int failures) {
        Forgetful chip = new Forgetful(failures);
        Card card = Card.installed("", chip).locked();
        assertEquals(failures + 1, chip.asked);
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    @Test
    void alsoByTheNextCommand() {
        Card card = Card.installed("", new Forgetful(3));
        card.refuses("6a81", Card.GENERATE);
        card.locked();
        card.verifies(card.tapUrl(), TapUrl.PURPOSE_TAP);
    }

    /** A chip that gives the point in another form, by which its own signatures verify all the same. */
    private static int madeOf(UnaryOperator<byte[]> form, String status) {
        int[] made = new int[1];
        Card card = Card.installed("", new Silicon() {
            @Override
            public void generate(KeyPair pair) {
                super.generate(pair);
                made[0]++;
                ECPublicKey open = (ECPublicKey) pair.getPublic();
                byte[] w = new byte[65];
                open.getW(w, (short) 0);
                byte[] other = form.apply(w);
                open.setW(other, (short) 0, (short) other.length);
            }

            @Override
            public boolean verified(boolean result) {
                return true;
            }
        });
        String answer = card.send(Card.GENERATE);
        assertEquals(status, answer.substring(answer.length() - 4));
        return made[0];
    }

    @Test
    void aPointInAnotherFormIsNotTaken() {
        assertEquals(1, madeOf(w -> w, "9000"));
        assertEquals(3, madeOf(w -> compressed(w, (byte) 2), "6a81"), "compressed");
        assertEquals(3, madeOf(w -> hybrid(w, (byte) 6), "6a81"), "hybrid");
    }

    /** The simulator's own verification would refuse such a point; here the applet is asked alone. */
    @ParameterizedTest
    @CsvSource({"65, true", "64, false", "33, false"})
    void aPointOfAnotherLengthIsNone(int length, boolean taken) throws ReflectiveOperationException {
        Object ec = Card.field(Card.field(Card.installed().sim.applet(), "key"), "ec");
        byte[] w = new byte[length];
        w[0] = 4;
        ((ECPublicKey) ((KeyPair) Card.field(ec, "pair")).getPublic()).setW(w, (short) 0, (short) length);
        Method copy = ec.getClass().getDeclaredMethod("copyPublic", byte[].class, short.class);
        copy.setAccessible(true);
        assertEquals(taken, copy.invoke(ec, new byte[66], (short) 1));
    }

    private static byte[] compressed(byte[] w, byte even) {
        byte[] point = Arrays.copyOf(w, 33);
        point[0] = (byte) (even | w[64] & 1);
        return point;
    }

    private static byte[] hybrid(byte[] w, byte even) {
        byte[] point = w.clone();
        point[0] = (byte) (even | w[64] & 1);
        return point;
    }
}
