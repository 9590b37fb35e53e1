package org.sinkq.cuda.ptx;

import java.util.HashMap;
import java.util.Map;

/**
 * A fundamental type of PTX; what an opcode's {@code .f16x2} or a register's {@code .b32} names.
 */
enum PtxType {
  PRED(1, Kind.PREDICATE),
  B8(1, Kind.BITS),
  B16(2, Kind.BITS),
  B32(4, Kind.BITS),
  B64(8, Kind.BITS),
  B128(16, Kind.BITS),
  U8(1, Kind.UNSIGNED),
  U16(2, Kind.UNSIGNED),
  U32(4, Kind.UNSIGNED),
  U64(8, Kind.UNSIGNED),
  S8(1, Kind.SIGNED),
  S16(2, Kind.SIGNED),
  S32(4, Kind.SIGNED),
  S64(8, Kind.SIGNED),
  F16(2, Kind.FLOAT),
  F16X2(4, Kind.FLOAT),
  BF16(2, Kind.FLOAT),
  BF16X2(4, Kind.FLOAT),
  F32(4, Kind.FLOAT),
  F64(8, Kind.FLOAT);

  /** How the bits are read. */
  enum Kind {
    PREDICATE,
    BITS,
    UNSIGNED,
    SIGNED,
    FLOAT
  }

  private static final Map<String, PtxType> BY_NAME = new HashMap<>();

  static {
    for (PtxType type : values()) {
      BY_NAME.put(type.ptxName(), type);
    }
  }

  /** Bytes in memory. */
  final int bytes;

  final Kind kind;

  PtxType(int bytes, Kind kind) {
    this.bytes = bytes;
    this.kind = kind;
  }

  /** The type that an opcode part such as {@code f16x2} names, or null. */
  static PtxType named(String name) {
    return BY_NAME.get(name);
  }

  String ptxName() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  int bits() {
    return bytes * 8;
  }

  boolean isSigned() {
    return kind == Kind.SIGNED;
  }

  boolean isFloat() {
    return kind == Kind.FLOAT;
  }

  /** Whether a register of this type lives in the file of 64-bit registers. */
  boolean isLong() {
    return bytes == 8;
  }
}
