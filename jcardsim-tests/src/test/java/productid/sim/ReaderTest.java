package productid.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The limits of an ACR122U, command by command. */
class ReaderTest {
    @ParameterizedTest
    @CsvSource({
        "00B0000002,          2, 2, true",
        "00B000003B,         59, 59, true",
        "00B000003C,         60, -1, true", // the card has done it all the same
        "00B00000FF,        255, -1, true",
        "00B0000000,        250, 250, true",
        "00B0000000,        251, -1, true",
        "00A4000C02E103,      0, 0, true", // the last byte of the data is no Le
        "00A4000C02E1033B,    0, 0, true",
        "00A4000C02E1033C,    0, -1, true",
        "80400000,            0, 0, true",
    })
    void whatPassesAndWhatDoesNot(String command, int answered, int received, boolean reached) {
        assertEquals(received, received(HexFormat.of().parseHex(command), answered, reached));
    }

    @ParameterizedTest
    @CsvSource({"247, 0, true", "248, -1, false"})
    void aCommandLongerThanItsFrameDoesNotReachTheCard(int data, int received, boolean reached) {
        byte[] command = new byte[5 + data];
        command[4] = (byte) data;
        assertEquals(received, received(command, 0, reached));
    }

    /** Bytes of data that come through, -1 for 6F00. */
    private static int received(byte[] command, int answered, boolean reached) {
        boolean[] called = new boolean[1];
        byte[] answer = Reader.ACR122U.exchange(command, c -> {
            called[0] = true;
            byte[] full = new byte[answered + 2];
            full[answered] = (byte) 0x90;
            return full;
        });
        assertEquals(reached, called[0]);
        String status = HexFormat.of().formatHex(answer, answer.length - 2, answer.length);
        return status.equals("6f00") ? -1 : answer.length - 2;
    }
}
