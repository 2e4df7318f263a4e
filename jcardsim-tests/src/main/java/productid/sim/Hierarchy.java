package productid.sim;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;

/** The classes of an applet's package as its class files tell them, none of them loaded. Names are internal ones, with slashes. */
final class Hierarchy {
    private static final int CONSTANT_CLASS = 7;

    private final String prefix;
    private final Function<String, byte[]> files;
    private final Map<String, ClassReader> readers = new HashMap<>();

    /** @param files the bytes of a class, null for one that is not there */
    Hierarchy(String packageName, Function<String, byte[]> files) {
        prefix = packageName.replace('.', '/') + "/";
        this.files = files;
    }

    /** Whether the class is of the applet's package or of one below. */
    boolean isOwn(String name) {
        return name.startsWith(prefix);
    }

    /** The bytes of a class of the applet, null if it is not there. */
    byte[] code(String name) {
        return files.apply(name);
    }

    /** Where the method called on a class is found: the class itself, one above it in the applet, or the first of the API. */
    String declaredIn(String owner, String name, String descriptor) {
        String type = owner;
        while (isOwn(type) && reader(type) != null && !declares(reader(type), name, descriptor)) {
            type = reader(type).getSuperName();
        }
        return type;
    }

    /** The class and every own class that it or one of these names. */
    Set<String> reachable(String root) {
        Set<String> found = new LinkedHashSet<>(Set.of(root));
        Deque<String> open = new ArrayDeque<>(found);
        while (!open.isEmpty()) {
            ClassReader reader = reader(open.pop());
            for (int i = 1; reader != null && i < reader.getItemCount(); i++) {
                int at = reader.getItem(i);
                if (at > 0 && reader.readByte(at - 1) == CONSTANT_CLASS) {
                    String name = reader.readUTF8(at, new char[reader.getMaxStringLength()]);
                    if (isOwn(name) && found.add(name)) {
                        open.push(name);
                    }
                }
            }
        }
        return found;
    }

    private ClassReader reader(String name) {
        return readers.computeIfAbsent(name, n -> {
            byte[] code = files.apply(n);
            return code == null ? null : new ClassReader(code);
        });
    }

    private static boolean declares(ClassReader reader, String name, String descriptor) {
        boolean[] found = new boolean[1];
        reader.accept(new ClassVisitor(Opcodes.ASM9) {
            @Override
            public MethodVisitor visitMethod(int access, String n, String d, String signature, String[] exceptions) {
                found[0] |= n.equals(name) && d.equals(descriptor);
                return null;
            }
        }, ClassReader.SKIP_CODE | ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
        return found[0];
    }
}
