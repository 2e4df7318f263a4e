package productid.tests;

import java.util.Arrays;

/**
 * Bytes that no answer may show. Eight of them in a row are a finding wherever they stand in one: a coincidence of random
 * bytes is less likely than 2⁻³⁰ over all that one run compares, and the same in each run of a seed.
 */
final class Secrets {
    static final int WINDOW = 8;
    private static final int FIRST_CAPACITY = 1 << 12;

    /** Open addressing; 0 marks a free place, so that the window of eight zeros is never a secret. */
    private long[] windows = new long[FIRST_CAPACITY];
    private String[] names = new String[FIRST_CAPACITY];
    private int size;

    void keep(String name, byte[] bytes) {
        for (int i = 0; i + WINDOW <= bytes.length; i++) {
            put(window(bytes, i), name);
        }
    }

    /** The name of the first secret in an answer, or null. */
    String in(byte[] answer) {
        for (int i = 0; i + WINDOW <= answer.length; i++) {
            String name = names[place(window(answer, i))];
            if (name != null) {
                return name;
            }
        }
        return null;
    }

    private void put(long window, String name) {
        if (window == 0) {
            return;
        }
        if (size * 2 > windows.length) {
            grow();
        }
        int place = place(window);
        if (names[place] == null) {
            size++;
            windows[place] = window;
            names[place] = name;
        }
    }

    private int place(long window) {
        int place = (int) (window * 0x9E3779B97F4A7C15L >>> 40) & windows.length - 1;
        while (names[place] != null && windows[place] != window) {
            place = place + 1 & windows.length - 1;
        }
        return place;
    }

    private void grow() {
        long[] old = windows;
        String[] oldNames = names;
        windows = new long[old.length * 2];
        names = new String[old.length * 2];
        size = 0;
        for (int i = 0; i < old.length; i++) {
            if (oldNames[i] != null) {
                put(old[i], oldNames[i]);
            }
        }
    }

    private static long window(byte[] bytes, int at) {
        long window = 0;
        for (byte b : Arrays.copyOfRange(bytes, at, at + WINDOW)) {
            window = window << Byte.SIZE | b & 0xFF;
        }
        return window;
    }
}
