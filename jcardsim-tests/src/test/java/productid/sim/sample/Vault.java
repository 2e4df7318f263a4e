package productid.sim.sample;

import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.JCSystem;
import javacard.framework.Util;
import javacard.security.AESKey;
import javacard.security.KeyBuilder;
import javacard.security.KeyPair;

/** An applet that keeps things where one looks last: in key objects, in static fields, and in its objects' constructors. */
public final class Vault extends Applet {
    public static final byte INS_SET = 0x10;
    public static final byte INS_CLEAR = 0x11;
    public static final byte INS_SET_AND_ABORT = 0x12;
    public static final byte INS_SET_IN_TRANSACTION = 0x13;
    public static final byte INS_COPY_OUT = 0x14;
    public static final byte INS_SET_TRANSIENT = 0x15;
    public static final byte INS_GENERATE_RSA = 0x16;
    public static final byte INS_GENERATE_EC = 0x17;
    public static final byte INS_STATIC = 0x18;
    public static final byte INS_STATIC_AND_ABORT = 0x19;
    public static final byte INS_CONSTRUCT = 0x1A;
    public static final byte INS_FAIL = 0x1B;
    public static final byte INS_READ = 0x20;
    private static final short LENGTH = 16;

    private static short number;
    private static byte[] reference;
    private static final byte[] CONSTANT = {1, 2, 3};

    public final KeyPair rsa = new KeyPair(KeyPair.ALG_RSA_CRT, KeyBuilder.LENGTH_RSA_512);
    public final KeyPair ec = new KeyPair(KeyPair.ALG_EC_FP, KeyBuilder.LENGTH_EC_FP_256);
    private final AESKey key = (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES, KeyBuilder.LENGTH_AES_128, false);
    private final AESKey session =
            (AESKey) KeyBuilder.buildKey(KeyBuilder.TYPE_AES_TRANSIENT_DESELECT, KeyBuilder.LENGTH_AES_128, false);
    private final byte[] block = new byte[LENGTH];
    private final byte[] work = JCSystem.makeTransientByteArray(LENGTH, JCSystem.CLEAR_ON_DESELECT);
    private short constructed;

    private Vault() {
        register();
    }

    public static void install(byte[] data, short offset, byte length) {
        new Vault();
    }

    /** Its constructor writes into another object. */
    private static final class Visitor {
        private final byte value;

        Visitor(Vault vault, byte value) {
            this.value = value;
            vault.constructed = this.value;
        }
    }

    @Override
    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        byte[] buffer = apdu.getBuffer();
        byte value = buffer[ISO7816.OFFSET_P1];
        Util.arrayFillNonAtomic(work, (short) 0, LENGTH, value);
        switch (buffer[ISO7816.OFFSET_INS]) {
            case INS_SET -> key.setKey(work, (short) 0);
            case INS_CLEAR -> key.clearKey();
            case INS_SET_AND_ABORT, INS_SET_IN_TRANSACTION -> setInTransaction(buffer[ISO7816.OFFSET_INS]);
            case INS_COPY_OUT -> key.getKey(block, (short) 0);
            case INS_SET_TRANSIENT -> session.setKey(work, (short) 0);
            case INS_GENERATE_RSA -> rsa.genKeyPair();
            case INS_GENERATE_EC -> ec.genKeyPair();
            case INS_STATIC, INS_STATIC_AND_ABORT -> changeStatics(buffer[ISO7816.OFFSET_INS], value);
            case INS_CONSTRUCT -> new Visitor(this, value);
            case INS_FAIL -> key.setKey(work, (short) 1);
            case INS_READ -> read(apdu);
            default -> ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
        }
    }

    private void setInTransaction(byte how) {
        JCSystem.beginTransaction();
        block[0] = work[0];
        key.setKey(work, (short) 0);
        if (how == INS_SET_AND_ABORT) {
            JCSystem.abortTransaction();
        } else {
            JCSystem.commitTransaction();
        }
    }

    private void changeStatics(byte how, byte value) {
        JCSystem.beginTransaction();
        number = value;
        reference = value == 0 ? null : block;
        CONSTANT[1] = value;
        if (how == INS_STATIC) {
            JCSystem.commitTransaction();
        } else {
            JCSystem.abortTransaction();
        }
    }

    /** Statics (3) ‖ constructed (1) ‖ first byte of the block (1) ‖ first and last byte of the key (2), zeros if it has none. */
    private void read(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        buffer[0] = (byte) number;
        buffer[1] = (byte) (reference == null ? 0 : 1);
        buffer[2] = CONSTANT[1];
        buffer[3] = (byte) constructed;
        buffer[4] = block[0];
        Util.arrayFillNonAtomic(work, (short) 0, LENGTH, (byte) 0);
        if (key.isInitialized()) {
            key.getKey(work, (short) 0);
        }
        buffer[5] = work[0];
        buffer[6] = work[(short) (LENGTH - 1)];
        apdu.setOutgoingAndSend((short) 0, (short) 7);
    }
}
