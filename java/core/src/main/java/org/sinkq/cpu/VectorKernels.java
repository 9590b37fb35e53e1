package org.sinkq.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.MAX;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The Vector API kernels for 4, 8 or 16 lanes. A code block is 16 ints wide; narrower machines walk
 * it in slices. The matrix products live in classes of their own, a method for each number of
 * columns taken at once: sums stay in registers over all rows, and vectors in arrays or behind a
 * call would be boxed.
 */
final class VectorKernels implements Kernels {
  static final VectorSpecies<Float> F = preferred();
  static final VectorSpecies<Integer> I = F.withLanes(int.class);
  private static final VectorSpecies<Short> S =
      VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
  static final int L = F.length();
  static final int SLICES = PARTIAL_SUMS / L;

  /** 2^112: what an fp16 exponent lacks once its bits stand in a binary32. */
  private static final float HALF_BIAS = 0x1p112f;

  private static VectorSpecies<Float> preferred() {
    VectorSpecies<Float> species = FloatVector.SPECIES_PREFERRED;
    return species.length() > PARTIAL_SUMS ? FloatVector.SPECIES_512 : species;
  }

  @Override
  public String description() {
    return "Vector API, " + F.vectorBitSize() + " bits";
  }

  @Override
  public void codes(
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
      int columns,
      int[] tables) {
    if (SLICES > 1) {
      VectorNarrowProducts.codes(
          bits,
          codes,
          offset,
          rowBlocks,
          laneBlocks,
          coef,
          coefStride,
          out,
          outAt,
          outStride,
          columns);
      return;
    }
    int rows = rowBlocks * 16 / bits;
    int n;
    for (int c = 0; c < columns; c += n) {
      n = columnsAtOnce(columns - c);
      for (int i = 0; i < n; i++) {
        VectorTableProducts.build(
            bits, coef, (c + i) * coefStride, rows, tables, i * PARTIAL_SUMS, n * PARTIAL_SUMS);
      }
      for (int lb = 0; lb < laneBlocks; lb++) {
        long at = offset + (long) lb * rowBlocks * CpuLayout.CODE_BLOCK_LENGTH;
        int to = outAt + c * outStride + lb * CpuLayout.BLOCK;
        switch (n) {
          case 4 -> VectorTableProducts.add4(codes, at, rowBlocks, 4, tables, out, to, outStride);
          case 3 -> VectorTableProducts.add3(codes, at, rowBlocks, 4, tables, out, to, outStride);
          default -> VectorTableProducts.add1(codes, at, rowBlocks, 4, tables, out, to);
        }
      }
    }
  }

  /** 4, 3 or 1: five columns are better taken as 3 + 1 + 1 than as 4 + 1. */
  private static int columnsAtOnce(int left) {
    return left >= COLUMNS && left != 5 ? COLUMNS : left >= 3 ? 3 : 1;
  }

  @Override
  public void expandCodes(
      int bits, MemorySegment codes, long offset, int rowBlocks, MemorySegment tile) {
    int rows = 16 / bits;
    int mask = (1 << bits) - 1;
    for (int rb = 0; rb < rowBlocks; rb++) {
      for (int slice = 0; slice < SLICES; slice++) {
        long at =
            offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH + (long) slice * L * Integer.BYTES;
        IntVector low = IntVector.fromMemorySegment(I, codes, at, LITTLE_ENDIAN);
        IntVector high = low.lanewise(LSHR, 16);
        long to = ((long) rb * rows * CpuLayout.BLOCK + (long) slice * L) * Float.BYTES;
        for (int j = 0; j < rows; j++) {
          toFloat(low.and(mask)).intoMemorySegment(tile, to, LITTLE_ENDIAN);
          toFloat(high.and(mask)).intoMemorySegment(tile, to + 16 * Float.BYTES, LITTLE_ENDIAN);
          low = low.lanewise(LSHR, bits);
          high = high.lanewise(LSHR, bits);
          to += CpuLayout.BLOCK * Float.BYTES;
        }
      }
    }
  }

  static FloatVector toFloat(IntVector codes) {
    return (FloatVector) codes.convert(I2F, 0);
  }

  @Override
  public void expandHalves(MemorySegment halves, long offset, int n, MemorySegment tile) {
    for (int i = 0; i < n; i += L) {
      half(halves, offset + (long) i * Short.BYTES)
          .intoMemorySegment(tile, (long) i * Float.BYTES, LITTLE_ENDIAN);
    }
  }

  @Override
  public void halves(MemorySegment halves, long offset, int n, float[] to, int at) {
    for (int i = 0; i < n; i += L) {
      half(halves, offset + (long) i * Short.BYTES).intoArray(to, at + i);
    }
  }

  /**
   * fp16 to binary32, exact for every finite number: shift the fields into place, then multiply the
   * exponent up, subnormals included.
   */
  static FloatVector half(MemorySegment halves, long offset) {
    IntVector bits =
        (IntVector)
            ShortVector.fromMemorySegment(S, halves, offset, LITTLE_ENDIAN).convertShape(S2I, I, 0);
    return bits.lanewise(LSHL, 13).and(0x8FFFE000).reinterpretAsFloats().mul(HALF_BIAS);
  }

