package productid.sim;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javacard.framework.TransactionException;

/**
 * Persistent memory: every write of the applet comes here. It keeps what a transaction must be able to undo, and it
 * can lose power at each write.
 *
 * <p>A <i>tear point</i> is a place where the power may go: before and after each write, before and after each begin
 * and commit, and in the middle of a write that is not atomic, which leaves its whole destination undefined. Points
 * are counted from the last {@link #watch}. Not safe for concurrent use: {@link SimCard} holds the lock.
 */
public final class Memory {
    /** The commit buffer of JCOP 2.4 cards, in bytes; cards start with it. */
    public static final int COMMIT_CAPACITY = 512;
    /** That of the smallest card in use, a Feitian H19. */
    public static final int SMALLEST_COMMIT_CAPACITY = 384;
    /** What an entry in the commit buffer costs beside its old bytes: an address and a length. */
    private static final int ENTRY_OVERHEAD = 4;
    private static final int NEVER = -1;

    private final Deque<Runnable> undo = new ArrayDeque<>();
    private final List<Runnable> undefinedIfTorn = new ArrayList<>();
    private final List<Runnable> undefinedIfAborted = new ArrayList<>();
    private final Map<byte[], Map<Integer, Byte>> worn = new IdentityHashMap<>();
    private int capacity = COMMIT_CAPACITY;
    private int room = COMMIT_CAPACITY;
    private int largestCommit;
    private boolean inTransaction;
    private PowerLost lost;
    private long writes;
    private int points;
    private int tearPoint = NEVER;
    private long tearWrite = NEVER;

    /** Counts tear points from here on and loses no power at any of them. */
    public void watch() {
        points = 0;
        tearPoint = NEVER;
    }

    /** Counts tear points from here on, the first is 0, and loses power at the given one. */
    public void tearAt(int point) {
        points = 0;
        tearPoint = point;
    }

    /** Tears the n-th write from now on, the first is 1: an atomic one does not happen, any other leaves garbage. */
    public void tearWrite(long n) {
        tearWrite = writes + n;
    }

    /** Tear points passed since the last {@link #watch} or {@link #tearAt}. */
    public int points() {
        return points;
    }

    /** Persistent writes so far, those that a transaction undid included. */
    public long writes() {
        return writes;
    }

    /** The size of the commit buffer from now on, in bytes; not within a transaction. */
    public void commitCapacity(int bytes) {
        capacity = bytes;
        room = bytes;
    }

    /** The most bytes of the commit buffer that were in use at once so far, by a transaction or one atomic copy. */
    public int largestCommit() {
        return largestCommit;
    }

    /** A worn-out cell: whatever is written there from now on, it holds what it held. */
    public void wearOut(byte[] array, int offset) {
        worn.computeIfAbsent(array, a -> new TreeMap<>()).put(offset, array[offset]);
    }

    /** New cells again. */
    public void renew() {
        worn.clear();
    }

    void begin() {
        point("before begin");
        inTransaction = true;
        point("after begin");
    }

    void commit() {
        point("before commit");
        close();
        point("after commit");
    }

    /**
     * Undoes the atomic writes of the open transaction. Arrays written non-atomically stay as they are; for key objects the
     * specification promises neither that nor the contrary, so they hold garbage.
     */
    void abort() {
        rollBack();
        undefinedIfAborted.forEach(Runnable::run);
        close();
    }

    /** A write that happens wholly or not at all, and is undone with the transaction around it. */
    void atomic(int size, Runnable write, Runnable revert) {
        reserve(size);
        if (startsTornWrite()) {
            cut("at write " + writes);
        }
        if (inTransaction) {
            undo.push(revert);
        }
        write.run();
        ends();
    }

    /**
     * A write that no transaction undoes and that a tear leaves undefined, now or until the open transaction ends.
     *
     * @param torn what a tear can leave, each a tear point of its own; the first is garbage, and what {@link #tearWrite} and
     *     the end of a torn transaction leave
     */
    void nonAtomic(Runnable write, Runnable... torn) {
        boolean isTornWrite = startsTornWrite();
        if (isTornWrite) {
            torn[0].run();
            cut("within write " + writes);
        }
        for (int kind = 0; kind < torn.length; kind++) {
            if (points == tearPoint) {
                torn[kind].run();
            }
            point("within write " + writes + (torn.length == 1 ? "" : ", kind " + kind));
        }
        write.run();
        if (inTransaction) {
            undefinedIfTorn.add(torn[0]);
        }
        ends();
    }

    /** As {@link #nonAtomic} for a key object, of which nothing is known after an abort either. */
    void key(Runnable write, Runnable... torn) {
        if (inTransaction) {
            undefinedIfAborted.add(torn[0]);
        }
        nonAtomic(write, torn);
    }

    int room() {
        return room;
    }

    int capacity() {
        return capacity;
    }

    /** The power cut that has happened and was not yet followed by a power-up, or null. */
    PowerLost lost() {
        return lost;
    }

    void powerUp() {
        rollBack();
        close();
        lost = null;
    }

    private boolean startsTornWrite() {
        point("before write " + (writes + 1));
        return ++writes == tearWrite;
    }

    private void ends() {
        settle();
        point("after write " + writes);
    }

    private void point(String where) {
        if (lost != null) {
            throw lost;
        }
        if (points++ == tearPoint) {
            cut(where);
        }
    }

    private void cut(String where) {
        rollBack();
        undefinedIfTorn.forEach(Runnable::run);
        close();
        settle();
        tearPoint = NEVER;
        lost = new PowerLost(where);
        throw lost;
    }

    private void reserve(int size) {
        int cost = size + ENTRY_OVERHEAD;
        if (cost > room) {
            TransactionException.throwIt(TransactionException.BUFFER_FULL);
        }
        largestCommit = Math.max(largestCommit, capacity - room + cost);
        if (inTransaction) {
            room -= cost;
        }
    }

    private void rollBack() {
        while (!undo.isEmpty()) {
            undo.pop().run();
        }
    }

    private void close() {
        undo.clear();
        undefinedIfTorn.clear();
        undefinedIfAborted.clear();
        room = capacity;
        inTransaction = false;
    }

    private void settle() {
        worn.forEach((array, cells) -> cells.forEach((offset, value) -> array[offset] = value));
    }
}
