package productid.sim;

import com.licel.jcardsim.base.TransientMemory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Set;
import java.util.WeakHashMap;
import javacard.framework.JCSystem;
import javacard.framework.SystemException;

/**
 * Transient arrays, held weakly: jCardSim's own elliptic-curve code makes a new one at each signature, and the stock
 * list would keep them all. Arrays compare by identity, so a weak hash set is a set of identities.
 */
final class TransientArrays extends TransientMemory {
    private final Set<Object> untilDeselect = Collections.newSetFromMap(new WeakHashMap<>());
    private final Set<Object> untilReset = Collections.newSetFromMap(new WeakHashMap<>());

    @Override
    public byte isTransient(Object array) {
        if (untilDeselect.contains(array)) {
            return JCSystem.CLEAR_ON_DESELECT;
        }
        return untilReset.contains(array) ? JCSystem.CLEAR_ON_RESET : JCSystem.NOT_A_TRANSIENT_OBJECT;
    }

    @Override
    protected void storeArray(Object array, byte event) {
        switch (event) {
            case JCSystem.CLEAR_ON_DESELECT -> untilDeselect.add(array);
            case JCSystem.CLEAR_ON_RESET -> untilReset.add(array);
            default -> SystemException.throwIt(SystemException.ILLEGAL_VALUE);
        }
    }

    @Override
    protected void clearOnDeselect() {
        zero(new ArrayList<>(untilDeselect));
    }

    @Override
    protected void clearOnReset() {
        clearOnDeselect();
        zero(new ArrayList<>(untilReset));
    }

    @Override
    protected void forgetBuffers() {
        clearOnReset();
        untilDeselect.clear();
        untilReset.clear();
    }
}
