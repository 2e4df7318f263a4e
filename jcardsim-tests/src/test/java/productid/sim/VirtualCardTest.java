package productid.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The runner as others use it: a process and sockets. */
@Timeout(60)
class VirtualCardTest {
    private static final String SELECT = "00a4040007d276000085010100";
    private static final String INFO = "8001000000";
    private static final String GENERATE = "8010010000";

    private final List<Process> started = new ArrayList<>();

    @TempDir
    Path folder;

    @AfterEach
    void stop() throws InterruptedException {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void overTcpItAnswersCommandsAndWireSignals() throws Exception {
        try (Reader reader = new Reader(tcpPort(start("--tcp", "127.0.0.1:0")))) {
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

    @ParameterizedTest
    @ValueSource(strings = {"", "05", "80", "8001", "800100000000", "80010000ff00", "80010000000001", "ffffffffffffffff"})
    void malformedCommandsAnswer6700(String command) throws Exception {
        try (Reader reader = new Reader(tcpPort(start("--tcp", "127.0.0.1:0")))) {
            assertEquals("9000", reader.send(SELECT));
            assertEquals("6700", reader.send(command));
            assertTrue(reader.send(INFO).endsWith("9000"), "and the card lives on");
        }
    }

    @Test
    void eachEndpointHasACardOfItsOwn() throws Exception {
        Process process = start("--tcp", "127.0.0.1:0", "--tcp", "127.0.0.1:0");
        BufferedReader out = process.inputReader();
        int first = port(out.readLine());
        int second = port(out.readLine());
        try (Reader one = new Reader(first); Reader two = new Reader(second)) {
            one.send(SELECT);
            two.send(SELECT);
            assertNotEquals(one.send(GENERATE), two.send(GENERATE));
        }
    }

    @Test
    void theStateFileKeepsTheCard() throws Exception {
        Path state = folder.resolve("card");
        String before;
        try (Reader reader = new Reader(tcpPort(start("--tcp", "127.0.0.1:0", "--state", state.toString())))) {
            reader.send(SELECT);
            assertTrue(reader.send(GENERATE).endsWith("9000"));
            before = reader.send(INFO);
        }
        stop();
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(state)));
        try (Reader reader = new Reader(tcpPort(start("--tcp", "127.0.0.1:0", "--state", state.toString())))) {
            reader.send(SELECT);
            assertEquals(before, reader.send(INFO));
            assertEquals("6985", reader.send(GENERATE));
        }
        assertEquals(List.of("card"), list(folder));
    }

    @Test
    void aStateFileThatIsNoneIsNotOverwritten() throws Exception {
        Path state = Files.writeString(folder.resolve("card"), "not a card");
        Process process = start("--tcp", "127.0.0.1:0", "--state", state.toString());
        assertEquals(1, process.waitFor());
        assertEquals("not a card", Files.readString(state));
    }

    @Test
    void aTearCutsTheConnectionAndTheNextOneFindsTheCardAsItWas() throws Exception {
        int port = tcpPort(start("--tcp", "127.0.0.1:0", "--tear", "1"));
        try (Reader reader = new Reader(port)) {
            reader.send(SELECT);
            assertThrows(EOFException.class, () -> reader.send(GENERATE));
        }
        try (Reader reader = new Reader(port)) {
            assertEquals("6986", reader.send(INFO));
            reader.send(SELECT);
            assertEquals("00", reader.send(INFO).substring(6, 8), "still INSTALLED");
            assertTrue(reader.send(GENERATE).endsWith("9000"));
        }
    }

    @Test
    void aLostAnswerIsOfACommandThatWasDone() throws Exception {
        int port = tcpPort(start("--tcp", "127.0.0.1:0", "--drop-response", "2"));
        try (Reader reader = new Reader(port)) {
            reader.send(SELECT);
            assertThrows(EOFException.class, () -> reader.send(GENERATE));
        }
        try (Reader reader = new Reader(port)) {
            reader.send(SELECT);
            assertEquals("01", reader.send(INFO).substring(6, 8), "KEYED");
        }
    }

    @Test
    void theTraceIsAReadSequence() throws Exception {
        Path trace = folder.resolve("trace");
        try (Reader reader = new Reader(tcpPort(start("--tcp", "127.0.0.1:0", "--trace", trace.toString(), "--drop-response", "2")))) {
            reader.send(SELECT);
            assertThrows(EOFException.class, () -> reader.send(INFO));
        }
        assertEquals(List.of("activate", "> " + SELECT.toUpperCase(Locale.ROOT), "< 9000", "> 8001000000", "# answer lost"),
                Files.readAllLines(trace));
    }

    @Test
    void itConnectsToVpcdAndComesBack() throws Exception {
        try (ServerSocket vpcd = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Process process = start("--vpcd", "127.0.0.1:" + vpcd.getLocalPort());
            try (Reader reader = new Reader(vpcd.accept())) {
                assertEquals("ready vpcd 127.0.0.1:" + vpcd.getLocalPort(), process.inputReader().readLine());
                reader.signal("01");
                assertEquals("3b80800101", reader.send("04"));
                assertEquals("9000", reader.send(SELECT));
                assertTrue(reader.send(GENERATE).endsWith("9000"));
                reader.signal("02");
                assertEquals("6986", reader.send(INFO));
            }
            try (Reader reader = new Reader(vpcd.accept())) {
                assertEquals("9000", reader.send(SELECT), "the same card, put in again");
                assertEquals("01", reader.send(INFO).substring(6, 8));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--tcp 0.0.0.0:0", "--vpcd 192.0.2.1:35963", "--tcp 127.0.0.1", "--tcp 127.0.0.1:x", "--tcp", "--frob 1", "",
        "--tcp 127.0.0.1:0 --tear 0", "--tcp 127.0.0.1:0 --drop-response x"})
    void whatItCannotDoItSaysAndLeaves(String options) throws Exception {
        Process process = start(options.isEmpty() ? new String[0] : options.split(" "));
        assertEquals(2, process.waitFor());
        assertEquals(0, process.getInputStream().readAllBytes().length);
        assertTrue(new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8).startsWith("virtual-card: "));
    }

    @Test
    void nothingButReadyLinesIsOnStandardOutput() throws Exception {
        Process process = start("--tcp", "127.0.0.1:0");
        BufferedReader out = process.inputReader();
        try (Reader reader = new Reader(port(out.readLine()))) {
            reader.send(SELECT);
            reader.send(GENERATE);
        }
        process.toHandle().destroy(); // leaves the pipe open, as Process.destroy does not
        assertArrayEquals(new String[0], out.lines().toArray());
    }

    private Process start(String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), VirtualCard.class.getName()));
        command.addAll(List.of(options));
        Process process = new ProcessBuilder(command).start();
        started.add(process);
        return process;
    }

    private static int tcpPort(Process process) throws IOException {
        return port(new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)).readLine());
    }

    private static int port(String line) {
        assertTrue(line.matches("ready tcp 127\\.0\\.0\\.1:\\d+"), line);
        return Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
    }

    private static List<String> list(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    /** The other end of the wire. */
    private static final class Reader implements AutoCloseable {
        private final Socket socket;
        private final DataInputStream in;
        private final DataOutputStream out;

        Reader(int port) throws IOException {
            this(new Socket(InetAddress.getLoopbackAddress(), port));
        }

        Reader(Socket socket) throws IOException {
            this.socket = socket;
            socket.setTcpNoDelay(true);
            in = new DataInputStream(socket.getInputStream());
            out = new DataOutputStream(socket.getOutputStream());
        }

        String send(String hex) throws IOException {
            signal(hex);
            byte[] answer = new byte[in.readUnsignedShort()];
            in.readFully(answer);
            return HexFormat.of().formatHex(answer);
        }

        /** A frame that is not answered. */
        void signal(String hex) throws IOException {
            byte[] frame = HexFormat.of().parseHex(hex);
            out.writeShort(frame.length);
            out.write(frame);
            out.flush();
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }
}
