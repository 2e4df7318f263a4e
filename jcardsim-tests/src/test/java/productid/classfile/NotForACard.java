package productid.classfile;

import javacard.framework.Util;
import javacard.security.MessageDigest;

/** Compiles, runs in the simulator, and would not convert or not run on a card: one fault for each rule. */
final class NotForACard {
    static short changing;
    private final byte[][] table = new byte[1][1];
    private final byte[] bytes = new byte[4];
    private short session;
    private long time;

    short sumCompared(short length) {
        return length + 4 > 256 ? 256 : length;
    }

    byte sumAsIndex(short at) {
        return bytes[at + 1];
    }

    short castIsFine(short a, short b) {
        short sum = (short) (a + b);
        return (short) (sum << 8 | bytes[(short) (sum & 3)] & 0xFF);
    }

    short intLocal() {
        int i = 0;
        i++;
        return (short) i;
    }

    short largeConstant(short a) {
        return (short) (a & 0x12345);
    }

    Object allocates() {
        return new byte[1];
    }

    String text() {
        return "text";
    }

    void remembers() {
        session = 1;
        time = 1;
        changing = (short) table.length;
    }

    void tooNew() {
        Util.arrayFill(bytes, (short) 0, (short) 4, (byte) 0);
    }

    void otherAlgorithm(byte algorithm) {
        MessageDigest.getInstance(MessageDigest.ALG_SHA_512, false);
        MessageDigest.getInstance(algorithm, false);
    }

    short read() {
        return (short) (session + time);
    }
}
