package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import productid.sim.Memory;
import productid.sim.PowerLost;
import productid.tests.TearTable.Command;
import productid.tests.TearTable.State;

/**
 * Every command in every state, the power lost before, within and after each of its writes and after its answer; then the
 * command again, the power lost once more at each of its points; then the card is finished as a station does it. A {@link
 * Witness} looks at all of it. The same points each time.
 */
class TearSweepTest {
    private static final int SHOWN = 20;
    private static final int NEVER = -1;
    private static final int HEX = 16;

    private final Card card = Card.installed();
    private final List<String> violations = new ArrayList<>();
    private int states;
    /** One in as many states counts as many times. */
    private int commands;
    private int points;
    private int twice;

    @Test
    void whereverThePowerGoesTheCardGoesOn() {
        card.sim.memory().commitCapacity(Memory.SMALLEST_COMMIT_CAPACITY);
        for (byte algorithm : new byte[] {TapUrl.P256, TapUrl.RSA_2048}) {
            for (State state : TearTable.states(algorithm)) {
                states++;
                TearTable.commands().forEach(command -> sweep(state, command));
            }
        }
        System.out.printf("tear sweep: %d states × %d commands, %d points in all: %d violations (%d of the points in a second attempt; at"
                + " most %d of %d bytes in the commit buffer)%n", states, commands / states, points, violations.size(), twice,
                card.sim.memory().largestCommit(), Memory.SMALLEST_COMMIT_CAPACITY);
        assertEquals(List.of(), violations.subList(0, Math.min(SHOWN, violations.size())));
        assertTrue(points > 2 * commands, "few points");
    }

    /** Memory wears, and slow phones give up: from the selection to the last byte a tap writes its number and nothing else. */
    @Test
    void aTapWritesOnce() {
        for (byte algorithm : new byte[] {TapUrl.P256, TapUrl.RSA_2048}) {
            Card locked = Card.shared(algorithm, Card.Life.LOCKED);
            Memory memory = locked.sim.memory();
            memory.watch();
            long before = memory.writes();
            byte[] message = locked.tap();
            System.out.printf("one tap of algorithm %d: %d bytes, %d persistent write, %d tear points%n", algorithm, message.length,
                    memory.writes() - before, memory.points());
            assertEquals(before + 1, memory.writes());
            assertEquals(2, memory.points(), "before it and after it: it is atomic, and in no transaction");
        }
    }

    /** Tears one command at each of its points, and the attempts to repeat it at each of theirs. */
    private void sweep(State state, Command command) {
        commands++;
        boolean more = true;
        for (int first = 0; more; first++) {
            int at = first;
            more = point(state, command, at, NEVER);
            boolean again = (more || at > 0) && isSweptTwice(state, at);
            for (int second = 0; again; second++) {
                twice++;
                again = point(state, command, at, second);
            }
        }
    }

    /** RSA is slow, and no other code but the pair's own: the second attempt after its first point is enough. */
    private static boolean isSweptTwice(State state, int first) {
        return state.algorithm() == TapUrl.P256 || first == 0;
    }

    /**
     * One life: torn at the first point, then at the second, then finished. True if the last tear was one, false if the
     * command had no such point and only its answer was lost.
     */
    private boolean point(State state, Command command, int first, int second) {
        points++;
        try {
            card.restore(state.image());
            Life life = new Life(card, state, command);
            boolean torn = life.attempt(first);
            if (second != NEVER) {
                torn = life.attempt(second);
            }
            life.finish();
            return torn;
        } catch (AssertionError | RuntimeException e) {
            violations.add("%s of algorithm %d, %s at %d, %d: %s".formatted(state.name(), state.algorithm(), command.name(), first, second,
                    e));
            return false;
        } finally {
            card.sim.memory().watch();
        }
    }

    /** What a card goes through from one state on, and what must be true of it all the while. */
    private static final class Life {
        private final Card card;
        private final State state;
        private final Command command;
        private final Witness witness = new Witness();
        private final List<String> items;
        /** Algorithm of the key that was there from the beginning, 0 without one. */
        private final byte had;

        Life(Card card, State state, Command command) {
            this.card = card;
            this.state = state;
            this.command = command;
            card.sim.silicon(witness);
            witness.check(card);
            items = items();
            had = card.algorithm();
            card.powerUpAndSelect();
        }

        /** Sends the command and loses the power at the point, or after the answer. True if before it. */
        boolean attempt(int point) {
            String apdu = command.apdu().replace("CARD", Card.hex(card.info().id()));
            command.before().forEach(card::send);
            card.sim.memory().tearAt(point);
            boolean torn = false;
            try {
                String answer = card.send(apdu);
                assertTrue(!answer.equals("6f00"), "an unforeseen error");
            } catch (PowerLost e) {
                torn = true;
            }
            card.sim.memory().watch();
            card.powerUpAndSelect();
            witness.check(card);
            checkItems();
            return torn;
        }

        /** Each item is what it was, or what the command brought. */
        private void checkItems() {
            List<String> now = items();
            for (int i = 0; i < now.size(); i++) {
                boolean isOld = now.get(i).equals(items.get(i));
                boolean isNew = command.apdu().startsWith("802000%02x".formatted(i + 1))
                        && now.get(i).equals("00" + command.apdu().substring(8) + "9000");
                assertTrue(isOld || isNew, () -> "neither old nor new: " + now);
            }
        }

        /** Answers of GET DATA to prefix, middle and profile. */
        private List<String> items() {
            return List.of(card.send("8021000100"), card.send("8021000200"), card.send("8021000300"));
        }

        /** As a station does it, and then two readers. */
        void finish() {
            byte wanted = had != 0 ? had : (byte) Integer.parseInt(command.apdu(), 4, 6, HEX);
            if (card.info().state() == 0) {
                wanted = state.algorithm();
                card.generate(wanted);
            }
            assertEquals(wanted, card.algorithm(), "another key than was asked for");
            if (card.info().state() == 1) {
                card.refuses("6985", Card.GENERATE);
                card.put(1, Card.PREFIX);
                card.put(2, Card.MIDDLE);
                use(TapUrl.PURPOSE_REHEARSAL);
                card.lock();
            }
            witness.check(card);
            card.refuses("6985", Card.GENERATE);
            card.refuses("6985", Card.putCommand(1, Card.PREFIX));
            use(TapUrl.PURPOSE_TAP);
            card.select();
            if (card.counter() < card.info().counterMax()) {
                long before = card.counter();
                assertEquals(before + 1, card.challenge(Card.NONCE, "01"));
            } else {
                card.refuses("6985", Card.challengeCommand(Card.NONCE, "01"));
            }
            witness.check(card);
        }

        /** A read, with the next number if there is one. */
        private void use(byte purpose) {
            Card.Info info = card.info();
            String url = card.tapUrl();
            if (info.flags() != 0) {
                assertTrue(url.endsWith("&c=00000000&x=challenge"), url);
            } else if (info.counter() >= info.counterMax()) {
                assertTrue(url.endsWith("&c=00000000&x=exhausted"), url);
            } else {
                card.verifies(url, purpose);
                assertEquals(info.counter() + 1, card.counter());
            }
        }
    }
}
