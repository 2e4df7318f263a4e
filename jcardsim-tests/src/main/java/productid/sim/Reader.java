package productid.sim;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.UnaryOperator;

/** What a reader makes of the commands and answers that pass through it. */
enum Reader {
    /** Passes everything on. */
    PLAIN {
        @Override
        byte[] exchange(byte[] command, UnaryOperator<byte[]> card) {
            return card.apply(command);
        }
    },

    /**
     * ACS ACR122U, the cheapest reader that many people have. Two of its limits meet our cards:
     *
     * <ul>
     * <li>An Le of 3C to FF is answered 6F00, as libhalo's authors report of the model A9. The card has carried the command
     *     out: of the two cases that a host cannot tell apart, the one that costs more. Le 00 passes, as libhalo sends it.
     * <li>Its PN532 takes and gives frames of at most 255 bytes, three of which are not the card's. A longer command does not
     *     reach the card, a longer answer is lost; both are told as 6F00.
     * </ul>
     *
     * Nothing of this was measured on such a reader. That answers of more than 3B bytes pass after Le 00 is an inference.
     */
    ACR122U {
        private static final int LE_MAX = 0x3B;
        private static final int FRAME_MAX = 255 - 3;
        private static final int HEADER_LENGTH = 4;

        @Override
        byte[] exchange(byte[] command, UnaryOperator<byte[]> card) {
            if (command.length > FRAME_MAX) {
                return FAILED.clone();
            }
            byte[] answer = card.apply(command);
            return le(command) > LE_MAX || answer.length > FRAME_MAX ? FAILED.clone() : answer;
        }

        /** The Le byte, 0 where there is none: with a header alone, or where the data reach to the end. */
        private static int le(byte[] command) {
            if (command.length <= HEADER_LENGTH) {
                return 0;
            }
            int lc = command[HEADER_LENGTH] & 0xFF;
            boolean isWithoutData = command.length == HEADER_LENGTH + 1;
            return isWithoutData || command.length == HEADER_LENGTH + 2 + lc ? command[command.length - 1] & 0xFF : 0;
        }
    };

    private static final byte[] FAILED = {0x6F, 0x00};

    /** Passes a command to the card and its answer back, or what this reader says instead. */
    abstract byte[] exchange(byte[] command, UnaryOperator<byte[]> card);

    /** Throws IllegalArgumentException with the names there are. */
    static Reader named(String name) {
        return Arrays.stream(values()).filter(reader -> reader.option().equals(name)).findFirst().orElseThrow(
                () -> new IllegalArgumentException("no reader " + name + " is modelled, only " + ACR122U.option()));
    }

    private String option() {
        return name().toLowerCase(Locale.ROOT);
    }
}
