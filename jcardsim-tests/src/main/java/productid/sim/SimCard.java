package productid.sim;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import javacard.framework.AID;
import javacard.framework.Applet;

/**
 * One virtual card with one applet on it. Starts powered, over the contactless interface, nothing selected. Safe for
 * concurrent use, command by command.
 */
public final class SimCard {
    private static final byte PROTOCOL_CONTACTLESS = (byte) 0x81;
    private static final byte PROTOCOL_CONTACT = 0x01;

    private final CardRuntime runtime = new CardRuntime();
    private final CardLoader loader;
    private final Applet applet;

    private SimCard(String appletClass, byte[] name, byte[] parameters, Silicon silicon) throws ClassNotFoundException {
        runtime.silicon = silicon;
        loader = new CardLoader(appletClass.substring(0, appletClass.lastIndexOf('.')));
        Class<? extends Applet> type = loader.loadPackage(appletClass).asSubclass(Applet.class);
        applet = runtime.install(new AID(name, (short) 0, (byte) name.length), type, installData(name, parameters));
        powerUp();
        contactless(true);
    }

    /**
     * Installs an applet on a new card.
     *
     * @param appletClass found on the class path, loaded afresh for this card together with its whole package
     * @param parameters the applet data of the installation, without the lengths around it
     * @throws ClassNotFoundException when the applet was not compiled
     * @throws LinkageError when it could write to persistent memory in a way that the simulator does not know
     */
    public static SimCard install(String appletClass, byte[] name, byte[] parameters) throws ClassNotFoundException {
        return install(appletClass, name, parameters, new Silicon());
    }

    /** The same on silicon of its own. */
    public static synchronized SimCard install(String appletClass, byte[] name, byte[] parameters, Silicon silicon)
            throws ClassNotFoundException {
        PrintStream out = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream())); // jCardSim prints at each getInstance
        System.setProperty("com.licel.jcardsim.randomdata.secure", "1"); // else RandomData starts from one fixed seed
        try {
            return new SimCard(appletClass, name, parameters, silicon);
        } finally {
            System.setOut(out);
        }
    }

    /** Answers a command; a malformed one with 6700. Throws {@link PowerLost} until {@link #powerUp} when torn. */
    public synchronized byte[] transmit(byte[] command) {
        return runtime.transmitCommand(command);
    }

    /** A reader's activation: transient memory is cleared, nothing is selected. */
    public synchronized void powerUp() {
        runtime.reset();
    }

    /** Which interface the next commands come through; cards start contactless. */
    public synchronized void contactless(boolean yes) {
        runtime.changeProtocol(yes ? PROTOCOL_CONTACTLESS : PROTOCOL_CONTACT);
    }

    /** What left the applet's process at the last command, an ISOException among it, or null. */
    public synchronized Throwable thrown() {
        return runtime.thrown();
    }

    /** What the card remembers without power. */
    public Memory memory() {
        return runtime.memory;
    }

    /** The crypto coprocessor from now on. */
    public synchronized void silicon(Silicon silicon) {
        runtime.silicon = silicon;
    }

    /** The installed applet, for tests that look into its memory. */
    public Applet applet() {
        return applet;
    }

    /** The persistent memory as bytes, keys included: keep it as you keep a key. */
    public synchronized byte[] image() {
        return Image.save(applet, loader.classes(), this::isTransient);
    }

    /** Puts back what {@link #image} gave, on a card with the same applet, and powers it up. */
    public synchronized void restore(byte[] image) throws IOException {
        Image.load(applet, loader.classes(), image, this::isTransient);
        powerUp();
    }

    /** Bytes in the applet's persistent arrays, key objects not counted. */
    public synchronized int persistentBytes() {
        return Image.arrayBytes(applet, this::isTransient);
    }

    private boolean isTransient(Object array) {
        return !runtime.isPersistent(array);
    }

    /** As GlobalPlatform gives it to install: instance name, privileges, applet data, each after its length. */
    private static byte[] installData(byte[] name, byte[] parameters) {
        byte[] data = new byte[name.length + parameters.length + 4];
        data[0] = (byte) name.length;
        System.arraycopy(name, 0, data, 1, name.length);
        data[name.length + 1] = 1;
        data[name.length + 3] = (byte) parameters.length;
        System.arraycopy(parameters, 0, data, name.length + 4, parameters.length);
        return data;
    }
}
