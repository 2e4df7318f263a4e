package productid.card;

import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;

/**
 * The counter that makes each signature the only one with its number. The only persistent write of a tap.
 *
 * Number n lives in slot n mod 8 as n ‖ ~n, so that eight taps share the wear of one. A slot counts only if number,
 * complement and place agree; the highest such slot is the last number used. Each commit overwrites the oldest slot by one
 * atomic copy: power lost before it leaves the number before, power lost after it loses a number that signed nothing. A
 * number is committed and read back before anything is signed with it, and so never appears in two signatures. A card whose
 * slots have all gone bad counts as exhausted; it never starts again.
 */
final class TapCounter {
    private static final short SLOTS = (short) 8;
    private static final short SLOT_LENGTH = (short) (2 * Const.COUNTER_LENGTH);
    /** A slot that does not take its number is passed over with the number: once round the ring, and no further. */
    private static final short COMMIT_ATTEMPTS = SLOTS;
    /** From this number on the place of the next one holds the number of a lap before. */
    private static final byte[] SECOND_LAP = {0x00, 0x00, 0x00, (byte) SLOTS};

    /** counterMax where the installer names none: 400,000, what a card type of unknown endurance is trusted with. */
    static final byte[] DEFAULT_MAXIMUM = {0x00, 0x06, 0x1A, (byte) 0x80};

    private final byte[] ring;
    private final byte[] maximum;
    /** Transient: the slot last loaded or committed. */
    private final byte[] slot;

    TapCounter(byte[] max, short maxOff) {
        ring = new byte[(short) (SLOTS * SLOT_LENGTH)];
        maximum = new byte[Const.COUNTER_LENGTH];
        Util.arrayCopyNonAtomic(max, maxOff, maximum, (short) 0, Const.COUNTER_LENGTH);
        slot = JCSystem.makeTransientByteArray(SLOT_LENGTH, JCSystem.CLEAR_ON_DESELECT);
    }

    /** Writes number 0, which nothing is ever signed with. Before this no slot is valid. */
    void start() {
        Util.arrayFillNonAtomic(slot, (short) 0, Const.COUNTER_LENGTH, (byte) 0x00);
        complement();
        if (!write()) {
            ISOException.throwIt(Const.SW_MEMORY_FAILURE);
        }
    }

    /**
     * Uses up the next number; durable on return. False, and nothing written, if the card is exhausted: counterMax was
     * reached, or no slot is valid. Throws 6581 if the memory took no number; it may have used up some all the same.
     */
    boolean commit() {
        if (!load() || !isBelowMaximum()) {
            return false;
        }
        for (short i = 0; i < COMMIT_ATTEMPTS && isBelowMaximum(); i++) {
            increment();
            complement();
            if (isSlotSound() && write()) {
                return true;
            }
        }
        ISOException.throwIt(Const.SW_MEMORY_FAILURE);
        return false;
    }

    /** Copies the number that commit used up in this very command. */
    short copyCommitted(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(slot, (short) 0, out, off, Const.COUNTER_LENGTH);
    }

    /** Copies the last number used up; FFFFFFFF if no slot is valid. */
    short copyLast(byte[] out, short off) {
        if (!load()) {
            return Util.arrayFillNonAtomic(out, off, Const.COUNTER_LENGTH, (byte) 0xFF);
        }
        return copyCommitted(out, off);
    }

    short copyMaximum(byte[] out, short off) {
        return Util.arrayCopyNonAtomic(maximum, (short) 0, out, off, Const.COUNTER_LENGTH);
    }

    /** Loads the highest valid slot; false if there is none. */
    private boolean load() {
        boolean found = false;
        for (short i = 0; i < SLOTS; i++) {
            short at = (short) (i * SLOT_LENGTH);
            if (isValid(i, at) && (!found || isLess(slot, (short) 0, ring, at))) {
                Util.arrayCopyNonAtomic(ring, at, slot, (short) 0, SLOT_LENGTH);
                found = true;
            }
        }
        return found;
    }

    private boolean isValid(short index, short at) {
        for (short i = at; i < (short) (at + Const.COUNTER_LENGTH); i++) {
            if (ring[i] != (byte) ~ring[(short) (i + Const.COUNTER_LENGTH)]) {
                return false;
            }
        }
        return index(ring, at) == index;
    }

    /**
     * True if the place of the next number still holds what it must: the number of a lap before, nothing in the first lap.
     * If it does not, its memory fails, and what it last held may have been the very number that is next: it is passed
     * over, not used twice.
     */
    private boolean isSlotSound() {
        short index = index(slot, (short) 0);
        short at = (short) (index * SLOT_LENGTH);
        return isLess(slot, (short) 0, SECOND_LAP, (short) 0) ? isBlank(at) : isValid(index, at);
    }

    private boolean isBlank(short at) {
        for (short i = at; i < (short) (at + SLOT_LENGTH); i++) {
            if (ring[i] != 0) {
                return false;
            }
        }
        return true;
    }

    /** Writes the slot to its place by one atomic copy; false if it does not read back. */
    private boolean write() {
        short at = (short) (index(slot, (short) 0) * SLOT_LENGTH);
        Util.arrayCopy(slot, (short) 0, ring, at, SLOT_LENGTH);
        return Util.arrayCompare(slot, (short) 0, ring, at, SLOT_LENGTH) == 0;
    }

    /** The place of the number at off: n mod 8. */
    private static short index(byte[] b, short off) {
        return (short) (b[(short) (off + Const.COUNTER_LENGTH - 1)] & (short) (SLOTS - 1));
    }

    private boolean isBelowMaximum() {
        return isLess(slot, (short) 0, maximum, (short) 0);
    }

    private void increment() {
        short i = Const.COUNTER_LENGTH;
        do {
            i--;
            slot[i]++;
        } while (slot[i] == 0 && i > 0);
    }

    private void complement() {
        for (short i = 0; i < Const.COUNTER_LENGTH; i++) {
            slot[(short) (i + Const.COUNTER_LENGTH)] = (byte) ~slot[i];
        }
    }

    /** Unsigned a < b; Util.arrayCompare leaves the sign of bytes open. */
    private static boolean isLess(byte[] a, short aOff, byte[] b, short bOff) {
        for (short i = 0; i < Const.COUNTER_LENGTH; i++) {
            short x = (short) (a[(short) (aOff + i)] & 0xFF);
            short y = (short) (b[(short) (bOff + i)] & 0xFF);
            if (x != y) {
                return x < y;
            }
        }
        return false;
    }
}
