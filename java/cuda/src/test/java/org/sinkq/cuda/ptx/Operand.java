package org.sinkq.cuda.ptx;

import java.util.List;

/** An operand as written, with names already resolved. */
sealed interface Operand {
  /** A declared register; {@code id} counts through the function. */
  record Register(int id, PtxType type) implements Operand {}

  /** A read-only register of the machine, such as {@code %tid.x}. */
  record Special(String name) implements Operand {}

  /** An integer literal. */
  record IntLiteral(long value) implements Operand {}

  /** A floating-point literal: {@code 0f} (single) or {@code 0d} and decimals (double). */
  record FloatLiteral(double value, boolean single) implements Operand {}

  /** A variable, and an offset in bytes behind it. */
  record Variable(PtxVariable variable, long offset) implements Operand {}

  /** A label or a function: a name that is no variable. */
  record Name(String name) implements Operand {}

  /** {@code [base+offset]}. */
  record Address(Operand base, long offset) implements Operand {}

  /** {@code {a,b}} of a vector, or {@code (a,b)} of a call. */
  record Group(List<Operand> items) implements Operand {}

  /** {@code !%p}. */
  record Not(Register register) implements Operand {}

  /** {@code %d|%p}: a result with its predicate. */
  record Pair(Operand first, Operand second) implements Operand {}

  /** {@code _}: a result that nobody wants. */
  record Sink() implements Operand {}
}
