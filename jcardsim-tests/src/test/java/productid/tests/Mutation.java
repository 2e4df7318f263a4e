package productid.tests;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;

/** What goes wrong with a command on its way: each kind of damage that a header, a length, data and a cut can take. */
final class Mutation {
    private static final int HEADER = 4;
    private static final int LC = 4;
    private static final int SHORT_MAX = 255;
    private static final int[] INTERESTING = {0x00, 0x01, 0x02, 0x04, 0x0C, 0x0F, 0x10, 0x7F, 0x80, 0x81, 0x84, 0x90, 0xA4, 0xB0, 0xE1, 0xF0, 0xFF};

    private Mutation() {
    }

    static byte[] of(byte[] command, Random random) {
        byte[] c = command.clone();
        return switch (random.nextInt(12)) {
            case 0 -> channel(c, 1 + random.nextInt(3));
            case 1, 2, 3 -> strike(c, random.nextInt(Math.min(HEADER, c.length)), random);
            case 4 -> strike(c, random.nextInt(c.length), random);
            case 5 -> Arrays.copyOf(c, random.nextInt(c.length));
            case 6 -> longer(c, 1 + random.nextInt(4), random);
            case 7 -> withLe(c, random);
            case 8 -> withoutLast(c);
            case 9 -> extended(c, random);
            case 10 -> otherData(c, random);
            default -> lc(c, random);
        };
    }

    private static byte[] channel(byte[] c, int channel) {
        c[0] |= (byte) channel;
        return c;
    }

    private static byte[] strike(byte[] c, int at, Random random) {
        c[at] = (byte) switch (random.nextInt(4)) {
            case 0 -> c[at] ^ 1 << random.nextInt(8);
            case 1 -> c[at] + (random.nextBoolean() ? 1 : -1);
            case 2 -> INTERESTING[random.nextInt(INTERESTING.length)];
            default -> random.nextInt(256);
        };
        return c;
    }

    private static byte[] longer(byte[] c, int by, Random random) {
        byte[] longer = new byte[c.length + by];
        random.nextBytes(longer);
        System.arraycopy(c, 0, longer, 0, c.length);
        return longer;
    }

    private static byte[] withLe(byte[] c, Random random) {
        byte[] with = Arrays.copyOf(c, c.length + 1);
        with[c.length] = (byte) (random.nextBoolean() ? 0 : random.nextInt(256));
        return with;
    }

    private static byte[] withoutLast(byte[] c) {
        return Arrays.copyOf(c, c.length - 1);
    }

    /** The same command in the extended form, with or without data. */
    private static byte[] extended(byte[] c, Random random) {
        int length = c.length > LC + 1 ? Math.min(c.length - LC - 1, c[LC] & 0xFF) : 0;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(c, 0, Math.min(HEADER, c.length));
        out.write(0);
        if (length > 0) {
            out.write(0);
            out.write(length);
            out.write(c, LC + 1, length);
        }
        if (length == 0 || random.nextBoolean()) {
            out.write(0);
            out.write(0);
        }
        return out.toByteArray();
    }

    /** Well-formed, with other data than it should have. */
    private static byte[] otherData(byte[] c, Random random) {
        byte[] data = new byte[1 + (random.nextInt(4) == 0 ? random.nextInt(SHORT_MAX) : random.nextInt(40))];
        random.nextBytes(data);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(c, 0, Math.min(HEADER, c.length));
        out.write(data.length);
        out.writeBytes(data);
        if (random.nextBoolean()) {
            out.write(random.nextInt(256));
        }
        return out.toByteArray();
    }

    private static byte[] lc(byte[] c, Random random) {
        if (c.length > LC) {
            c[LC] = (byte) (random.nextBoolean() ? c[LC] + random.nextInt(5) - 2 : random.nextInt(256));
        }
        return c;
    }
}
