package productid.sim;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * The calls of the Java Card API (level 3.0.4) that the simulator knows, each with what it can write. A call that is not
 * here is refused when the applet is loaded: nothing may reach persistent memory behind {@link Memory}'s back.
 */
final class Api {
    /** What a call can write. */
    enum Effect {
        /** Nothing that outlives the power: its own object's working state, the APDU buffer. */
        NOTHING,
        /** Byte arrays that it is given. */
        ARRAYS,
        /** The key object that it is called on. */
        KEY,
        /** A hook of {@link Hooks} stands for it, named as the method or as {@link #HOOKS} says. */
        REPLACED
    }

    private static final String FRAMEWORK = "javacard/framework/";
    private static final String SECURITY = "javacard/security/";
    private static final Map<String, Effect> EFFECTS = new HashMap<>();

    /** Replaced calls whose hook has another name, and the one overload that it stands for. */
    private static final Map<String, String> HOOKS = Map.of(
            SECURITY + "Signature.getInstance(BZ)Ljavacard/security/Signature;", "signature",
            SECURITY + "MessageDigest.getInstance(BZ)Ljavacard/security/MessageDigest;", "digest",
            SECURITY + "KeyBuilder.buildKey(BSZ)Ljavacard/security/Key;", "buildKey");
    private static final Set<String> OVERLOADED = Set.of("getInstance", "buildKey");

    static {
        know(Effect.NOTHING, "java/lang/Object", "<init>", "equals");
        know(Effect.REPLACED, FRAMEWORK + "Util", "arrayCopy", "setShort", "arrayCopyNonAtomic", "arrayFillNonAtomic");
        know(Effect.NOTHING, FRAMEWORK + "Util", "arrayCompare", "makeShort", "getShort");
        know(Effect.NOTHING, FRAMEWORK + "Applet", "<init>", "register", "selectingApplet", "select", "deselect",
                "getShareableInterfaceObject");
        know(Effect.NOTHING, FRAMEWORK + "APDU", "getBuffer", "getInBlockSize", "getOutBlockSize", "getProtocol", "getNAD",
                "setOutgoing", "setOutgoingNoChaining", "setOutgoingLength", "receiveBytes", "setIncomingAndReceive",
                "sendBytes", "sendBytesLong", "setOutgoingAndSend", "getCurrentState", "getCurrentAPDU",
                "getCurrentAPDUBuffer", "getCLAChannel", "waitExtension", "isCommandChainingCLA", "isSecureMessagingCLA",
                "isISOInterindustryCLA", "getIncomingLength", "getOffsetCdata");
        know(Effect.NOTHING, FRAMEWORK + "JCSystem", "isTransient", "makeTransientBooleanArray", "makeTransientByteArray",
                "makeTransientShortArray", "makeTransientObjectArray", "getVersion", "getAID", "lookupAID",
                "getPreviousContextAID", "beginTransaction", "abortTransaction", "commitTransaction", "getTransactionDepth",
                "getUnusedCommitCapacity", "getMaxCommitCapacity", "getAssignedChannel", "isAppletActive");
        know(Effect.NOTHING, FRAMEWORK + "AID", "<init>", "equals", "partialEquals", "RIDEquals");
        know(Effect.ARRAYS, FRAMEWORK + "AID", "getBytes", "getPartialBytes");
        engines();
        keys();
    }

    private Api() {
    }

    private static void engines() {
        know(Effect.REPLACED, SECURITY + "Signature", "getInstance", "sign", "verify");
        know(Effect.NOTHING, SECURITY + "Signature", "init", "update", "getLength", "getAlgorithm", "setInitialDigest");
        know(Effect.REPLACED, SECURITY + "MessageDigest", "getInstance");
        know(Effect.NOTHING, SECURITY + "MessageDigest", "update", "reset", "getLength", "getAlgorithm");
        know(Effect.ARRAYS, SECURITY + "MessageDigest", "doFinal");
        know(Effect.NOTHING, SECURITY + "RandomData", "getInstance", "setSeed");
        know(Effect.ARRAYS, SECURITY + "RandomData", "generateData");
        know(Effect.NOTHING, SECURITY + "KeyAgreement", "getInstance", "init", "getAlgorithm");
        know(Effect.ARRAYS, SECURITY + "KeyAgreement", "generateSecret");
        know(Effect.NOTHING, "javacardx/crypto/Cipher", "getInstance", "init", "getAlgorithm");
        know(Effect.ARRAYS, "javacardx/crypto/Cipher", "update", "doFinal");
    }

    private static void keys() {
        know(Effect.REPLACED, SECURITY + "KeyBuilder", "buildKey");
        know(Effect.REPLACED, SECURITY + "KeyPair", "genKeyPair");
        know(Effect.NOTHING, SECURITY + "KeyPair", "<init>", "getPublic", "getPrivate");
        for (String type : new String[] {"Key", "PublicKey", "PrivateKey", "SecretKey", "AESKey", "DESKey", "HMACKey", "ECKey",
            "ECPublicKey", "ECPrivateKey", "RSAPublicKey", "RSAPrivateKey", "RSAPrivateCrtKey"}) {
            know(Effect.NOTHING, SECURITY + type, "isInitialized", "getType", "getSize");
            know(Effect.KEY, SECURITY + type, "clearKey");
        }
        for (String type : new String[] {"AESKey", "DESKey", "HMACKey"}) {
            property(type, "Key");
        }
        for (String type : new String[] {"ECKey", "ECPublicKey", "ECPrivateKey"}) {
            know(Effect.KEY, SECURITY + type, "setFieldFP", "setFieldF2M", "setK");
            know(Effect.ARRAYS, SECURITY + type, "getField");
            know(Effect.NOTHING, SECURITY + type, "getK");
            property(type, "A", "B", "G", "R");
        }
        property("ECPublicKey", "W");
        property("ECPrivateKey", "S");
        property("RSAPublicKey", "Modulus", "Exponent");
        property("RSAPrivateKey", "Modulus", "Exponent");
        property("RSAPrivateCrtKey", "P", "Q", "DP1", "DQ1", "PQ");
    }

    /** A component of a key, as setX and getX. */
    private static void property(String type, String... components) {
        for (String component : components) {
            know(Effect.KEY, SECURITY + type, "set" + component);
            know(Effect.ARRAYS, SECURITY + type, "get" + component);
        }
    }

    private static void know(Effect effect, String owner, String... names) {
        for (String name : names) {
            EFFECTS.put(owner + "." + name, effect);
        }
    }

    /** What the call can write, or null where that is not known. */
    static Effect effect(String owner, String name, String descriptor) {
        if (owner.endsWith("Exception") && (owner.startsWith("javacard") || owner.startsWith("java/lang/"))) {
            return Effect.NOTHING; // the runtime's own, with a reason in memory that lasts until reset
        }
        Effect effect = EFFECTS.get(owner + "." + name);
        boolean foreignOverload = effect == Effect.REPLACED && OVERLOADED.contains(name)
                && !HOOKS.containsKey(owner + "." + name + descriptor);
        return foreignOverload ? null : effect;
    }

    /** The hook that stands for a call. */
    static String hook(String owner, String name, String descriptor) {
        return HOOKS.getOrDefault(owner + "." + name + descriptor, name);
    }
}
