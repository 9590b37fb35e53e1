package org.sinkq.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.sinkq.cpu.VectorKernels.F;
import static org.sinkq.cpu.VectorKernels.L;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Products of 4, 3 or 1 columns of coefficients with rows of 32 binary32 numbers. */
final class VectorFloatProducts {
  private static final long VECTOR_LENGTH = (long) L * Float.BYTES;
  private static final long ROW_LENGTH = (long) CpuLayout.BLOCK * Float.BYTES;

  private VectorFloatProducts() {}

  static void add4(
      MemorySegment x,
      long offset,
      int rows,
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
      row += ROW_LENGTH;
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

  static void add3(
      MemorySegment x,
      long offset,
      int rows,
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
      row += ROW_LENGTH;
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + L);
    a1.intoArray(out, outAt + outStride);
    b1.intoArray(out, outAt + outStride + L);
    a2.intoArray(out, outAt + 2 * outStride);
    b2.intoArray(out, outAt + 2 * outStride + L);
  }

  static void add1(
      MemorySegment x, long offset, int rows, float[] coef, int coefAt, float[] out, int outAt) {
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + L);
    long row = offset;
    for (int r = 0; r < rows; r++) {
      FloatVector low = FloatVector.fromMemorySegment(F, x, row, LITTLE_ENDIAN);
      FloatVector high = FloatVector.fromMemorySegment(F, x, row + VECTOR_LENGTH, LITTLE_ENDIAN);
      FloatVector q0 = FloatVector.broadcast(F, coef[coefAt + r]);
      a0 = low.fma(q0, a0);
      b0 = high.fma(q0, b0);
      row += ROW_LENGTH;
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + L);
  }
}
