package productid.tests;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The counter of PROTOCOL.md: eight slots of n ‖ ~n, and cells that hold what they held. */
final class CounterRing {
    static final int SLOTS = 8;
    static final long NONE = 0xFFFFFFFFL;

    /** A cell that no write changes any more. */
    private record Worn(int at, byte value) {
    }

    private final ByteBuffer cells;
    private final List<Worn> worn;
    private final long max;

    CounterRing(long max) {
        this(ByteBuffer.allocate(SLOTS * Long.BYTES), new ArrayList<>(), max);
    }

    private CounterRing(ByteBuffer cells, List<Worn> worn, long max) {
        this.cells = cells;
        this.worn = worn;
        this.max = max;
    }

    CounterRing copy() {
        return new CounterRing(ByteBuffer.wrap(cells.array().clone()), new ArrayList<>(worn), max);
    }

    long max() {
        return max;
    }

    /** What a slot holds now, whatever the rules say. */
    void put(int slot, long value) {
        cells.putLong(slot * Long.BYTES, value);
        worn.forEach(cell -> cells.put(cell.at, cell.value));
    }

    void flip(int at, int bits) {
        cells.put(at, (byte) (cells.get(at) ^ bits));
    }

    void wearOut(int at) {
        worn.add(new Worn(at, cells.get(at)));
    }

    /** The last number used up, or NONE. */
    long last() {
        long last = -1;
        for (int slot = 0; slot < SLOTS; slot++) {
            last = Math.max(last, numberIn(slot));
        }
        return last < 0 ? NONE : last;
    }

    boolean isExhausted() {
        long last = last();
        return last == NONE || last >= max;
    }

    /** Number 0 goes where it belongs; false if it does not stay there. */
    boolean start() {
        return write(0);
    }

    /** The number that a commit used up, FAILED if the memory took none, and how often it wrote. */
    record Commit(long number, int writes) {
        static final long FAILED = -1;
    }

    /** Uses up a number of a card that is not exhausted. */
    Commit commit() {
        int writes = 0;
        long first = last() + 1;
        for (long n = first; n < first + SLOTS && n <= max; n++) {
            int slot = (int) (n % SLOTS);
            if (n < SLOTS ? cells.getLong(slot * Long.BYTES) != 0 : numberIn(slot) < 0) {
                continue;
            }
            writes++;
            if (write(n)) {
                return new Commit(n, writes);
            }
        }
        return new Commit(Commit.FAILED, writes);
    }

    private boolean write(long n) {
        int slot = (int) (n % SLOTS);
        put(slot, pair(n));
        return cells.getLong(slot * Long.BYTES) == pair(n);
    }

    /** The number in a slot, -1 if it is not valid there. */
    private long numberIn(int slot) {
        long value = cells.getLong(slot * Long.BYTES);
        long n = value >>> Integer.SIZE;
        return value == pair(n) && n % SLOTS == slot ? n : -1;
    }

    static long pair(long n) {
        return n << Integer.SIZE | ~n & NONE;
    }
}
