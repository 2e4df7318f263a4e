package productid.sim;

import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Handle;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;
import org.objectweb.asm.commons.GeneratorAdapter;

/**
 * Rewrites an applet's class so that each of its persistent writes calls {@link Hooks}: putfield, putstatic, the array
 * stores, and every API call that {@link Api} says can write. What could write and is not known is refused with a
 * LinkageError. Static initialisers are left alone: they run when a package is loaded, before there is a card.
 */
final class Instrument extends ClassVisitor {
    private static final Type HOOKS = Type.getType(Hooks.class);
    private static final Type OBJECT = Type.getType(Object.class);
    private static final Type BYTES = Type.getType(byte[].class);

    private final Hierarchy applet;
    private String type;

    private Instrument(ClassVisitor next, Hierarchy applet) {
        super(Opcodes.ASM9, next);
        this.applet = applet;
    }

    /** Throws LinkageError with the place and the reason for a class that could write unseen. */
    static byte[] rewrite(byte[] code, Hierarchy applet) {
        ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_FRAMES);
        new ClassReader(code).accept(new Instrument(writer, applet), ClassReader.SKIP_FRAMES);
        return writer.toByteArray();
    }

    @Override
    public void visit(int version, int access, String name, String signature, String superName, String[] interfaces) {
        type = name;
        super.visit(version, access, name, signature, superName, interfaces);
    }

    @Override
    public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
        MethodVisitor next = super.visitMethod(access, name, descriptor, signature, exceptions);
        return name.equals("<clinit>") ? next : new Body(next, access, name, descriptor);
    }

    private final class Body extends GeneratorAdapter {
        private final String method;
        /** False in a constructor until it has called the one above: before that no hook may see the object. */
        private boolean isConstructed;
        /** Objects made and not yet constructed. */
        private int unconstructed;

        Body(MethodVisitor next, int access, String name, String descriptor) {
            super(Opcodes.ASM9, next, access, name, descriptor);
            method = name;
            isConstructed = !name.equals("<init>");
        }

        @Override
        public void visitTypeInsn(int opcode, String name) {
            unconstructed += opcode == Opcodes.NEW ? 1 : 0;
            super.visitTypeInsn(opcode, name);
        }

        @Override
        public void visitFieldInsn(int opcode, String owner, String name, String descriptor) {
            if (opcode == Opcodes.GETFIELD || opcode == Opcodes.GETSTATIC || !isConstructed) {
                super.visitFieldInsn(opcode, owner, name, descriptor);
                return;
            }
            if (!applet.isOwn(owner)) {
                throw refused("writes the field " + owner + "." + name);
            }
            Type value = switch (Type.getType(descriptor).getSort()) {
                case Type.OBJECT, Type.ARRAY -> OBJECT;
                case Type.BOOLEAN, Type.BYTE, Type.SHORT, Type.INT -> Type.INT_TYPE;
                default -> throw refused("writes a field of type " + descriptor);
            };
            push(Type.getObjectType(owner));
            push(name);
            if (opcode == Opcodes.PUTSTATIC) {
                hook("putStatic", value, Type.getType(Class.class), Type.getType(String.class));
            } else {
                hook("putField", OBJECT, value, Type.getType(Class.class), Type.getType(String.class));
            }
        }

        @Override
        public void visitInsn(int opcode) {
            switch (opcode) {
                case Opcodes.BASTORE -> hook("storeByte", OBJECT, Type.INT_TYPE, Type.INT_TYPE);
                case Opcodes.SASTORE -> hook("storeShort", Type.getType(short[].class), Type.INT_TYPE, Type.INT_TYPE);
                case Opcodes.AASTORE -> hook("storeReference", Type.getType(Object[].class), Type.INT_TYPE, OBJECT);
                case Opcodes.IASTORE, Opcodes.CASTORE, Opcodes.LASTORE, Opcodes.FASTORE, Opcodes.DASTORE ->
                    throw refused("writes into an array of a type that cards do not have");
                default -> super.visitInsn(opcode);
            }
        }

        @Override
        public void visitInvokeDynamicInsn(String name, String descriptor, Handle bootstrap, Object... arguments) {
            throw refused("is linked at run time (invokedynamic)");
        }

        @Override
        public void visitMethodInsn(int opcode, String owner, String name, String descriptor, boolean isInterface) {
            if (name.equals("<init>") && unconstructed-- == 0) {
                isConstructed = true;
                unconstructed = 0;
            }
            String declared = applet.declaredIn(owner, name, descriptor);
            if (applet.isOwn(declared)) {
                super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
                return;
            }
            Api.Effect effect = Api.effect(declared, name, descriptor);
            if (effect == null) {
                throw refused("calls " + declared + "." + name + descriptor + ", and what that writes is not known");
            }
            switch (effect) {
                case NOTHING -> super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
                case REPLACED -> call(Api.hook(declared, name, descriptor),
                        opcode == Opcodes.INVOKESTATIC ? descriptor : descriptor.replace("(", "(L" + declared + ";"));
                case ARRAYS, KEY -> watch(opcode, owner, name, descriptor, isInterface);
            }
        }

        /** Shows the receiver and the byte arrays to the hooks before the call, and says when the call has ended. */
        private void watch(int opcode, String owner, String name, String descriptor, boolean isInterface) {
            Type[] types = Type.getArgumentTypes(descriptor);
            int[] locals = new int[types.length];
            for (int i = types.length - 1; i >= 0; i--) {
                locals[i] = newLocal(types[i]);
                storeLocal(locals[i]);
            }
            dup();
            hook("apiBegins", OBJECT);
            for (int i = 0; i < types.length; i++) {
                if (types[i].equals(BYTES)) {
                    loadLocal(locals[i]);
                    hook("apiArgument", BYTES);
                }
            }
            for (int local : locals) {
                loadLocal(local);
            }
            super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
            hook("apiEnds");
        }

        private void hook(String name, Type... arguments) {
            call(name, Type.getMethodDescriptor(Type.VOID_TYPE, arguments));
        }

        private void call(String name, String descriptor) {
            super.visitMethodInsn(Opcodes.INVOKESTATIC, HOOKS.getInternalName(), name, descriptor, false);
        }

        private LinkageError refused(String what) {
            return new LinkageError("not loaded: " + type + "." + method + " " + what);
        }
    }
}
