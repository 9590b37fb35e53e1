package org.sinkq.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static org.sinkq.cpu.VectorKernels.F;
import static org.sinkq.cpu.VectorKernels.I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Products of 4, 3 or 1 columns of coefficients with codes, for vectors of 16 lanes: a nibble of
 * codes picks its sum of products from a table that fills one vector. A permutation and an addition
 * replace two conversions and two multiplications.
 *
 * <p>Every second addition is written as a multiply-add by 1, which rounds the same: additions and
 * permutations share ports on current processors, multiply-adds have ports of their own. The number
 * of nibbles in half an int is a parameter although it is always 4: unrolled, the loop needs more
 * registers than there are.
 */
final class VectorTableProducts {
  private static final int TABLE_LENGTH = 16;

  /** Entry n: the lower code of nibble n. */
  private static final float[] LOWER = new float[TABLE_LENGTH];

  /** Entry n: the upper code of nibble n. */
  private static final float[] UPPER = new float[TABLE_LENGTH];

  /** Entry n: n, the only code of a nibble of 4 bits. */
  private static final float[] WHOLE = new float[TABLE_LENGTH];

  static {
    for (int n = 0; n < TABLE_LENGTH; n++) {
      LOWER[n] = n & 3;
      UPPER[n] = n >>> 2;
      WHOLE[n] = n;
    }
  }

  private VectorTableProducts() {}

  /**
   * Writes the tables of one column.
   *
   * @param stride ints from one table to the next
   */
  static void build(int bits, float[] coef, int coefAt, int rows, int[] to, int toAt, int stride) {
    int at = toAt;
    if (bits == 4) {
      FloatVector whole = FloatVector.fromArray(F, WHOLE, 0);
      for (int r = coefAt; r < coefAt + rows; r++, at += stride) {
        whole.mul(coef[r]).reinterpretAsInts().intoArray(to, at);
      }
      return;
    }
    FloatVector lower = FloatVector.fromArray(F, LOWER, 0);
    FloatVector upper = FloatVector.fromArray(F, UPPER, 0);
    for (int r = coefAt; r < coefAt + rows; r += 2, at += stride) {
      upper
          .fma(FloatVector.broadcast(F, coef[r + 1]), lower.mul(coef[r]))
          .reinterpretAsInts()
          .intoArray(to, at);
    }
  }

