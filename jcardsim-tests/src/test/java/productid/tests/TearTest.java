package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import productid.sim.PowerLost;
import productid.sim.SimCard;

/**
 * Power lost before, within and after each persistent write of each command, and after its answer: a {@link Witness} looks
 * at what is left, and the card goes on with its life. The quick stories; {@link TearSweepTest} is the whole.
 */
class TearTest {
    private static final String READ = "00B0000002";

    @Test
    void tapInAnyState() throws IOException {
        for (Function<Card, Card> state : List.<Function<Card, Card>>of(Card::configured, Card::locked)) {
            int points = sweep(state, card -> card.ok(Card.SELECT_NDEF), card -> READ, TearTest::goOn);
            assertEquals(2, points, "a tap writes once");
        }
    }

    @Test
    void challenge() throws IOException {
        assertEquals(2, sweep(Card::locked, card -> { }, card -> Card.challengeCommand(Card.NONCE, "00"), TearTest::goOn));
    }

    @Test
    void generateKey() throws IOException {
        int points = sweep(card -> card, card -> { }, card -> Card.GENERATE, card -> {
            if (card.info().state() == 0) {
                card.ok(Card.GENERATE);
            }
            card.refuses("6985", Card.GENERATE);
            card.put(1, Card.PREFIX);
            card.put(2, Card.MIDDLE);
            card.verifies(card.tapUrl(), TapUrl.PURPOSE_REHEARSAL);
            card.lock();
            goOn(card);
        });
        assertEquals(8 + 3 * 2, points, "before, after and six ways within the pair; before and after id, slot 0 and state");
    }

    @Test
    void putData() throws IOException {
        String[] commands = {Card.putCommand(1, "https://new.example.com/abc?i="), Card.putCommand(2, "&lot=7&c="), "80200003030000f0"};
        for (String command : commands) {
            String get = "8021" + "00" + command.substring(6, 8) + "00";
            String old = Card.installed().configured().ok(get);
            sweep(Card::configured, card -> { }, card -> command, card -> {
                String now = card.ok(get);
                assertTrue(now.equals(old) || now.equals("00" + command.substring(8)), "neither old nor new: " + now);
                card.lock();
                goOn(card);
            });
        }
    }

    @Test
    void lock() throws IOException {
        sweep(Card::configured, card -> { }, card -> "804000000c" + Card.hex(card.info().id()), card -> {
            if (card.info().state() == 1) {
                card.lock();
            }
            assertEquals(2, card.info().state());
            goOn(card);
        });
    }

    @Test
    void anExhaustedRingSaysSoHoweverItWasTorn() throws IOException {
        Function<Card, Card> last = card -> {
            card.locked();
            card.tap();
            return card;
        };
        sweep(() -> Card.withCounterMax(2), last, card -> card.ok(Card.SELECT_NDEF), card -> READ, card -> {
            if (card.counter() < 2) {
                assertEquals("ok", card.classify(card.tapUrl()));
            }
            assertTrue(card.tapUrl().endsWith("&c=00000000&x=exhausted"));
        });
    }

    @Test
    void aCardTornAgainAndAgainStillCountsForward() {
        Card card = Card.installed().locked();
        Witness witness = watch(card);
        for (int i = 0; i < 60; i++) {
            card.select();
            card.ok(Card.SELECT_NDEF);
            tear(card, i % 3, READ);
            card.powerUpAndSelect();
            witness.check(card);
        }
        assertTrue(card.counter() >= 20);
    }

    @Test
    void theWitnessSeesANumberSignedTwice() throws IOException {
        Card card = Card.installed().locked();
        byte[] image = card.sim.image();
        Witness witness = watch(card);
        card.tap();
        witness.check(card);
        card.sim.restore(image);
        card.tap();
        assertThrows(AssertionError.class, () -> witness.check(card));
    }

