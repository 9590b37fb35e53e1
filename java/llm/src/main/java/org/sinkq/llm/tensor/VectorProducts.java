package org.sinkq.llm.tensor;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;
import static org.sinkq.llm.tensor.Kernels.PARTIAL_SUMS;
import static org.sinkq.llm.tensor.VectorKernels.B;
import static org.sinkq.llm.tensor.VectorKernels.F;
import static org.sinkq.llm.tensor.VectorKernels.I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Partial sums of products, four weight rows at a time so that the additions of one hide behind
 * those of the others, or two where blocks are decoded. A call covers {@code L} of the 16 partial
 * sums, beginning with {@code lane}. Each method keeps its sums in registers over a whole row,
 * which is why the rows are spelled out: vectors in arrays would be boxed. Nor is anything factored
 * out: a helper that has been compiled on its own is not inlined any more, and its vectors would be
 * boxed.
 */
final class VectorProducts {
  private VectorProducts() {}

  /**
   * Two rows of Q4_0 or Q4_1.
   *
   * @param codes offset of the first block's nibbles
   * @param scales at 4 b: scale and minimum of block b of the first row, then of the second
   */
  static void fours(
      MemorySegment data,
      long codes,
      long rowLength,
      int blockLength,
      int n,
      int lane,
      float[] scales,
      int scalesAt,
      float[] x,
      int xAt,
      float[] to,
      int toAt) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = FloatVector.zero(F);
    long at = codes + lane;
    int s = scalesAt;
    for (int i = xAt + lane; i < xAt + n; i += 32) {
      FloatVector low = FloatVector.fromArray(F, x, i);
      FloatVector high = FloatVector.fromArray(F, x, i + 16);
      FloatVector scale = FloatVector.broadcast(F, scales[s]);
      FloatVector min = FloatVector.broadcast(F, scales[s + 1]);
      IntVector codes1 =
          (IntVector)
              ByteVector.fromMemorySegment(B, data, at, LITTLE_ENDIAN)
                  .convertShape(ZERO_EXTEND_B2I, I, 0);
      FloatVector w = (FloatVector) codes1.and(0xF).convert(I2F, 0);
      a = w.fma(scale, min).fma(low, a);
      w = (FloatVector) codes1.lanewise(LSHR, 4).convert(I2F, 0);
      a = w.fma(scale, min).fma(high, a);
      scale = FloatVector.broadcast(F, scales[s + 2]);
      min = FloatVector.broadcast(F, scales[s + 3]);
      IntVector codes2 =
          (IntVector)
              ByteVector.fromMemorySegment(B, data, at + rowLength, LITTLE_ENDIAN)
                  .convertShape(ZERO_EXTEND_B2I, I, 0);
      w = (FloatVector) codes2.and(0xF).convert(I2F, 0);
      b = w.fma(scale, min).fma(low, b);
      w = (FloatVector) codes2.lanewise(LSHR, 4).convert(I2F, 0);
      b = w.fma(scale, min).fma(high, b);
      at += blockLength;
      s += 4;
    }
    a.intoArray(to, toAt + lane);
    b.intoArray(to, toAt + PARTIAL_SUMS + lane);
  }

  /** Two rows of Q8_0; see {@link #fours}, the minima are not used. */
  static void eights(
      MemorySegment data,
      long codes,
      long rowLength,
      int blockLength,
      int n,
      int lane,
      float[] scales,
      int scalesAt,
      float[] x,
      int xAt,
      float[] to,
      int toAt) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = FloatVector.zero(F);
    long at = codes + lane;
    int s = scalesAt;
    for (int i = xAt + lane; i < xAt + n; i += 32) {
      FloatVector low = FloatVector.fromArray(F, x, i);
      FloatVector high = FloatVector.fromArray(F, x, i + 16);
      FloatVector scale = FloatVector.broadcast(F, scales[s]);
      FloatVector scale2 = FloatVector.broadcast(F, scales[s + 2]);
      FloatVector w =
          (FloatVector)
              ByteVector.fromMemorySegment(B, data, at, LITTLE_ENDIAN).convertShape(B2F, F, 0);
      a = w.mul(scale).fma(low, a);
      w =
          (FloatVector)
              ByteVector.fromMemorySegment(B, data, at + 16, LITTLE_ENDIAN).convertShape(B2F, F, 0);
      a = w.mul(scale).fma(high, a);
      w =
          (FloatVector)
              ByteVector.fromMemorySegment(B, data, at + rowLength, LITTLE_ENDIAN)
                  .convertShape(B2F, F, 0);
      b = w.mul(scale2).fma(low, b);
      w =
          (FloatVector)
              ByteVector.fromMemorySegment(B, data, at + rowLength + 16, LITTLE_ENDIAN)
                  .convertShape(B2F, F, 0);
      b = w.mul(scale2).fma(high, b);
      at += blockLength;
      s += 4;
    }
    a.intoArray(to, toAt + lane);
    b.intoArray(to, toAt + PARTIAL_SUMS + lane);
  }

  /** Four rows of a tile and one row of x. */
  static void floats(
      float[] tile, int tileAt, int n, int lane, float[] x, int xAt, float[] to, int toAt) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int i = lane; i < n; i += PARTIAL_SUMS) {
      FloatVector v = FloatVector.fromArray(F, x, xAt + i);
      a = FloatVector.fromArray(F, tile, tileAt + i).fma(v, a);
      b = FloatVector.fromArray(F, tile, tileAt + n + i).fma(v, b);
      c = FloatVector.fromArray(F, tile, tileAt + 2 * n + i).fma(v, c);
      d = FloatVector.fromArray(F, tile, tileAt + 3 * n + i).fma(v, d);
    }
    store(a, b, c, d, to, toAt + lane);
  }

  private static void store(
      FloatVector a, FloatVector b, FloatVector c, FloatVector d, float[] to, int at) {
    a.intoArray(to, at);
    b.intoArray(to, at + PARTIAL_SUMS);
    c.intoArray(to, at + 2 * PARTIAL_SUMS);
    d.intoArray(to, at + 3 * PARTIAL_SUMS);
  }

  /**
   * Four rows of a tile and four rows of x; sum of row {@code r} and tile row {@code o} at 4r + o.
   */
  static void floats4(
      float[] tile,
      int tileAt,
      int n,
      int lane,
      float[] x,
      int xAt,
      int xStride,
      float[] to,
      int toAt) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    FloatVector c0 = a0;
    FloatVector c1 = a0;
    FloatVector c2 = a0;
    FloatVector c3 = a0;
    FloatVector d0 = a0;
    FloatVector d1 = a0;
    FloatVector d2 = a0;
    FloatVector d3 = a0;
    for (int i = lane; i < n; i += PARTIAL_SUMS) {
      FloatVector w0 = FloatVector.fromArray(F, tile, tileAt + i);
      FloatVector w1 = FloatVector.fromArray(F, tile, tileAt + n + i);
      FloatVector w2 = FloatVector.fromArray(F, tile, tileAt + 2 * n + i);
      FloatVector w3 = FloatVector.fromArray(F, tile, tileAt + 3 * n + i);
      FloatVector v = FloatVector.fromArray(F, x, xAt + i);
      a0 = w0.fma(v, a0);
      a1 = w1.fma(v, a1);
      a2 = w2.fma(v, a2);
      a3 = w3.fma(v, a3);
      v = FloatVector.fromArray(F, x, xAt + xStride + i);
      b0 = w0.fma(v, b0);
      b1 = w1.fma(v, b1);
      b2 = w2.fma(v, b2);
      b3 = w3.fma(v, b3);
      v = FloatVector.fromArray(F, x, xAt + 2 * xStride + i);
      c0 = w0.fma(v, c0);
      c1 = w1.fma(v, c1);
      c2 = w2.fma(v, c2);
      c3 = w3.fma(v, c3);
      v = FloatVector.fromArray(F, x, xAt + 3 * xStride + i);
      d0 = w0.fma(v, d0);
      d1 = w1.fma(v, d1);
      d2 = w2.fma(v, d2);
      d3 = w3.fma(v, d3);
    }
    store(a0, a1, a2, a3, to, toAt + lane);
    store(b0, b1, b2, b3, to, toAt + 4 * PARTIAL_SUMS + lane);
    store(c0, c1, c2, c3, to, toAt + 8 * PARTIAL_SUMS + lane);
    store(d0, d1, d2, d3, to, toAt + 12 * PARTIAL_SUMS + lane);
  }
}
