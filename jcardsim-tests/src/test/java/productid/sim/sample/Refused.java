package productid.sim.sample;

import javacard.framework.AID;
import javacard.framework.JCSystem;
import javacard.framework.OwnerPIN;
import javacard.framework.Util;
import javacard.security.Checksum;
import javacard.security.KeyBuilder;
import javacard.security.Signature;
import javacardx.framework.tlv.BERTLV;
import javacardx.framework.util.ArrayLogic;
import javacardx.framework.util.intx.JCint;

/** Ways to write to persistent memory that the simulator does not follow, one each. */
public final class Refused {
    private byte[] bytes = new byte[8];
    private int[] ints = new int[8];
    private long wide;

    private Refused() {
    }

    static final class AtomicFill {
        short write(byte[] to) {
            return Util.arrayFill(to, (short) 0, (short) 1, (byte) 1);
        }
    }

    static final class Repack {
        short write(byte[] from, short[] to) {
            return ArrayLogic.arrayCopyRepackNonAtomic(from, (short) 0, (short) 2, to, (short) 0);
        }
    }

    static final class IntOfBytes {
        short write(byte[] to) {
            return JCint.setInt(to, (short) 0, 1);
        }
    }

    static final class Tlv {
        short write(BERTLV from, byte[] to) {
            return from.toBytes(to, (short) 0);
        }
    }

    static final class TryCounter {
        boolean write(OwnerPIN pin, byte[] from) {
            return pin.check(from, (short) 0, (byte) 4);
        }
    }

    static final class InheritedWrite extends OwnerPIN {
        InheritedWrite() {
            super((byte) 3, (byte) 4);
        }

        void write(byte[] from) {
            update(from, (short) 0, (byte) 4);
        }
    }

    static final class FreeMemory {
        void write(short[] to) {
            JCSystem.getAvailableMemory(to, (short) 0, JCSystem.MEMORY_TYPE_PERSISTENT);
        }
    }

    static final class Crc {
        short write(Checksum crc, byte[] to) {
            return crc.doFinal(to, (short) 0, (short) 1, to, (short) 0);
        }
    }

    static final class NewerOverload {
        Signature write() {
            return Signature.getInstance((byte) 1, (byte) 1, (byte) 1, false);
        }
    }

    static final class NewerKey {
        Object write() {
            return KeyBuilder.buildKey((byte) 1, (byte) 0, (short) 128, false);
        }
    }

    static final class HostCopy {
        void write(byte[] from, byte[] to) {
            System.arraycopy(from, 0, to, 0, 1);
        }
    }

    static final class ArrayCopyByClone {
        byte[] write(byte[] from) {
            return from.clone();
        }
    }

    static final class IntArray {
        void write(Refused to) {
            to.ints[0] = 1;
        }
    }

    static final class WideField {
        void write(Refused to) {
            to.wide = to.bytes.length;
        }
    }

    static final class LinkedAtRunTime {
        Runnable write(AID name) {
            return name::hashCode;
        }
    }
}