    @Test
    void theWitnessSeesWhateverElseIsSigned() {
        String selfTest = "50494454010701" + "00".repeat(12) + "00000000";
        assertTrue(isAccepted(Card.installed(), selfTest), "before there is a key");
        Card card = Card.installed().keyed();
        card.challenge(Card.NONCE, "");
        assertTrue(isAccepted(card, "50494454010701CARD00000001"));
        assertTrue(isAccepted(card, "50494454010201CARD00000001" + "00".repeat(32)));
        for (String bytes : List.of(selfTest, "50494454010201CARD00000001", "50494454010701CARD00000001" + "00".repeat(32),
                "50494454010301CARD00000001", "50494454010702CARD00000001", "50494454020701CARD00000001",
                "50494455010701CARD00000001", "50494454010701" + "ab".repeat(12) + "00000001", "50494454010701CARD000000", "5049")) {
            assertFalse(isAccepted(card, bytes), bytes);
        }
    }

    /** Whether a new witness lets a card with this counter sign these bytes. CARD stands for its id. */
    private static boolean isAccepted(Card card, String bytes) {
        Witness witness = watch(card);
        witness.check(card);
        witness.signature(HexFormat.of().parseHex(bytes.replace("CARD", Card.hex(card.info().id()))), new byte[70]);
        try {
            witness.check(card);
            return true;
        } catch (AssertionError e) {
            return false;
        }
    }

    /** A life of random commands, torn at random; the same life each time. */
    @Test
    void aRandomLifeHoldsToo() {
        int signatures = 0;
        for (int seed = 1; seed <= 10; seed++) {
            Random random = new Random(seed);
            Card card = Card.installed();
            Witness witness = watch(card);
            for (int step = 0; step < 120; step++) {
                String id = Card.hex(card.info().id());
                List<String> commands = List.of(Card.GENERATE, Card.putCommand(1, Card.PREFIX), Card.putCommand(2, Card.MIDDLE), READ, READ,
                        Card.challengeCommand(Card.NONCE, "01"), Card.INFO, step > 60 ? "804000000c" + id : READ);
                card.ok(Card.SELECT_NDEF);
                boolean torn = tear(card, random.nextInt(24), commands.get(random.nextInt(commands.size())));
                if (torn || random.nextBoolean()) {
                    card.powerUpAndSelect();
                }
                witness.check(card);
            }
            signatures += witness.signatures();
        }
        assertTrue(signatures > 100, "only " + signatures);
    }

    /** Two more taps with the next two numbers. */
    private static void goOn(Card card) {
        byte purpose = card.info().state() == 2 ? TapUrl.PURPOSE_TAP : TapUrl.PURPOSE_REHEARSAL;
        long before = card.counter();
        card.verifies(card.tapUrl(), purpose);
        card.verifies(card.tapUrl(), purpose);
        assertEquals(before + 2, card.counter());
    }

    private static int sweep(Function<Card, Card> life, Consumer<Card> before, Function<Card, String> command, Consumer<Card> after)
            throws IOException {
        return sweep(Card::installed, life, before, command, after);
    }

    /**
     * Brings a card so far, tears the command at each of its points in turn, each time from the same memory, and last lets
     * it pass and loses the power then. Returns how many points there were.
     */
    private static int sweep(Supplier<Card> made, Function<Card, Card> life, Consumer<Card> before,
            Function<Card, String> command, Consumer<Card> after) throws IOException {
        Card card = life.apply(made.get());
        byte[] image = card.sim.image();
        for (int point = 0; ; point++) {
            card.sim.restore(image);
            card.select();
            Witness witness = watch(card);
            witness.check(card);
            before.accept(card);
            boolean torn = tear(card, point, command.apply(card));
            card.powerUpAndSelect();
            witness.check(card);
            after.accept(card);
            witness.check(card);
            if (!torn) {
                return point;
            }
        }
    }

    private static Witness watch(Card card) {
        Witness witness = new Witness();
        card.sim.silicon(witness);
        return witness;
    }

    /** Whether the power went before the answer came. */
    private static boolean tear(Card card, int point, String command) {
        SimCard sim = card.sim;
        sim.memory().tearAt(point);
        try {
            card.send(command);
            return false;
        } catch (PowerLost e) {
            return true;
        } finally {
            sim.memory().watch();
        }
    }
}
