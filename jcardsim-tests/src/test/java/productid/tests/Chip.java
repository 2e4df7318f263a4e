package productid.tests;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Random;
import javacard.security.CryptoException;
import productid.sim.Silicon;

/**
 * Silicon that is the same at each run, tells what it signed, and leaves canaries where a card has residue: in the APDU
 * buffer behind the command. Its random numbers, keys and nonces of ECDSA among them, are secrets.
 */
final class Chip extends Silicon {
    private static final int SCALAR_LENGTH = 32;
    private static final int RSA_LENGTH = 256;

    /** A signature that was made, whether or not it left the card. */
    record Signed(byte[] bytes, byte[] signature) {
    }

    /** What this silicon cannot do. */
    enum Fault { NONE, NO_ALGORITHM, NO_GENERATION, PAIRS_THAT_DO_NOT_MATCH }

    final Fault fault;
    private final Deque<Signed> signed = new ArrayDeque<>();
    final byte[] residue = new byte[512];
    private Random random = new Random(0);
    private Secrets secrets = new Secrets();

    Chip(Fault fault) {
        this.fault = fault;
    }

    /** From here on other random numbers, and another list of secrets to enter them in. */
    void begin(long seed, Secrets list) {
        random = new Random(seed);
        secrets = list;
        random.nextBytes(residue);
        secrets.keep("residue of the APDU buffer", residue);
        signed.clear();
    }

    /** The oldest signature that was not taken yet, or null. */
    Signed take() {
        return signed.poll();
    }

    @Override
    public void random(byte[] bytes) {
        random.nextBytes(bytes);
        secrets.keep("random number", bytes);
    }

    @Override
    public void received(byte[] buffer, int used) {
        System.arraycopy(residue, 0, buffer, used, buffer.length - used);
    }

    @Override
    public boolean has(Class<?> factory, byte algorithm) {
        return fault != Fault.NO_ALGORITHM;
    }

    @Override
    public void generatingKey() {
        if (fault == Fault.NO_GENERATION) {
            CryptoException.throwIt(CryptoException.NO_SUCH_ALGORITHM);
        }
    }

    @Override
    public boolean verified(boolean result) {
        return result && fault != Fault.PAIRS_THAT_DO_NOT_MATCH;
    }

    @Override
    public byte[] signature(byte[] bytes, byte[] signature) {
        signed.add(new Signed(bytes.clone(), signature.length < RSA_LENGTH ? raw(signature) : signature.clone()));
        return signature;
    }

    /** The form in which an ECDSA signature leaves: r ‖ s of 32 bytes each, read from DER. */
    private static byte[] raw(byte[] der) {
        byte[] raw = new byte[2 * SCALAR_LENGTH];
        int s = scalar(der, 2, raw, 0);
        scalar(der, s, raw, SCALAR_LENGTH);
        return raw;
    }

    private static int scalar(byte[] der, int at, byte[] raw, int to) {
        int end = at + 2 + der[at + 1];
        byte[] bytes = new BigInteger(Arrays.copyOfRange(der, at + 2, end)).toByteArray();
        int from = Math.max(0, bytes.length - SCALAR_LENGTH);
        System.arraycopy(bytes, from, raw, to + SCALAR_LENGTH - (bytes.length - from), bytes.length - from);
        return end;
    }
}
