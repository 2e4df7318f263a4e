package productid.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The runner killed at any moment, again and again: its state file always holds the last answer given, or more. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KillTest {
    private static final String SELECT = "00a4040007d276000085010100";
    private static final String INFO = "8001000000";
    private static final String GENERATE = "8010010000";
    private static final String CHALLENGE = "803000001110000102030405060708090a0b0c0d0e0f00";
    private static final int ROUNDS = 12;
    /** Every so many rounds the kill comes while the runner starts, else while it works. */
    private static final int STARTING = 4;
    private static final int STARTING_MS = 500;
    private static final int WORKING_ANSWERS = 25;
    /** How far into a save the kill may come. */
    private static final int SAVING_MICROS = 300;
    private static final int COUNTER = 0x14 * 2;
    private static final int ID = 8 * 2;

    private final Runner runner = new Runner();
    private final Random random = new Random(1);
    private long counter;
    private String id = "";
    private int answers;

    @TempDir
    Path folder;
    /** There while the runner saves, and after a kill that came then. */
    private Path fresh;

    @AfterEach
    void stop() throws InterruptedException {
        runner.stop();
    }

    @Test
    void noAnswerIsLostWhenTheRunnerIsKilled() throws Exception {
        int cutSaves = 0;
        Path state = folder.resolve("card");
        fresh = folder.resolve("card.new");
        for (int round = 0; round < ROUNDS; round++) {
            Process process = runner.start("--tcp", "127.0.0.1:0", "--state", state.toString());
            boolean works = round % STARTING != 0;
            if (works) {
                work(process);
            } else {
                Thread.sleep(random.nextInt(STARTING_MS));
                process.destroyForcibly();
            }
            process.waitFor();
            cutSaves += works && Files.exists(fresh) ? 1 : 0;
        }
        Files.write(fresh, new byte[] {1, 2, 3});
        try (Wire wire = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--state", state.toString())))) {
            check(wire);
        }
        System.out.printf("virtual card killed %d times, %d of them within a save: %d answers, none lost%n", ROUNDS, cutSaves,
                answers);
        assertTrue(answers > ROUNDS, "hardly anything was tried: " + answers);
        assertTrue(cutSaves > 0, "no kill came within a save");
    }

    /** Keeps the card busy until it is dead; it is killed some answers later, once it saves. */
    private void work(Process process) throws IOException {
        int last = answers + 1 + random.nextInt(WORKING_ANSWERS);
        try (Wire wire = new Wire(Runner.port(process.inputReader().readLine()))) {
            check(wire);
            if (id.isEmpty()) {
                id = wire.send(GENERATE).substring(0, 24);
                answers++;
            }
            while (true) {
                counter = Long.parseLong(wire.send(CHALLENGE).substring(0, 8), 16);
                if (++answers == last) {
                    kill(process, random.nextInt(SAVING_MICROS));
                }
            }
        } catch (IOException killed) {
            // as it was meant
        }
    }

    private void kill(Process process, int micros) {
        new Thread(() -> {
            while (process.isAlive() && !Files.exists(fresh)) {
                Thread.onSpinWait();
            }
            LockSupport.parkNanos(1000L * micros);
            process.destroyForcibly();
        }).start();
    }

    /** The card is no older than its answers. */
    private void check(Wire wire) throws IOException {
        assertEquals("9000", wire.send(SELECT));
        String info = wire.send(INFO);
        String idNow = info.substring(ID, ID + 24);
        assertTrue(id.isEmpty() || idNow.equals(id), id + " became " + idNow);
        id = idNow.equals("0".repeat(24)) ? "" : idNow;
        long now = Long.parseLong(info.substring(COUNTER, COUNTER + 8), 16);
        assertTrue(now >= counter, counter + " became " + now);
        counter = now;
    }
}
