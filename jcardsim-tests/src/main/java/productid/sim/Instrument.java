package productid.sim;

import java.util.Map;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;
import org.objectweb.asm.commons.GeneratorAdapter;

/**
 * Rewrites an applet's class so that each of its persistent writes calls {@link Hooks}: putfield, the array stores,
 * Util's copies and fills, key generation, key setters, and API calls that may write into an array they are given.
 * Fields set in a constructor are left alone: an applet whose installation is torn is not there.
 */
final class Instrument extends ClassVisitor {
    private static final String UTIL = "javacard/framework/Util";
    private static final String SECURITY = "javacard/security/";
    private static final String CRYPTO = "javacardx/crypto/";
    private static final Type HOOKS = Type.getType(Hooks.class);
    private static final Type OBJECT = Type.getType(Object.class);
    private static final Type BYTES = Type.getType(byte[].class);

    /** API methods with a hook of the same arguments (an instance method's receiver first). */
    private static final Map<String, String> REPLACED = Map.of(
            UTIL + ".arrayCopy", "arrayCopy",
            UTIL + ".setShort", "setShort",
            UTIL + ".arrayCopyNonAtomic", "arrayCopyNonAtomic",
            UTIL + ".arrayFillNonAtomic", "arrayFillNonAtomic",
            SECURITY + "KeyPair.genKeyPair", "genKeyPair",
            SECURITY + "Signature.sign", "sign",
            SECURITY + "Signature.verify", "verify",
            SECURITY + "Signature.getInstance", "signature",
            SECURITY + "MessageDigest.getInstance", "digest",
            SECURITY + "KeyBuilder.buildKey", "buildKey");

    private Instrument(ClassVisitor next) {
        super(Opcodes.ASM9, next);
    }

    static byte[] rewrite(byte[] code) {
        ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_FRAMES);
        new ClassReader(code).accept(new Instrument(writer), ClassReader.SKIP_FRAMES);
        return writer.toByteArray();
    }

    @Override
    public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
        MethodVisitor next = super.visitMethod(access, name, descriptor, signature, exceptions);
        return new Body(next, access, name, descriptor);
    }

    private static final class Body extends GeneratorAdapter {
        private final boolean constructor;

        Body(MethodVisitor next, int access, String name, String descriptor) {
            super(Opcodes.ASM9, next, access, name, descriptor);
            constructor = name.equals("<init>");
        }

        @Override
        public void visitFieldInsn(int opcode, String owner, String name, String descriptor) {
            if (opcode != Opcodes.PUTFIELD || constructor) {
                super.visitFieldInsn(opcode, owner, name, descriptor);
                return;
            }
            push(Type.getObjectType(owner));
            push(name);
            int sort = Type.getType(descriptor).getSort();
            Type value = sort == Type.OBJECT || sort == Type.ARRAY ? OBJECT : Type.INT_TYPE;
            hook("putField", Type.VOID_TYPE, OBJECT, value, Type.getType(Class.class), Type.getType(String.class));
        }

        @Override
        public void visitInsn(int opcode) {
            switch (opcode) {
                case Opcodes.BASTORE -> hook("storeByte", Type.VOID_TYPE, OBJECT, Type.INT_TYPE, Type.INT_TYPE);
                case Opcodes.SASTORE -> hook("storeShort", Type.VOID_TYPE, Type.getType(short[].class), Type.INT_TYPE, Type.INT_TYPE);
                case Opcodes.AASTORE -> hook("storeReference", Type.VOID_TYPE, Type.getType(Object[].class), Type.INT_TYPE, OBJECT);
                default -> super.visitInsn(opcode);
            }
        }

        @Override
        public void visitMethodInsn(int opcode, String owner, String name, String descriptor, boolean isInterface) {
            String replacement = REPLACED.get(owner + "." + name);
            if (replacement != null && !hasUnknownShape(name, descriptor)) {
                call(replacement, opcode == Opcodes.INVOKESTATIC ? descriptor : descriptor.replace("(", "(L" + owner + ";"));
                return;
            }
            boolean api = (owner.startsWith(SECURITY) || owner.startsWith(CRYPTO)) && opcode != Opcodes.INVOKESPECIAL;
            if (api && (name.startsWith("set") || name.equals("clearKey")) && owner.endsWith("Key")) {
                hook("keyWrite", Type.VOID_TYPE);
                super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
                hook("keyWrite", Type.VOID_TYPE);
            } else if (api && descriptor.contains("[B")) {
                watchArguments(opcode, owner, name, descriptor, isInterface);
            } else {
                super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
            }
        }

        /** Overloads that came after Java Card 3.0.4 and that no hook stands for. */
        private static boolean hasUnknownShape(String name, String descriptor) {
            return name.equals("getInstance") && !descriptor.startsWith("(BZ)");
        }

        /** Takes the arguments off the stack, shows the arrays among them to the hooks, puts them back and calls. */
        private void watchArguments(int opcode, String owner, String name, String descriptor, boolean isInterface) {
            Type[] types = Type.getArgumentTypes(descriptor);
            int[] locals = new int[types.length];
            for (int i = types.length - 1; i >= 0; i--) {
                locals[i] = newLocal(types[i]);
                storeLocal(locals[i]);
            }
            hook("apiBegins", Type.VOID_TYPE);
            for (int i = 0; i < types.length; i++) {
                if (types[i].equals(BYTES)) {
                    loadLocal(locals[i]);
                    hook("apiArgument", Type.VOID_TYPE, BYTES);
                }
            }
            for (int local : locals) {
                loadLocal(local);
            }
            super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
            hook("apiEnds", Type.VOID_TYPE);
        }

        private void hook(String name, Type result, Type... arguments) {
            call(name, Type.getMethodDescriptor(result, arguments));
        }

        private void call(String name, String descriptor) {
            super.visitMethodInsn(Opcodes.INVOKESTATIC, HOOKS.getInternalName(), name, descriptor, false);
        }
    }
}
