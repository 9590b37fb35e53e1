package org.sinkq.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static org.sinkq.cpu.VectorKernels.F;
import static org.sinkq.cpu.VectorKernels.I;
import static org.sinkq.cpu.VectorKernels.L;
import static org.sinkq.cpu.VectorKernels.toFloat;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Products of 1, 3 or 4 columns of coefficients with rows of codes or floats.
 *
 * <p>A row is decoded once and multiplied into all columns; with 4 columns the fused multiply-adds,
 * not the decoding, are the bound. Each method keeps its sums in registers over all rows, which is
 * why the number of columns has to be spelled out: vectors in arrays or behind a call would be
 * boxed.
 */
final class VectorProducts {
  /** Size of a vector in bytes. */
  private static final long VECTOR_LENGTH = (long) L * Float.BYTES;

  private VectorProducts() {}

  static void codes4(
      int bits,
      MemorySegment codes,
      long offset,
      int rowBlocks,
      float[] coef,
      int coefAt,
      int coefStride,
      float[] out,
      int outAt,
      int outStride) {
    int rows = 16 / bits;
    int mask = (1 << bits) - 1;
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + 16);
    FloatVector a1 = FloatVector.fromArray(F, out, outAt + outStride);
    FloatVector b1 = FloatVector.fromArray(F, out, outAt + outStride + 16);
    FloatVector a2 = FloatVector.fromArray(F, out, outAt + 2 * outStride);
    FloatVector b2 = FloatVector.fromArray(F, out, outAt + 2 * outStride + 16);
    FloatVector a3 = FloatVector.fromArray(F, out, outAt + 3 * outStride);
    FloatVector b3 = FloatVector.fromArray(F, out, outAt + 3 * outStride + 16);
    int at = coefAt;
    for (int rb = 0; rb < rowBlocks; rb++) {
      IntVector low =
          IntVector.fromMemorySegment(
              I, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
      IntVector high = low.lanewise(LSHR, 16);
      for (int j = 0; j < rows; j++, at++) {
        FloatVector x = toFloat(low.and(mask));
        FloatVector y = toFloat(high.and(mask));
        FloatVector q0 = FloatVector.broadcast(F, coef[at]);
        a0 = x.fma(q0, a0);
        b0 = y.fma(q0, b0);
        FloatVector q1 = FloatVector.broadcast(F, coef[at + coefStride]);
        a1 = x.fma(q1, a1);
        b1 = y.fma(q1, b1);
        FloatVector q2 = FloatVector.broadcast(F, coef[at + 2 * coefStride]);
        a2 = x.fma(q2, a2);
        b2 = y.fma(q2, b2);
        FloatVector q3 = FloatVector.broadcast(F, coef[at + 3 * coefStride]);
        a3 = x.fma(q3, a3);
        b3 = y.fma(q3, b3);
        low = low.lanewise(LSHR, bits);
        high = high.lanewise(LSHR, bits);
      }
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + 16);
    a1.intoArray(out, outAt + outStride);
    b1.intoArray(out, outAt + outStride + 16);
    a2.intoArray(out, outAt + 2 * outStride);
    b2.intoArray(out, outAt + 2 * outStride + 16);
    a3.intoArray(out, outAt + 3 * outStride);
    b3.intoArray(out, outAt + 3 * outStride + 16);
  }

  static void codes3(
      int bits,
      MemorySegment codes,
      long offset,
      int rowBlocks,
      float[] coef,
      int coefAt,
      int coefStride,
      float[] out,
      int outAt,
      int outStride) {
    int rows = 16 / bits;
    int mask = (1 << bits) - 1;
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + 16);
    FloatVector a1 = FloatVector.fromArray(F, out, outAt + outStride);
    FloatVector b1 = FloatVector.fromArray(F, out, outAt + outStride + 16);
    FloatVector a2 = FloatVector.fromArray(F, out, outAt + 2 * outStride);
    FloatVector b2 = FloatVector.fromArray(F, out, outAt + 2 * outStride + 16);
    int at = coefAt;
    for (int rb = 0; rb < rowBlocks; rb++) {
      IntVector low =
          IntVector.fromMemorySegment(
              I, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
      IntVector high = low.lanewise(LSHR, 16);
      for (int j = 0; j < rows; j++, at++) {
        FloatVector x = toFloat(low.and(mask));
        FloatVector y = toFloat(high.and(mask));
        FloatVector q0 = FloatVector.broadcast(F, coef[at]);
        a0 = x.fma(q0, a0);
        b0 = y.fma(q0, b0);
        FloatVector q1 = FloatVector.broadcast(F, coef[at + coefStride]);
        a1 = x.fma(q1, a1);
        b1 = y.fma(q1, b1);
        FloatVector q2 = FloatVector.broadcast(F, coef[at + 2 * coefStride]);
        a2 = x.fma(q2, a2);
        b2 = y.fma(q2, b2);
        low = low.lanewise(LSHR, bits);
        high = high.lanewise(LSHR, bits);
      }
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + 16);
    a1.intoArray(out, outAt + outStride);
    b1.intoArray(out, outAt + outStride + 16);
    a2.intoArray(out, outAt + 2 * outStride);
    b2.intoArray(out, outAt + 2 * outStride + 16);
  }

