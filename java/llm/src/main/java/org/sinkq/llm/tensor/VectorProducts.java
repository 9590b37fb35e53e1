package org.sinkq.llm.tensor;

import static jdk.incubator.vector.VectorOperators.LSHR;
import static org.sinkq.llm.tensor.Kernels.PARTIAL_SUMS;
import static org.sinkq.llm.tensor.VectorBlocks.bytes;
import static org.sinkq.llm.tensor.VectorBlocks.signedBytes;
import static org.sinkq.llm.tensor.VectorBlocks.toFloat;
import static org.sinkq.llm.tensor.VectorKernels.F;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Partial sums of products, four weight rows at a time so that the additions of one hide behind
 * those of the others. A call covers {@code L} of the 16 partial sums, beginning with {@code lane}.
 * Each method keeps its sums in registers over a whole row, which is why the rows are spelled out:
 * vectors in arrays would be boxed.
 */
final class VectorProducts {
  private VectorProducts() {}

  /** Four rows of Q4_0. */
  static void fours0(
      MemorySegment data,
      long row,
      long rowLength,
      int n,
      int lane,
      float[] x,
      int xAt,
      float[] to,
      int toAt) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long at = row;
    for (int i = 0; i < n; i += 32) {
      FloatVector low = FloatVector.fromArray(F, x, xAt + i + lane);
      FloatVector high = FloatVector.fromArray(F, x, xAt + i + 16 + lane);
      a = four0(data, at, lane, low, high, a);
      b = four0(data, at + rowLength, lane, low, high, b);
      c = four0(data, at + 2 * rowLength, lane, low, high, c);
      d = four0(data, at + 3 * rowLength, lane, low, high, d);
      at += 18;
    }
    store(a, b, c, d, to, toAt + lane);
  }

  private static FloatVector four0(
      MemorySegment data, long at, int lane, FloatVector low, FloatVector high, FloatVector sum) {
    float scale = ScalarBlocks.half(data, at);
    return four(bytes(data, at + 2 + lane), scale, -8 * scale, low, high, sum);
  }

  /** Four rows of Q4_1. */
  static void fours1(
      MemorySegment data,
      long row,
      long rowLength,
      int n,
      int lane,
      float[] x,
      int xAt,
      float[] to,
      int toAt) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long at = row;
    for (int i = 0; i < n; i += 32) {
      FloatVector low = FloatVector.fromArray(F, x, xAt + i + lane);
      FloatVector high = FloatVector.fromArray(F, x, xAt + i + 16 + lane);
      a = four1(data, at, lane, low, high, a);
      b = four1(data, at + rowLength, lane, low, high, b);
      c = four1(data, at + 2 * rowLength, lane, low, high, c);
      d = four1(data, at + 3 * rowLength, lane, low, high, d);
      at += 20;
    }
    store(a, b, c, d, to, toAt + lane);
  }

  private static FloatVector four1(
      MemorySegment data, long at, int lane, FloatVector low, FloatVector high, FloatVector sum) {
    float scale = ScalarBlocks.half(data, at);
    float min = ScalarBlocks.half(data, at + 2);
    return four(bytes(data, at + 4 + lane), scale, min, low, high, sum);
  }

  private static FloatVector four(
      IntVector codes, float scale, float min, FloatVector low, FloatVector high, FloatVector sum) {
    FloatVector s = FloatVector.broadcast(F, scale);
    FloatVector m = FloatVector.broadcast(F, min);
    FloatVector first = toFloat(codes.and(0xF)).fma(s, m).fma(low, sum);
    return toFloat(codes.lanewise(LSHR, 4)).fma(s, m).fma(high, first);
  }

  /** Four rows of Q8_0. */
  static void eights(
      MemorySegment data,
      long row,
      long rowLength,
      int n,
      int lane,
      float[] x,
      int xAt,
      float[] to,
      int toAt) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long at = row;
    for (int i = 0; i < n; i += 32) {
      FloatVector low = FloatVector.fromArray(F, x, xAt + i + lane);
      FloatVector high = FloatVector.fromArray(F, x, xAt + i + 16 + lane);
      a = eight(data, at, lane, low, high, a);
      b = eight(data, at + rowLength, lane, low, high, b);
      c = eight(data, at + 2 * rowLength, lane, low, high, c);
      d = eight(data, at + 3 * rowLength, lane, low, high, d);
      at += 34;
    }
    store(a, b, c, d, to, toAt + lane);
  }

  private static FloatVector eight(
      MemorySegment data, long at, int lane, FloatVector low, FloatVector high, FloatVector sum) {
    FloatVector scale = FloatVector.broadcast(F, ScalarBlocks.half(data, at));
    FloatVector first = toFloat(signedBytes(data, at + 2 + lane)).mul(scale).fma(low, sum);
    return toFloat(signedBytes(data, at + 18 + lane)).mul(scale).fma(high, first);
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
