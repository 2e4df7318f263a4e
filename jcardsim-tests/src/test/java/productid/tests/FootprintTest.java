package productid.tests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** What the applet's arrays take of a card, against the budgets. */
class FootprintTest {
    private static final int PERSISTENT_MAX = 2048;
    private static final int TRANSIENT_MAX = 700;

    @Test
    void theAppletFitsItsBudgets() {
        Card card = Card.installed();
        System.gc(); // what jCardSim's own code left behind is no memory of the applet
        int persistent = card.sim.persistentBytes();
        int ram = card.sim.transientBytes();
        System.out.println("applet arrays: " + persistent + " bytes persistent (key objects not counted), " + ram + " bytes transient");
        assertTrue(persistent <= PERSISTENT_MAX && persistent > 0);
        assertTrue(ram <= TRANSIENT_MAX && ram > 0);
    }
}
