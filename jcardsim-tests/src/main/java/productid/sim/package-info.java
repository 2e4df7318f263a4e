/**
 * A virtual Java Card: jCardSim with persistent memory that behaves like a card's.
 *
 * <p>Stock jCardSim never rolls anything back. Here every persistent write of the applet passes through
 * {@link productid.sim.Memory}, which undoes what a transaction did not commit, cuts the power at any chosen write and
 * wears cells out. {@link productid.sim.SimCard} is one such card, {@link productid.sim.VirtualCard} puts cards on
 * sockets.
 */
package productid.sim;
