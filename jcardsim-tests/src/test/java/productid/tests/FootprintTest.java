package productid.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import productid.sim.Silicon;
import productid.tests.Card.Life;

/** What the applet takes of a card's memory, against the budgets, and what a tap costs it. */
class FootprintTest {
    private static final int PERSISTENT_MAX = 2048;
    private static final int TRANSIENT_MAX = 700;

    @ParameterizedTest
    @CsvSource({"01, 388", "02, 575", "03, 575"})
    void theAppletFitsItsBudgets(String algorithms, int ram) {
        Card card = Card.installed(algorithms, new Silicon());
        int persistent = card.sim.persistentBytes();
        int here = Memories.transients(card).stream().mapToInt(Memories::bytes).sum();
        System.out.println("applet arrays, algorithms " + algorithms + ": " + persistent + " bytes persistent of " + PERSISTENT_MAX
                + " (key objects not counted), " + here + " bytes transient of " + TRANSIENT_MAX);
        assertTrue(persistent <= PERSISTENT_MAX && persistent > 0);
        assertEquals(ram, here, "CARDS.md says so too");
        assertTrue(ram <= TRANSIENT_MAX);
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void aTapWritesOnce(byte algorithm) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        for (int n = 1; n <= 20; n++) {
            long before = card.sim.memory().writes();
            card.tap();
            assertEquals(1, card.sim.memory().writes() - before, "persistent writes of tap " + n);
        }
        System.out.println("persistent writes of a tap, algorithm " + algorithm + ": 1");
    }

    @ParameterizedTest
    @ValueSource(bytes = {TapUrl.P256, TapUrl.RSA_2048})
    void readingAgainAndAskingWritesNothing(byte algorithm) {
        Card card = Card.shared(algorithm, Life.LOCKED);
        card.tap();
        long before = card.sim.memory().writes();
        card.read();
        card.key();
        card.info();
        card.ok(Card.SELECT_CC);
        card.ok("00B000000F");
        card.select();
        assertEquals(before, card.sim.memory().writes());
    }

    @Test
    void aChallengeWritesOnce() {
        Card card = Card.shared(TapUrl.RSA_2048, Life.KEYED);
        long before = card.sim.memory().writes();
        card.challenge(Card.NONCE, "00");
        assertEquals(1, card.sim.memory().writes() - before);
    }
}
