package productid.sim;

import java.io.IOException;

/** Loses the power at each tear point of a command in turn, each time from the same memory. */
final class Sweep {
    private Sweep() {
    }

    /**
     * Lets look at what each tear left, and at the end at what the whole command left. Returns how many points there were.
     */
    static int run(SimCard card, Runnable command, Runnable select, Runnable look) throws IOException {
        byte[] image = card.image();
        for (int point = 0; ; point++) {
            card.restore(image);
            select.run();
            card.memory().tearAt(point);
            boolean torn = false;
            try {
                command.run();
            } catch (PowerLost e) {
                torn = true;
            }
            int points = card.memory().points();
            card.memory().watch();
            card.powerUp();
            select.run();
            look.run();
            if (!torn) {
                return points;
            }
        }
    }
}
