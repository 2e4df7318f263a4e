package productid.sim.sample;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;
import javacard.security.MessageDigest;
import javacard.security.RandomData;

/** An applet that does with persistent memory whatever an applet may do. Its rule: the two halves are equal. */
@SuppressWarnings("deprecation") // the random generator as API level 3.0.4 has it
public final class Ledger extends Applet {
    public static final byte INS_PAIR = 0x10;
    public static final byte INS_OPEN_END = 0x11;
    public static final byte INS_EXCEPTION = 0x12;
    public static final byte INS_ABORT = 0x13;
    public static final byte INS_FAULT = 0x14;
    public static final byte INS_NON_ATOMIC_IN_TRANSACTION = 0x15;
    public static final byte INS_LARGE = 0x16;
    public static final byte INS_COPY = 0x17;
    public static final byte INS_COPY_NON_ATOMIC = 0x18;
    public static final byte INS_DIGEST = 0x19;
    public static final byte INS_KEY = 0x1A;
    public static final byte INS_TRANSIENT = 0x1B;
    public static final byte INS_RANDOM = 0x1C;
    public static final byte INS_CAPACITY = 0x1D;
    public static final byte INS_READ = 0x20;

    private final byte[] halves = new byte[2];
    private final short[] shorts = new short[2];
    private final Object[] objects = new Object[1];
    private final byte[] block = new byte[32];
    private final byte[] large = new byte[600];
    private final byte[] session = JCSystem.makeTransientByteArray((short) 32, JCSystem.CLEAR_ON_DESELECT);
    private final byte[] power = JCSystem.makeTransientByteArray((short) 1, JCSystem.CLEAR_ON_RESET);
    private final KeyPair keys = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
    private final MessageDigest digest = MessageDigest.getInstance(MessageDigest.ALG_SHA_256, false);
    private final RandomData random = RandomData.getInstance(RandomData.ALG_SECURE_RANDOM);
    private short number;
    private boolean flag;

    private Ledger() {
        register();
    }

    public static void install(byte[] data, short offset, byte length) {
        new Ledger();
    }

    @Override
    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        byte value = buffer[ISO7816.OFFSET_P1];
        switch (buffer[ISO7816.OFFSET_INS]) {
            case INS_PAIR -> pair(value);
            case INS_OPEN_END, INS_EXCEPTION, INS_ABORT, INS_FAULT -> unfinished(buffer[ISO7816.OFFSET_INS], value);
            case INS_NON_ATOMIC_IN_TRANSACTION -> nonAtomicInside(value);
            case INS_LARGE -> large(value);
            case INS_COPY -> {
                Util.arrayFillNonAtomic(session, (short) 0, (short) 32, value);
                Util.arrayCopy(session, (short) 0, block, (short) 0, (short) 32);
            }
            case INS_COPY_NON_ATOMIC -> Util.arrayFillNonAtomic(block, (short) 0, (short) 32, value);
            case INS_DIGEST -> digest.doFinal(buffer, (short) 0, (short) 4, block, (short) 0);
            case INS_RANDOM -> random.generateData(session, (short) 0, (short) 32);
            case INS_KEY -> keys.genKeyPair();
            case INS_TRANSIENT -> {
                session[0] = value;
                power[0] = value;
            }
            case INS_CAPACITY -> {
                Util.setShort(buffer, (short) 0, JCSystem.getMaxCommitCapacity());
                apdu.setOutgoingAndSend((short) 0, (short) 2);
            }
            case INS_READ -> read(apdu);
            default -> ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    /** Every kind of store, all or none. */
    private void change(byte value) {
        halves[0] = value;
        shorts[1] = value;
        objects[0] = value == 0 ? null : block;
        number = value;
        flag = value != 0;
        Util.setShort(halves, (short) 0, Util.makeShort(value, value));
    }

    private void pair(byte value) {
        JCSystem.beginTransaction();
        change(value);
        JCSystem.commitTransaction();
    }

    private void unfinished(byte how, byte value) {
        JCSystem.beginTransaction();
        change(value);
        switch (how) {
            case INS_EXCEPTION -> ISOException.throwIt(ISO7816.SW_DATA_INVALID);
            case INS_ABORT -> JCSystem.abortTransaction();
            case INS_FAULT -> block[(short) 32] = value;
            default -> { }
        }
    }

    private void nonAtomicInside(byte value) {
        JCSystem.beginTransaction();
        halves[0] = value;
        Util.arrayFillNonAtomic(block, (short) 0, (short) 32, value);
        JCSystem.abortTransaction();
    }

    private void large(byte value) {
        Util.arrayFillNonAtomic(large, (short) 0, (short) 300, value);
        Util.arrayCopy(large, (short) 0, large, (short) 300, (short) 300);
        JCSystem.beginTransaction();
        Util.arrayCopy(large, (short) 0, large, (short) 300, (short) 300);
        Util.arrayCopy(large, (short) 300, large, (short) 0, (short) 300);
        JCSystem.commitTransaction();
    }

    private void read(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        Util.arrayCopyNonAtomic(halves, (short) 0, buffer, (short) 0, (short) 2);
        buffer[2] = (byte) shorts[1];
        buffer[3] = (byte) (objects[0] == null ? 0 : 1);
        buffer[4] = (byte) number;
        buffer[5] = (byte) (flag ? 1 : 0);
        buffer[6] = block[0];
        buffer[7] = block[31];
        buffer[8] = session[0];
        buffer[9] = power[0];
        apdu.setOutgoingAndSend((short) 0, (short) 10);
    }
}
