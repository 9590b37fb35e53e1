package org.sinkq.cuda.ptx;

/** The bits that a literal has as a value of some type. */
final class Literals {
  private Literals() {}

  static long bits(Operand literal, PtxType type) {
    return switch (literal) {
      case Operand.IntLiteral i -> integerBits(i.value(), type);
      case Operand.FloatLiteral f -> floatBits(f, type);
      default -> throw new IllegalArgumentException("operand=" + literal + ", expected a literal");
    };
  }

  private static long integerBits(long value, PtxType type) {
    return type.bytes >= 8 ? value : value & ((1L << type.bits()) - 1);
  }

  private static long floatBits(Operand.FloatLiteral literal, PtxType type) {
    return switch (type) {
      case F64, B64, U64, S64 -> Double.doubleToRawLongBits(literal.value());
      case F32, B32, U32, S32 -> Float.floatToRawIntBits((float) literal.value()) & 0xffffffffL;
      default ->
          throw new IllegalArgumentException(
              "type=" + type + ", expected f32 or f64 for a floating-point literal");
    };
  }
}
