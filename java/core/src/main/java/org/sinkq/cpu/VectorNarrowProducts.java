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
 * Products of columns of coefficients with codes where a vector is too narrow for {@link
 * VectorTableProducts}: the same sums in the same order, multiplied out.
 */
final class VectorNarrowProducts {
  private VectorNarrowProducts() {}

  static void codes(
      int bits,
      MemorySegment codes,
      long offset,
      int rowBlocks,
      int laneBlocks,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns) {
    for (int lb = 0; lb < laneBlocks; lb++) {
      long block = offset + (long) lb * rowBlocks * CpuLayout.CODE_BLOCK_LENGTH;
      for (int slice = 0; slice < 16; slice += L) {
        long at = block + (long) slice * Integer.BYTES;
        int to = outAt + lb * CpuLayout.BLOCK + slice;
        for (int c = 0; c < columns; c += 2) {
          // An odd last column is paired with itself and computed twice.
          int d = Math.min(c + 1, columns - 1);
          int q = c * coefStride;
          int r = d * coefStride;
          int o = to + c * outStride;
          int p = to + d * outStride;
          if (bits == 2) {
            add2Bits(codes, at, rowBlocks, coef, q, r, out, o, p);
          } else {
            add4Bits(codes, at, rowBlocks, coef, q, r, out, o, p);
          }
        }
      }
    }
  }

  private static void add2Bits(
      MemorySegment codes,
      long offset,
      int rowBlocks,
      float[] coef,
      int coefAt,
      int coefBt,
      float[] out,
      int outAt,
      int outBt) {
    for (int half = 0; half <= 16; half += 16) {
      FloatVector a = FloatVector.fromArray(F, out, outAt + half);
      FloatVector b = FloatVector.fromArray(F, out, outBt + half);
      int q = coefAt;
      int r = coefBt;
      for (int rb = 0; rb < rowBlocks; rb++) {
        IntVector word = word(codes, offset, rb).lanewise(LSHR, half);
        for (int j = 0; j < 8; j += 2, q += 2, r += 2) {
          FloatVector lower = toFloat(word.and(3));
          FloatVector upper = toFloat(word.lanewise(LSHR, 2).and(3));
          a = a.add(upper.fma(FloatVector.broadcast(F, coef[q + 1]), lower.mul(coef[q])));
          b = b.add(upper.fma(FloatVector.broadcast(F, coef[r + 1]), lower.mul(coef[r])));
          word = word.lanewise(LSHR, 4);
        }
      }
      a.intoArray(out, outAt + half);
      b.intoArray(out, outBt + half);
    }
  }

  private static void add4Bits(
      MemorySegment codes,
      long offset,
      int rowBlocks,
      float[] coef,
      int coefAt,
      int coefBt,
      float[] out,
      int outAt,
      int outBt) {
    for (int half = 0; half <= 16; half += 16) {
      FloatVector a = FloatVector.fromArray(F, out, outAt + half);
      FloatVector b = FloatVector.fromArray(F, out, outBt + half);
      int q = coefAt;
      int r = coefBt;
      for (int rb = 0; rb < rowBlocks; rb++) {
        IntVector word = word(codes, offset, rb).lanewise(LSHR, half);
        for (int j = 0; j < 4; j++, q++, r++) {
          FloatVector code = toFloat(word.and(15));
          a = a.add(code.mul(coef[q]));
          b = b.add(code.mul(coef[r]));
          word = word.lanewise(LSHR, 4);
        }
      }
      a.intoArray(out, outAt + half);
      b.intoArray(out, outBt + half);
    }
  }

  private static IntVector word(MemorySegment codes, long offset, int rowBlock) {
    return IntVector.fromMemorySegment(
        I, codes, offset + (long) rowBlock * CpuLayout.CODE_BLOCK_LENGTH, LITTLE_ENDIAN);
  }
}