  @Override
  public void rows(
      MemorySegment x,
      long offset,
      boolean halves,
      int rows,
      int laneBlocks,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns) {
    int elementLength = halves ? Short.BYTES : Float.BYTES;
    for (int lb = 0; lb < laneBlocks; lb++) {
      long block = offset + (long) lb * rows * CpuLayout.BLOCK * elementLength;
      for (int lane = 0; lane < CpuLayout.BLOCK; lane += 2 * L) {
        long at = block + (long) lane * elementLength;
        int to = outAt + lb * CpuLayout.BLOCK + lane;
        int n;
        for (int c = 0; c < columns; c += n) {
          n = columnsAtOnce(columns - c);
          int q = c * coefStride;
          int o = to + c * outStride;
          if (halves) {
            switch (n) {
              case 4 ->
                  VectorHalfProducts.add4(x, at, rows, coef, q, coefStride, out, o, outStride);
              case 3 ->
                  VectorHalfProducts.add3(x, at, rows, coef, q, coefStride, out, o, outStride);
              default -> VectorHalfProducts.add1(x, at, rows, coef, q, out, o);
            }
          } else {
            switch (n) {
              case 4 ->
                  VectorFloatProducts.add4(x, at, rows, coef, q, coefStride, out, o, outStride);
              case 3 ->
                  VectorFloatProducts.add3(x, at, rows, coef, q, coefStride, out, o, outStride);
              default -> VectorFloatProducts.add1(x, at, rows, coef, q, out, o);
            }
          }
        }
      }
    }
  }

  @Override
  public void scaleAndDot(
      float[] x,
      int xAt,
      float[] scale,
      float[] min,
      int n,
      float[] coef,
      int coefAt,
      float[] sums,
      int sumAt) {
    for (int slice = 0; slice < PARTIAL_SUMS; slice += L) {
      FloatVector sum = FloatVector.fromArray(F, sums, sumAt + slice);
      for (int i = slice; i < n; i += PARTIAL_SUMS) {
        FloatVector value = FloatVector.fromArray(F, x, xAt + i);
        value.mul(FloatVector.fromArray(F, scale, i)).intoArray(coef, coefAt + i);
        sum = value.fma(FloatVector.fromArray(F, min, i), sum);
      }
      sum.intoArray(sums, sumAt + slice);
    }
  }

  @Override
  public void scaleAndAdd(float[] x, int at, int n, float factor, float addend) {
    FloatVector f = FloatVector.broadcast(F, factor);
    FloatVector a = FloatVector.broadcast(F, addend);
    for (int i = at; i < at + n; i += L) {
      FloatVector.fromArray(F, x, i).fma(f, a).intoArray(x, i);
    }
  }

  @Override
  public void softCap(float[] x, int at, int n, float cap) {
    for (int i = at; i < at + n; i += L) {
      FloatVector y = FloatVector.fromArray(F, x, i).div(cap);
      FloatVector e = exp(y.mul(2f)).add(1f);
      FloatVector.broadcast(F, 1f)
          .sub(FloatVector.broadcast(F, 2f).div(e))
          .mul(cap)
          .intoArray(x, i);
    }
  }

  @Override
  public float max(float[] x, int at, int n) {
    FloatVector max = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (int i = at; i < at + n; i += L) {
      FloatVector value = FloatVector.fromArray(F, x, i);
      // A compare and a blend are cheaper than max, which also orders signed zeros and NaN.
      max = max.blend(value, value.compare(GE, max));
    }
    return max.reduceLanes(MAX);
  }

  @Override
  public void exp(float[] x, int at, int n, float max, float[] sums, int sumAt) {
    for (int slice = 0; slice < PARTIAL_SUMS; slice += L) {
      FloatVector sum = FloatVector.fromArray(F, sums, sumAt + slice);
      for (int i = slice; i < n; i += PARTIAL_SUMS) {
        FloatVector e = exp(FloatVector.fromArray(F, x, at + i).sub(max));
        e.intoArray(x, at + i);
        sum = sum.add(e);
      }
      sum.intoArray(sums, sumAt + slice);
    }
  }

  /** {@link Exp#exp} lane by lane. */
  private static FloatVector exp(FloatVector x) {
    VectorMask<Float> positive = x.compare(GE, Exp.LOWEST);
    FloatVector y =
        FloatVector.broadcast(F, Exp.HIGHEST)
            .blend(x, x.compare(jdk.incubator.vector.VectorOperators.LT, Exp.HIGHEST));
    FloatVector n =
        y.fma(FloatVector.broadcast(F, Exp.LOG2_E), FloatVector.broadcast(F, Exp.ROUND))
            .sub(Exp.ROUND);
    FloatVector r = n.fma(FloatVector.broadcast(F, -Exp.LN2_HIGH), y);
    r = n.fma(FloatVector.broadcast(F, -Exp.LN2_LOW), r);
    FloatVector p = r.fma(FloatVector.broadcast(F, Exp.C7), FloatVector.broadcast(F, Exp.C6));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C5));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C4));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C3));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C2));
    p = r.fma(p, FloatVector.broadcast(F, 1f));
    p = r.fma(p, FloatVector.broadcast(F, 1f));
    IntVector exponent = (IntVector) n.convert(jdk.incubator.vector.VectorOperators.F2I, 0);
    FloatVector power = exponent.add(127).lanewise(LSHL, 23).reinterpretAsFloats();
    return FloatVector.zero(F).blend(p.mul(power), positive);
  }
}
