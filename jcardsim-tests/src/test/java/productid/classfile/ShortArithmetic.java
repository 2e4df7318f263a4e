package productid.classfile;

import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.analysis.AnalyzerException;
import org.objectweb.asm.tree.analysis.BasicInterpreter;
import org.objectweb.asm.tree.analysis.BasicValue;

/**
 * Follows values through a method as the converter does for a card without int: a sum, a difference, a product or a left
 * shift may be wider than a short, and only its low bits count until it is cast. Wherever its high bits would count (a
 * comparison, an index, a right shift, a division, an argument, a result), an uncast one is reported.
 */
final class ShortArithmetic extends BasicInterpreter {
    private static final BasicValue WIDE = new BasicValue(Type.INT_TYPE) {
        @Override
        public boolean equals(Object other) {
            return this == other;
        }

        @Override
        public int hashCode() {
            return 1;
        }
    };
    private static final Set<Integer> LOW_BITS_ONLY =
            Set.of(Opcodes.IADD, Opcodes.ISUB, Opcodes.IMUL, Opcodes.IAND, Opcodes.IOR, Opcodes.IXOR);

    private final Consumer<String> report;

    ShortArithmetic(Consumer<String> report) {
        super(Opcodes.ASM9);
        this.report = report;
    }

    @Override
    public BasicValue copyOperation(AbstractInsnNode instruction, BasicValue value) throws AnalyzerException {
        if (instruction.getOpcode() == Opcodes.ISTORE) {
            requireCast(value);
        }
        return super.copyOperation(instruction, value);
    }

    @Override
    public BasicValue unaryOperation(AbstractInsnNode instruction, BasicValue value) throws AnalyzerException {
        switch (instruction.getOpcode()) {
            case Opcodes.I2B, Opcodes.I2S -> {
                return BasicValue.INT_VALUE;
            }
            case Opcodes.INEG -> {
                return WIDE;
            }
            case Opcodes.IINC -> report.accept("a local variable of type int");
            default -> requireCast(value);
        }
        return super.unaryOperation(instruction, value);
    }

    @Override
    public BasicValue binaryOperation(AbstractInsnNode instruction, BasicValue left, BasicValue right) throws AnalyzerException {
        int opcode = instruction.getOpcode();
        if (LOW_BITS_ONLY.contains(opcode)) {
            boolean grows = opcode == Opcodes.IADD || opcode == Opcodes.ISUB || opcode == Opcodes.IMUL;
            return grows || left == WIDE || right == WIDE ? WIDE : BasicValue.INT_VALUE;
        }
        requireCast(right);
        if (opcode == Opcodes.ISHL) {
            return WIDE;
        }
        requireCast(left);
        return opcode == Opcodes.IUSHR || opcode == Opcodes.IDIV ? WIDE : super.binaryOperation(instruction, left, right);
    }

    @Override
    public BasicValue ternaryOperation(AbstractInsnNode instruction, BasicValue array, BasicValue index, BasicValue value)
            throws AnalyzerException {
        requireCast(index);
        requireCast(value);
        return super.ternaryOperation(instruction, array, index, value);
    }

    @Override
    public BasicValue naryOperation(AbstractInsnNode instruction, List<? extends BasicValue> values) throws AnalyzerException {
        values.forEach(this::requireCast);
        return super.naryOperation(instruction, values);
    }

    @Override
    public BasicValue merge(BasicValue one, BasicValue other) {
        if (one == WIDE || other == WIDE) {
            return WIDE;
        }
        return super.merge(one, other);
    }

    private void requireCast(BasicValue value) {
        if (value == WIDE) {
            report.accept("an intermediate int that is not cast to short");
        }
    }
}
