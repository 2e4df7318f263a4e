package productid.sim;

/** The card lost its power before it answered. An Error, so that no applet's catch of an Exception holds it up. */
public final class PowerLost extends Error {
    private static final long serialVersionUID = 1;

    PowerLost(String where) {
        super("power lost " + where, null, false, false);
    }
}
