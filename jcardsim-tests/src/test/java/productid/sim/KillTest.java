package productid.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The runner killed at any moment, again and again: its state file always holds the last answer given, or more. */
@Timeout(120)
class KillTest {
    private static final String SELECT = "00a4040007d276000085010100";
    private static final String INFO = "8001000000";
    private static final String GENERATE = "8010010000";
    private static final String CHALLENGE = "803000001110000102030405060708090a0b0c0d0e0f00";
    private static final int ROUNDS = 14;
    /** Longer than it takes to start, so that some kills come before the card serves and some while it works. */
    private static final int LATEST_KILL_MS = 900;
    private static final int COUNTER = 0x14 * 2;
    private static final int ID = 8 * 2;

    private final Runner runner = new Runner();
    private long counter;
    private String id = "";
    private int answers;

    @TempDir
    Path folder;

    @AfterEach
    void stop() throws InterruptedException {
        runner.stop();
    }

    @Test
    void noAnswerIsLostWhenTheRunnerIsKilled() throws Exception {
        Random random = new Random(1);
        int early = 0;
        int cutSaves = 0;
        Path state = folder.resolve("card");
        Path fresh = folder.resolve("card.new");
        for (int round = 0; round < ROUNDS; round++) {
            Process process = runner.start("--tcp", "127.0.0.1:0", "--state", state.toString());
            Thread killer = killAfter(process, random.nextInt(LATEST_KILL_MS));
            early += work(process) ? 0 : 1;
            killer.join();
            process.waitFor();
            cutSaves += Files.exists(fresh) ? 1 : 0;
        }
        Files.write(fresh, new byte[] {1, 2, 3});
        try (Wire wire = new Wire(Runner.tcpPort(runner.start("--tcp", "127.0.0.1:0", "--state", state.toString())))) {
            check(wire);
        }
        System.out.printf("virtual card killed %d times, %d before it served, %d within a save: %d answers, none lost%n",
                ROUNDS, early, cutSaves, answers);
        assertTrue(answers > 0 && early < ROUNDS, "nothing was tried");
    }

    private static Thread killAfter(Process process, int ms) {
        Thread killer = new Thread(() -> {
            try {
                Thread.sleep(ms);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            process.destroyForcibly();
        });
        killer.start();
        return killer;
    }

    /** Keeps the card busy until it is dead; false if it was dead before it served. */
    private boolean work(Process process) throws IOException {
        String ready = process.inputReader().readLine();
        if (ready == null) {
            return false;
        }
        try (Wire wire = new Wire(Runner.port(ready))) {
            check(wire);
            if (id.isEmpty()) {
                id = wire.send(GENERATE).substring(0, 24);
                answers++;
            }
            while (true) {
                counter = Long.parseLong(wire.send(CHALLENGE).substring(0, 8), 16);
                answers++;
            }
        } catch (IOException killed) {
            return true;
        }
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
