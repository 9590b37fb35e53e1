package org.sinkq.cuda.ptx;

import java.util.List;

/**
 * One instruction as written.
 *
 * @param opcode the whole of it, {@code mma.sync.aligned.m16n8k16...}
 * @param guard the predicate it is subject to, or null
 * @param negated whether it runs where the guard is false
 */
record PtxInstruction(
    int line, String opcode, Operand.Register guard, boolean negated, List<Operand> operands) {}
