package productid.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The runner as others use it: a process and sockets. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class VirtualCardTest {
    private static final String SELECT = "00a4040007d276000085010100";
    private static final String INFO = "8001000000";
    private static final String GENERATE = "8010010000";

    private final Runner runner = new Runner();

    @TempDir
    Path folder;

    @AfterEach
    void stop() throws InterruptedException {
        runner.stop();
    }

    @Test
    void overTcpItAnswersCommandsAndWireSignals() throws Exception {
        try (Wire reader = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0")))) {
            assertEquals("3b80800101", reader.send("04"));
            assertEquals("9000", reader.send(SELECT));
            assertTrue(reader.send(INFO).endsWith("9000"));
            for (String signal : new String[] {"00", "01", "02"}) {
                assertEquals("", reader.send(signal));
                assertEquals("6986", reader.send(INFO), "nothing is selected after signal " + signal);
                reader.send(SELECT);
            }
        }
    }

    @Test
    void malformedCommandsAnswer6700() throws Exception {
        try (Wire reader = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0")))) {
            assertEquals("9000", reader.send(SELECT));
            for (String command : new String[] {"", "05", "80", "8001", "800100000000", "80010000ff00", "80010000000001",
                "ffffffffffffffff"}) {
                assertEquals("6700", reader.send(command), command);
                assertTrue(reader.send(INFO).endsWith("9000"), "and the card lives on after " + command);
            }
        }
    }

    @Test
    void eachEndpointHasACardOfItsOwn() throws Exception {
        Process process = runner.start("--tcp", "127.0.0.1:0", "--tcp", "127.0.0.1:0");
        BufferedReader out = process.inputReader();
        int first = Runner.port(out.readLine());
        int second = Runner.port(out.readLine());
        try (Wire one = new Wire(first); Wire two = new Wire(second)) {
            one.send(SELECT);
            two.send(SELECT);
            assertNotEquals(one.send(GENERATE), two.send(GENERATE));
        }
    }

    @Test
    void theStateFileKeepsTheCard() throws Exception {
        Path state = folder.resolve("card");
        String before;
        try (Wire reader = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--state", state.toString())))) {
            reader.send(SELECT);
            assertTrue(reader.send(GENERATE).endsWith("9000"));
            before = reader.send(INFO);
        }
        stop();
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(state)));
        try (Wire reader = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--state", state.toString())))) {
            reader.send(SELECT);
            assertEquals(before, reader.send(INFO));
            assertEquals("6985", reader.send(GENERATE));
        }
        assertEquals(List.of("card", "card.lock"), list(folder));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "not a card", "productid virtual card, version 1\n"})
    void aStateFileThatIsNoneIsNotOverwritten(String content) throws Exception {
        Path state = Files.writeString(folder.resolve("card"), content);
        assertRefuses(state, "no card's memory");
        assertEquals(content, Files.readString(state));
    }

    @Test
    void aDamagedStateFileIsNoNewCard() throws Exception {
        Path state = folder.resolve("card");
        Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--state", state.toString()));
        stop();
        byte[] bytes = Files.readAllBytes(state);
        bytes[bytes.length / 2] ^= 1;
        Files.write(state, bytes);
        assertRefuses(state, "its checksum is wrong");
        assertArrayEquals(bytes, Files.readAllBytes(state));
        Files.write(state, Arrays.copyOf(bytes, bytes.length - 1));
        assertRefuses(state, "its checksum is wrong");
    }

    @Test
    void twoProcessesDoNotShareAStateFile() throws Exception {
        Path state = folder.resolve("card");
        Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--state", state.toString()));
        assertRefuses(state, "in use by another virtual card");
    }

    private void assertRefuses(Path state, String reason) throws Exception {
        Process process = runner.start("--tcp", "127.0.0.1:0", "--state", state.toString());
        assertEquals(1, process.waitFor());
        String complaint = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(complaint.contains(reason), complaint);
        assertEquals(0, process.getInputStream().readAllBytes().length);
    }

    @Test
    void aTearCutsTheConnectionAndTheNextOneFindsTheCardAsItWas() throws Exception {
        int port = Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--tear", "1"));
        try (Wire reader = new Wire(port)) {
            reader.send(SELECT);
            assertThrows(EOFException.class, () -> reader.send(GENERATE));
        }
        try (Wire reader = new Wire(port)) {
            assertEquals("6986", reader.send(INFO));
            reader.send(SELECT);
            assertEquals("00", reader.send(INFO).substring(6, 8), "still INSTALLED");
            assertTrue(reader.send(GENERATE).endsWith("9000"));
        }
    }

    @Test
    void aLostAnswerIsOfACommandThatWasDone() throws Exception {
        int port = Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--drop-response", "2"));
        try (Wire reader = new Wire(port)) {
            reader.send(SELECT);
            assertThrows(EOFException.class, () -> reader.send(GENERATE));
        }
        try (Wire reader = new Wire(port)) {
            reader.send(SELECT);
            assertEquals("01", reader.send(INFO).substring(6, 8), "KEYED");
        }
    }

    @Test
    void theTraceIsAReadSequence() throws Exception {
        Path trace = folder.resolve("trace");
        try (Wire reader = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--trace", trace.toString(), "--drop-response", "2")))) {
            reader.send(SELECT);
            assertThrows(EOFException.class, () -> reader.send(INFO));
        }
        assertEquals(List.of("activate", "> " + SELECT.toUpperCase(Locale.ROOT), "< 9000", "> 8001000000", "# answer lost"),
                Files.readAllLines(trace));
    }

    @Test
    void itConnectsToVpcdAndComesBack() throws Exception {
        try (ServerSocket vpcd = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Process process = runner.start("--vpcd", "127.0.0.1:" + vpcd.getLocalPort());
            try (Wire reader = new Wire(vpcd.accept())) {
                assertEquals("ready vpcd 127.0.0.1:" + vpcd.getLocalPort(), process.inputReader().readLine());
                reader.signal("01");
                assertEquals("3b80800101", reader.send("04"));
                assertEquals("9000", reader.send(SELECT));
                assertTrue(reader.send(GENERATE).endsWith("9000"));
                reader.signal("02");
                assertEquals("6986", reader.send(INFO));
            }
            try (Wire reader = new Wire(vpcd.accept())) {
                assertEquals("9000", reader.send(SELECT), "the same card, put in again");
                assertEquals("01", reader.send(INFO).substring(6, 8));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--tcp 0.0.0.0:0", "--vpcd 192.0.2.1:35963", "--tcp 127.0.0.1", "--tcp 127.0.0.1:x", "--tcp", "--frob 1", "",
        "--tcp 127.0.0.1:0 --tear 0", "--tcp 127.0.0.1:0 --until noon", "--tcp 127.0.0.1:0 --reader acr", "--tcp 127.0.0.1:0 --commit-buffer 99999",
        "--tcp 127.0.0.1:0 --drop-response x", "--tcp 127.0.0.1:0 --install 0", "--tcp 127.0.0.1:0 --install 030000"})
    void whatItCannotDoItSaysAndLeaves(String options) throws Exception {
        Process process = runner.start(options.isEmpty() ? new String[0] : options.split(" "));
        assertEquals(2, process.waitFor());
        assertEquals(0, process.getInputStream().readAllBytes().length);
        assertTrue(new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8).startsWith("virtual-card: "));
    }

    @Test
    void itEndsWithItsInputWhereThatIsAsked() throws Exception {
        Process process = runner.start("--tcp", "127.0.0.1:0", "--until", "input-ends");
        try (Wire reader = new Wire(Runner.tcpPort(process))) {
            process.getOutputStream().write(1);
            process.getOutputStream().flush();
            assertEquals("9000", reader.send(SELECT), "what stands in the input means nothing");
            process.getOutputStream().close();
            assertEquals(0, process.waitFor());
        }
    }

    @Test
    void nothingButReadyLinesIsOnStandardOutput() throws Exception {
        Process process = runner.start("--tcp", "127.0.0.1:0");
        BufferedReader out = process.inputReader();
        try (Wire reader = new Wire(Runner.port(out.readLine()))) {
            reader.send(SELECT);
            reader.send(GENERATE);
        }
        process.toHandle().destroy(); // leaves the pipe open, as Process.destroy does not
        assertArrayEquals(new String[0], out.lines().toArray());
    }

    private static List<String> list(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
