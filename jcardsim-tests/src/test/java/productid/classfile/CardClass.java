package productid.classfile;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;
import org.objectweb.asm.commons.CodeSizeEvaluator;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldInsnNode;
import org.objectweb.asm.tree.FieldNode;
import org.objectweb.asm.tree.IntInsnNode;
import org.objectweb.asm.tree.LdcInsnNode;
import org.objectweb.asm.tree.MethodInsnNode;
import org.objectweb.asm.tree.MethodNode;
import org.objectweb.asm.tree.analysis.Analyzer;
import org.objectweb.asm.tree.analysis.AnalyzerException;

/** One compiled class of an applet, and what a converter or a card of API level 3.0.4 would not take of it. */
final class CardClass {
    private static final String INT_LIKE = "a type that cards do not have: ";
    private static final Set<String> MAY_ALLOCATE = Set.of("<init>", "<clinit>", "install");
    private static final Set<Integer> NO_SUCH_INSTRUCTION = Set.of(Opcodes.IALOAD, Opcodes.IASTORE, Opcodes.CALOAD, Opcodes.CASTORE,
            Opcodes.I2C, Opcodes.MULTIANEWARRAY, Opcodes.INVOKEDYNAMIC, Opcodes.MONITORENTER);
    private static final Set<Integer> ARRAY_ELEMENTS = Set.of(Opcodes.T_BOOLEAN, Opcodes.T_BYTE, Opcodes.T_SHORT);

    /** Everything of API level 3.0.4 that the applet needs. Whoever adds a member looks it up in that version first. */
    private static final Map<String, Set<String>> API = Map.ofEntries(
            Map.entry("javacard/framework/APDU", Set.of("getBuffer", "getProtocol", "receiveBytes", "sendBytesLong",
                    "setIncomingAndReceive", "setOutgoing", "setOutgoingAndSend", "setOutgoingLength")),
            Map.entry("javacard/framework/Applet", Set.of("<init>", "register", "selectingApplet")),
            Map.entry("javacard/framework/ISOException", Set.of("throwIt")),
            Map.entry("javacard/framework/JCSystem", Set.of("makeTransientByteArray", "makeTransientShortArray")),
            Map.entry("javacard/framework/Util", Set.of("arrayCompare", "arrayCopy", "arrayCopyNonAtomic", "arrayFillNonAtomic",
                    "getShort", "setShort")),
            Map.entry("javacard/security/ECKey", Set.of("setA", "setB", "setFieldFP", "setG", "setK", "setR")),
            Map.entry("javacard/security/ECPublicKey", Set.of("getW")),
            Map.entry("javacard/security/KeyBuilder", Set.of("buildKey")),
            Map.entry("javacard/security/KeyPair", Set.of("<init>", "genKeyPair", "getPrivate", "getPublic")),
            Map.entry("javacard/security/MessageDigest", Set.of("getInstance", "doFinal", "reset", "update")),
            Map.entry("javacard/security/PublicKey", Set.of("clearKey")),
            Map.entry("javacard/security/RSAPublicKey", Set.of("getExponent", "getModulus")),
            Map.entry("javacard/security/Signature", Set.of("getInstance", "init", "sign", "verify")));

    /** First arguments by factory: ALG_ECDSA_SHA_256, ALG_RSA_SHA_256_PKCS1; ALG_SHA_256; TYPE_EC_FP_PUBLIC, _PRIVATE; ALG_RSA_CRT. */
    private static final Map<String, Set<Integer>> ALGORITHMS = Map.of(
            "javacard/security/Signature.getInstance(BZ)", Set.of(33, 40),
            "javacard/security/MessageDigest.getInstance(BZ)", Set.of(4),
            "javacard/security/KeyBuilder.buildKey(BSZ)", Set.of(11, 12),
            "javacard/security/KeyPair.<init>(BS)", Set.of(2));

    private static final int UNKNOWN = Integer.MIN_VALUE;

    private final ClassNode node = new ClassNode();
    private final Set<String> state;
    private final Set<String> found = new TreeSet<>();

    /** Of the fields, those named in state may change outside a constructor. */
    CardClass(byte[] code, Set<String> state) {
        this.state = state;
        new ClassReader(code).accept(node, ClassReader.SKIP_DEBUG);
    }

    /** What is wrong, each with its place; empty if nothing is. */
    Set<String> faults() {
        for (FieldNode field : node.fields) {
            checkType(field.name, Type.getType(field.desc));
            if ((field.access & Opcodes.ACC_STATIC) != 0 && (field.access & Opcodes.ACC_FINAL) == 0) {
                fault(field.name, "a static field that changes");
            }
        }
        for (MethodNode method : node.methods) {
            checkType(method.name, Type.getReturnType(method.desc));
            List.of(Type.getArgumentTypes(method.desc)).forEach(type -> checkType(method.name, type));
            method.instructions.forEach(instruction -> check(method, instruction));
            checkArithmetic(method);
        }
        return found;
    }

