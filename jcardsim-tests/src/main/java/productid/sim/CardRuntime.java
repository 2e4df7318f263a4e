package productid.sim;

import com.licel.jcardsim.base.ApduCase;
import com.licel.jcardsim.base.SimulatorRuntime;
import com.licel.jcardsim.base.SimulatorSystem;
import java.util.Arrays;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;

/** jCardSim's runtime with transactions that hold and with the status words of a card's own system. */
final class CardRuntime extends SimulatorRuntime {
    private static final int AID_MAX = 16;
    /** Five bytes and 255 of data. jCardSim's buffer has no room for the Le behind those; a card keeps none there. */
    private static final int COMMAND_MAX = 260;

    final Memory memory = new Memory();
    final TransientArrays transientArrays;
    /** What persistent arrays held before the API call that runs now. */
    final ApiWrites apiWrites = new ApiWrites(this);
    Silicon silicon = new Silicon();
    private boolean installed;
    private Throwable thrown;

    CardRuntime() {
        this(new TransientArrays());
    }

    private CardRuntime(TransientArrays arrays) {
        super(arrays);
        transientArrays = arrays;
    }

    static CardRuntime current() {
        return (CardRuntime) SimulatorSystem.instance();
    }

    /** Installs one applet; its writes count and can be torn from here on. */
    Applet install(AID aid, Class<? extends Applet> type, byte[] parameters) {
        resetRuntime();
        loadApplet(aid, type);
        installApplet(aid, parameters, (short) 0, (byte) parameters.length);
        installed = true;
        return applets.get(applets.firstKey()).getApplet();
    }

    /** Whether writes to the array stay over a power cut. */
    boolean isPersistent(Object array) {
        return installed && array != shortAPDU.getBuffer() && transientArrays.isTransient(array) == 0;
    }

    boolean isInstalled() {
        return installed;
    }

    /** What left the applet at the last command, or null. jCardSim answers it, with 6F00 unless it is an ISOException. */
    Throwable thrown() {
        return thrown;
    }

    /** Answers one command; throws {@link PowerLost} when the power went meanwhile. */
    @Override
    public byte[] transmitCommand(byte[] command) {
        if (memory.lost() != null) {
            throw memory.lost();
        }
        thrown = null;
        if (!isWellFormed(command)) {
            return word(ISO7816.SW_WRONG_LENGTH);
        }
        byte[] answer = super.transmitCommand(Arrays.copyOf(command, Math.min(command.length, COMMAND_MAX)));
        if (memory.lost() != null) {
            throw memory.lost();
        }
        apiWrites.end();
        if (getTransactionDepth() != 0) {
            abortTransaction();
        }
        return getAID() == null && isAppletSelectionApdu(command) ? word(ISO7816.SW_FILE_NOT_FOUND) : answer;
    }

    /** The applet with a witness around it. */
    @Override
    protected Applet getApplet(AID aid) {
        Applet applet = super.getApplet(aid);
        return applet == null ? null : new Applet() {
            @Override
            public boolean select() {
                return applet.select();
            }

            @Override
            public void process(APDU apdu) {
                try {
                    applet.process(apdu);
                } catch (Throwable t) {
                    thrown = t;
                    throw t;
                }
            }
        };
    }

    @Override
    public boolean isAppletSelecting(Object applet) {
        return selecting && applet == super.getApplet(getAID());
    }

    @Override
    protected void resetAPDU(APDU apdu, ApduCase shape, byte[] command) {
        super.resetAPDU(apdu, shape, command);
        if (command != null) {
            silicon.received(apdu.getBuffer(), Math.max(command.length, ISO7816.OFFSET_CDATA));
        }
    }

    /** A selection by a name that is longer than any, or empty, names nothing here. */
    @Override
    protected AID findAppletForSelectApdu(byte[] command, ApduCase shape) {
        boolean hasName = shape == ApduCase.Case3 || shape == ApduCase.Case4;
        return hasName && command[ISO7816.OFFSET_LC] >= 1 && command[ISO7816.OFFSET_LC] <= AID_MAX
                ? super.findAppletForSelectApdu(command, shape) : null;
    }

    @Override
    public void reset() {
        activateSimulatorRuntimeInstance();
        super.reset();
        apiWrites.forget();
        memory.powerUp();
    }

    @Override
    public void beginTransaction() {
        super.beginTransaction();
        memory.begin();
    }

    @Override
    public void commitTransaction() {
        super.commitTransaction();
        memory.commit();
    }

    @Override
    public void abortTransaction() {
        super.abortTransaction();
        memory.abort();
    }

    @Override
    public short getMaxCommitCapacity() {
        return (short) memory.capacity();
    }

    @Override
    public short getUnusedCommitCapacity() {
        return (short) memory.room();
    }

    private static boolean isWellFormed(byte[] command) {
        try {
            return !ApduCase.getCase(command).isExtended();
        } catch (RuntimeException malformed) {
            return false;
        }
    }

    private static byte[] word(short status) {
        return new byte[] {(byte) (status >> 8), (byte) status};
    }
}