  static void codes1(
      int bits,
      MemorySegment codes,
      long offset,
      int rowBlocks,
      float[] coef,
      int coefAt,
      float[] out,
      int outAt) {
    int rows = 16 / bits;
    int mask = (1 << bits) - 1;
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + 16);
    int at = coefAt;
    for (int rb = 0; rb < rowBlocks; rb++) {
      IntVector low =
          IntVector.fromMemorySegment(
              I, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
      IntVector high = low.lanewise(LSHR, 16);
      for (int j = 0; j < rows; j++, at++) {
        FloatVector x = toFloat(low.and(mask));
        FloatVector y = toFloat(high.and(mask));
        FloatVector q0 = FloatVector.broadcast(F, coef[at]);
        a0 = x.fma(q0, a0);
        b0 = y.fma(q0, b0);
        low = low.lanewise(LSHR, bits);
        high = high.lanewise(LSHR, bits);
      }
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + 16);
  }

  static void floats4(
      MemorySegment x,
      long offset,
      int rows,
      int rowStride,
      float[] coef,
      int coefAt,
      int coefStride,
      float[] out,
      int outAt,
      int outStride) {
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + L);
    FloatVector a1 = FloatVector.fromArray(F, out, outAt + outStride);
    FloatVector b1 = FloatVector.fromArray(F, out, outAt + outStride + L);
    FloatVector a2 = FloatVector.fromArray(F, out, outAt + 2 * outStride);
    FloatVector b2 = FloatVector.fromArray(F, out, outAt + 2 * outStride + L);
    FloatVector a3 = FloatVector.fromArray(F, out, outAt + 3 * outStride);
    FloatVector b3 = FloatVector.fromArray(F, out, outAt + 3 * outStride + L);
    long row = offset;
    for (int r = 0; r < rows; r++) {
      FloatVector low = FloatVector.fromMemorySegment(F, x, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, x, row + VECTOR_LENGTH, LITTLE_ENDIAN);
      FloatVector q0 = FloatVector.broadcast(F, coef[coefAt + r]);
      a0 = low.fma(q0, a0);
      b0 = high.fma(q0, b0);
      FloatVector q1 = FloatVector.broadcast(F, coef[coefAt + coefStride + r]);
      a1 = low.fma(q1, a1);
      b1 = high.fma(q1, b1);
      FloatVector q2 = FloatVector.broadcast(F, coef[coefAt + 2 * coefStride + r]);
      a2 = low.fma(q2, a2);
      b2 = high.fma(q2, b2);
      FloatVector q3 = FloatVector.broadcast(F, coef[coefAt + 3 * coefStride + r]);
      a3 = low.fma(q3, a3);
      b3 = high.fma(q3, b3);
      row += (long) rowStride * Float.BYTES;
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + L);
    a1.intoArray(out, outAt + outStride);
    b1.intoArray(out, outAt + outStride + L);
    a2.intoArray(out, outAt + 2 * outStride);
    b2.intoArray(out, outAt + 2 * outStride + L);
    a3.intoArray(out, outAt + 3 * outStride);
    b3.intoArray(out, outAt + 3 * outStride + L);
  }

  static void floats3(
      MemorySegment x,
      long offset,
      int rows,
      int rowStride,
      float[] coef,
      int coefAt,
      int coefStride,
      float[] out,
      int outAt,
      int outStride) {
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + L);
    FloatVector a1 = FloatVector.fromArray(F, out, outAt + outStride);
    FloatVector b1 = FloatVector.fromArray(F, out, outAt + outStride + L);
    FloatVector a2 = FloatVector.fromArray(F, out, outAt + 2 * outStride);
    FloatVector b2 = FloatVector.fromArray(F, out, outAt + 2 * outStride + L);
    long row = offset;
    for (int r = 0; r < rows; r++) {
      FloatVector low = FloatVector.fromMemorySegment(F, x, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, x, row + VECTOR_LENGTH, LITTLE_ENDIAN);
      FloatVector q0 = FloatVector.broadcast(F, coef[coefAt + r]);
      a0 = low.fma(q0, a0);
      b0 = high.fma(q0, b0);
      FloatVector q1 = FloatVector.broadcast(F, coef[coefAt + coefStride + r]);
      a1 = low.fma(q1, a1);
      b1 = high.fma(q1, b1);
      FloatVector q2 = FloatVector.broadcast(F, coef[coefAt + 2 * coefStride + r]);
      a2 = low.fma(q2, a2);
      b2 = high.fma(q2, b2);
      row += (long) rowStride * Float.BYTES;
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + L);
    a1.intoArray(out, outAt + outStride);
    b1.intoArray(out, outAt + outStride + L);
    a2.intoArray(out, outAt + 2 * outStride);
    b2.intoArray(out, outAt + 2 * outStride + L);
  }

  static void floats1(
      MemorySegment x,
      long offset,
      int rows,
      int rowStride,
      float[] coef,
      int coefAt,
      float[] out,
      int outAt) {
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + L);
    long row = offset;
    for (int r = 0; r < rows; r++) {
      FloatVector low = FloatVector.fromMemorySegment(F, x, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, x, row + VECTOR_LENGTH, LITTLE_ENDIAN);
      FloatVector q0 = FloatVector.broadcast(F, coef[coefAt + r]);
      a0 = low.fma(q0, a0);
      b0 = high.fma(q0, b0);
      row += (long) rowStride * Float.BYTES;
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + L);
  }
}