    /**
     * Bytes of code, somewhat more than a card's: casts to short are left out, for a card's arithmetic is short, and so
     * are class initialisers, whose constant arrays a CAP holds as data.
     */
    int codeBytes() {
        int bytes = 0;
        for (MethodNode method : node.methods) {
            if (!method.name.equals("<clinit>")) {
                CodeSizeEvaluator size = new CodeSizeEvaluator(null);
                method.accept(size);
                bytes += size.getMinSize();
                for (AbstractInsnNode instruction : method.instructions) {
                    bytes -= instruction.getOpcode() == Opcodes.I2S ? 1 : 0;
                }
            }
        }
        return bytes;
    }

    private void check(MethodNode method, AbstractInsnNode instruction) {
        int opcode = instruction.getOpcode();
        if (NO_SUCH_INSTRUCTION.contains(opcode)) {
            fault(method.name, "an instruction that cards do not have: " + opcode);
        }
        if (instruction instanceof LdcInsnNode constant) {
            fault(method.name, "a constant that is no short: " + constant.cst);
        }
        boolean allocates = opcode == Opcodes.NEW || opcode == Opcodes.NEWARRAY || opcode == Opcodes.ANEWARRAY;
        if (allocates && !MAY_ALLOCATE.contains(method.name)) {
            fault(method.name, "an allocation outside installation");
        }
        if (opcode == Opcodes.NEWARRAY && !ARRAY_ELEMENTS.contains(((IntInsnNode) instruction).operand)) {
            fault(method.name, INT_LIKE + "array");
        }
        if (instruction instanceof FieldInsnNode field) {
            checkStore(method, field);
        }
        if (instruction instanceof MethodInsnNode call) {
            checkCall(method, call);
        }
    }

    private void checkStore(MethodNode method, FieldInsnNode field) {
        boolean changes = field.getOpcode() == Opcodes.PUTFIELD && !method.name.equals("<init>");
        if (changes && !state.contains(simple(field.owner) + "." + field.name)) {
            fault(method.name, "a field that changes and is no declared state: " + field.name);
        }
    }

    private void checkCall(MethodNode method, MethodInsnNode call) {
        if (!call.owner.startsWith("javacard") && !call.owner.equals("java/lang/Object")) {
            if (call.owner.startsWith("java/")) {
                fault(method.name, "a call that cards do not have: " + call.owner + "." + call.name);
            }
            return;
        }
        boolean inherited = call.owner.equals("java/lang/Object") && call.name.equals("<init>");
        Set<String> known = API.getOrDefault(call.owner, Set.of());
        if (!inherited && !known.contains(call.name)) {
            fault(method.name, "a member that is not on the list of API level 3.0.4: " + call.owner + "." + call.name);
        }
        checkAlgorithm(method, call);
    }

    private void checkAlgorithm(MethodNode method, MethodInsnNode call) {
        String arguments = call.desc.substring(0, call.desc.indexOf(')') + 1);
        boolean factory = call.name.equals("getInstance") || call.name.equals("buildKey")
                || call.owner.endsWith("/KeyPair") && call.name.equals("<init>") && arguments.equals("(BS)");
        if (!factory) {
            return;
        }
        AbstractInsnNode first = call;
        for (int i = 0; i < Type.getArgumentTypes(call.desc).length && first != null; i++) {
            first = first.getPrevious();
        }
        if (!ALGORITHMS.getOrDefault(call.owner + "." + call.name + arguments, Set.of()).contains(constant(first))) {
            fault(method.name, "an algorithm that is no constant on the list: " + simple(call.owner) + "." + call.name);
        }
    }

    private static int constant(AbstractInsnNode instruction) {
        if (instruction instanceof IntInsnNode push) {
            return push.operand;
        }
        int opcode = instruction == null ? -1 : instruction.getOpcode();
        return opcode >= Opcodes.ICONST_M1 && opcode <= Opcodes.ICONST_5 ? opcode - Opcodes.ICONST_0 : UNKNOWN;
    }

    private void checkArithmetic(MethodNode method) {
        try {
            new Analyzer<>(new ShortArithmetic(what -> fault(method.name, what))).analyze(node.name, method);
        } catch (AnalyzerException e) {
            throw new IllegalStateException(e);
        }
    }

    private void checkType(String place, Type type) {
        Type element = type.getSort() == Type.ARRAY ? type.getElementType() : type;
        boolean missing = Set.of(Type.INT, Type.LONG, Type.FLOAT, Type.DOUBLE, Type.CHAR).contains(element.getSort())
                || element.getClassName().equals(String.class.getName());
        if (missing || type.getSort() == Type.ARRAY && type.getDimensions() > 1) {
            fault(place, INT_LIKE + type.getClassName());
        }
    }

    private void fault(String place, String what) {
        found.add(simple(node.name) + "." + place + ": " + what);
    }

    private static String simple(String internalName) {
        return internalName.substring(internalName.lastIndexOf('/') + 1);
    }
}