  static void add4(
      MemorySegment codes,
      long offset,
      int rowBlocks,
      int nibbles,
      int[] tables,
      float[] out,
      int outAt,
      int outStride) {
    FloatVector one = FloatVector.broadcast(F, 1f);
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + 16);
    FloatVector a1 = FloatVector.fromArray(F, out, outAt + outStride);
    FloatVector b1 = FloatVector.fromArray(F, out, outAt + outStride + 16);
    FloatVector a2 = FloatVector.fromArray(F, out, outAt + 2 * outStride);
    FloatVector b2 = FloatVector.fromArray(F, out, outAt + 2 * outStride + 16);
    FloatVector a3 = FloatVector.fromArray(F, out, outAt + 3 * outStride);
    FloatVector b3 = FloatVector.fromArray(F, out, outAt + 3 * outStride + 16);
    int at = 0;
    for (int rb = 0; rb < rowBlocks; rb++) {
      IntVector low =
          IntVector.fromMemorySegment(
              I, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
      IntVector high = low.lanewise(LSHR, 16);
      for (int j = 0; j < nibbles; j++, at += 4 * TABLE_LENGTH) {
        IntVector t0 = IntVector.fromArray(I, tables, at);
        a0 = a0.add(low.selectFrom(t0).reinterpretAsFloats());
        b0 = high.selectFrom(t0).reinterpretAsFloats().fma(one, b0);
        IntVector t1 = IntVector.fromArray(I, tables, at + TABLE_LENGTH);
        a1 = a1.add(low.selectFrom(t1).reinterpretAsFloats());
        b1 = high.selectFrom(t1).reinterpretAsFloats().fma(one, b1);
        IntVector t2 = IntVector.fromArray(I, tables, at + 2 * TABLE_LENGTH);
        a2 = a2.add(low.selectFrom(t2).reinterpretAsFloats());
        b2 = high.selectFrom(t2).reinterpretAsFloats().fma(one, b2);
        IntVector t3 = IntVector.fromArray(I, tables, at + 3 * TABLE_LENGTH);
        a3 = a3.add(low.selectFrom(t3).reinterpretAsFloats());
        b3 = high.selectFrom(t3).reinterpretAsFloats().fma(one, b3);
        low = low.lanewise(LSHR, 4);
        high = high.lanewise(LSHR, 4);
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

  static void add3(
      MemorySegment codes,
      long offset,
      int rowBlocks,
      int nibbles,
      int[] tables,
      float[] out,
      int outAt,
      int outStride) {
    FloatVector one = FloatVector.broadcast(F, 1f);
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + 16);
    FloatVector a1 = FloatVector.fromArray(F, out, outAt + outStride);
    FloatVector b1 = FloatVector.fromArray(F, out, outAt + outStride + 16);
    FloatVector a2 = FloatVector.fromArray(F, out, outAt + 2 * outStride);
    FloatVector b2 = FloatVector.fromArray(F, out, outAt + 2 * outStride + 16);
    int at = 0;
    for (int rb = 0; rb < rowBlocks; rb++) {
      IntVector low =
          IntVector.fromMemorySegment(
              I, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
      IntVector high = low.lanewise(LSHR, 16);
      for (int j = 0; j < nibbles; j++, at += 3 * TABLE_LENGTH) {
        IntVector t0 = IntVector.fromArray(I, tables, at);
        a0 = a0.add(low.selectFrom(t0).reinterpretAsFloats());
        b0 = high.selectFrom(t0).reinterpretAsFloats().fma(one, b0);
        IntVector t1 = IntVector.fromArray(I, tables, at + TABLE_LENGTH);
        a1 = a1.add(low.selectFrom(t1).reinterpretAsFloats());
        b1 = high.selectFrom(t1).reinterpretAsFloats().fma(one, b1);
        IntVector t2 = IntVector.fromArray(I, tables, at + 2 * TABLE_LENGTH);
        a2 = a2.add(low.selectFrom(t2).reinterpretAsFloats());
        b2 = high.selectFrom(t2).reinterpretAsFloats().fma(one, b2);
        low = low.lanewise(LSHR, 4);
        high = high.lanewise(LSHR, 4);
      }
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + 16);
    a1.intoArray(out, outAt + outStride);
    b1.intoArray(out, outAt + outStride + 16);
    a2.intoArray(out, outAt + 2 * outStride);
    b2.intoArray(out, outAt + 2 * outStride + 16);
  }

  static void add1(
      MemorySegment codes,
      long offset,
      int rowBlocks,
      int nibbles,
      int[] tables,
      float[] out,
      int outAt) {
    FloatVector one = FloatVector.broadcast(F, 1f);
    FloatVector a0 = FloatVector.fromArray(F, out, outAt);
    FloatVector b0 = FloatVector.fromArray(F, out, outAt + 16);
    int at = 0;
    for (int rb = 0; rb < rowBlocks; rb++) {
      IntVector low =
          IntVector.fromMemorySegment(
              I, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
      IntVector high = low.lanewise(LSHR, 16);
      for (int j = 0; j < nibbles; j++, at += 1 * TABLE_LENGTH) {
        IntVector t0 = IntVector.fromArray(I, tables, at);
        a0 = a0.add(low.selectFrom(t0).reinterpretAsFloats());
        b0 = high.selectFrom(t0).reinterpretAsFloats().fma(one, b0);
        low = low.lanewise(LSHR, 4);
        high = high.lanewise(LSHR, 4);
      }
    }
    a0.intoArray(out, outAt);
    b0.intoArray(out, outAt + 16);
  }
}
