package productid.tests;

import java.nio.ByteBuffer;

/** What a card answers: data only with 9000. */
record Answer(int status, byte[] data) {
    static final int OK = 0x9000;

    /** A command refused: the model's way out, so it carries no stack. */
    static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1;
        final int status;

        Refused(int status) {
            super(null, null, false, false);
            this.status = status;
        }
    }

    static void require(boolean condition, int status) {
        if (!condition) {
            throw new Refused(status);
        }
    }

    byte[] bytes() {
        return ByteBuffer.allocate(data.length + Short.BYTES).put(data).putShort((short) status).array();
    }
}
