package org.sinkq.llm.tensor;

import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.sinkq.llm.gguf.TensorType;

/**
 * The Vector API kernels for 4, 8 or 16 lanes; narrower machines walk the 16 partial sums in
 * slices.
 */
final class VectorKernels implements Kernels {
  static final VectorSpecies<Float> F = preferred();
  static final VectorSpecies<Integer> I = F.withLanes(int.class);
  static final VectorSpecies<Short> S = narrower(short.class, 2);

  /** As many bytes as there are lanes; 64 bits on machines where that would be less. */
  static final VectorSpecies<Byte> B = narrower(byte.class, 4);

  static final int L = F.length();

  /** Blocks are decoded with vectors of bytes, of which the smallest has 8 lanes. */
  private static final boolean BLOCKS = L >= 8;

  private static VectorSpecies<Float> preferred() {
    VectorSpecies<Float> species = FloatVector.SPECIES_PREFERRED;
    return species.length() > PARTIAL_SUMS ? FloatVector.SPECIES_512 : species;
  }

  private static <E> VectorSpecies<E> narrower(Class<E> type, int times) {
    int bits = Math.max(64, F.vectorBitSize() / times);
    return VectorSpecies.of(type, VectorShape.forBitSize(bits));
  }

  @Override
  public String description() {
    return "Vector API, " + F.vectorBitSize() + " bits";
  }

  @Override
  public void dequantize(Weights weights, int row, float[] to, int at) {
    if (BLOCKS) {
      VectorBlocks.dequantize(weights, row, to, at);
    } else {
      ScalarBlocks.dequantize(
          weights.type(), weights.data(), weights.offset(row), weights.columns(), to, at);
    }
  }

  @Override
  public boolean multipliesBlocks(TensorType type) {
    return BLOCKS
        && switch (type) {
          case Q4_0, Q4_1, Q8_0 -> true;
          default -> false;
        };
  }

  @Override
  public void multiply(
      Weights weights, int row, float[] x, int xAt, float[] out, int outAt, float[] scratch) {
    for (int o = 0; o < TILE_ROWS; o += 2) {
      multiply2(weights, row + o, x, xAt, scratch, o * PARTIAL_SUMS);
    }
    fold(scratch, out, outAt);
  }

  private static void multiply2(
      Weights weights, int row, float[] x, int xAt, float[] scratch, int to) {
    MemorySegment data = weights.data();
    long length = weights.rowLength();
    long at = weights.offset(row);
    int n = weights.columns();
    int block = weights.type().blockLength();
    int parameters = weights.type() == TensorType.Q4_1 ? 4 : 2;
    for (int r = 0; r < 2; r++) {
      scales(data, at + r * length, weights.type(), n / 32, scratch, TILE_SUMS + 2 * r);
    }
    for (int lane = 0; lane < PARTIAL_SUMS; lane += L) {
      if (weights.type() == TensorType.Q8_0) {
        VectorProducts.eights(
            data, at + parameters, length, block, n, lane, scratch, TILE_SUMS, x, xAt, scratch, to);
      } else {
        VectorProducts.fours(
            data, at + parameters, length, block, n, lane, scratch, TILE_SUMS, x, xAt, scratch, to);
      }
    }
  }

  /** Scale and minimum of each block of a row, with room for those of another row between them. */
  private static void scales(
      MemorySegment data, long row, TensorType type, int blocks, float[] to, int toAt) {
    long at = row;
    for (int b = 0; b < blocks; b++) {
      float scale = ScalarBlocks.half(data, at);
      to[toAt + 4 * b] = scale;
      to[toAt + 4 * b + 1] = type == TensorType.Q4_1 ? ScalarBlocks.half(data, at + 2) : -8 * scale;
      at += type.blockLength();
    }
  }

  @Override
  public void multiply(
      float[] tile,
      int columns,
      float[] x,
      int xAt,
      int xStride,
      int rows,
      float[] out,
      int outAt,
      int outStride,
      float[] scratch) {
    int r = 0;
    for (; r + 4 <= rows; r += 4) {
      multiply4(
          tile,
          columns,
          x,
          xAt + r * xStride,
          xStride,
          out,
          outAt + r * outStride,
          outStride,
          scratch);
    }
    for (; r < rows; r++) {
      for (int o = 0; o < TILE_ROWS; o += 4) {
        for (int lane = 0; lane < PARTIAL_SUMS; lane += L) {
          VectorProducts.floats(
              tile, o * columns, columns, lane, x, xAt + r * xStride, scratch, o * PARTIAL_SUMS);
        }
      }
      fold(scratch, out, outAt + r * outStride);
    }
  }

  private static void multiply4(
      float[] tile,
      int columns,
      float[] x,
      int xAt,
      int xStride,
      float[] out,
      int outAt,
      int outStride,
      float[] scratch) {
    for (int o = 0; o < TILE_ROWS; o += 4) {
      for (int lane = 0; lane < PARTIAL_SUMS; lane += L) {
        VectorProducts.floats4(tile, o * columns, columns, lane, x, xAt, xStride, scratch, 0);
      }
      fold(scratch, scratch, 0);
      for (int r = 0; r < 4; r++) {
        System.arraycopy(scratch, 4 * r, out, outAt + r * outStride + o, 4);
      }
    }
  }

  private static void fold(float[] partial, float[] out, int outAt) {
    if (L == PARTIAL_SUMS) {
      VectorFold.fold(partial, out, outAt);
      return;
    }
    for (int i = 0; i < TILE_ROWS; i++) {
      out[outAt + i] = ScalarKernels.fold(partial, i * PARTIAL_SUMS);
    }
  }

  @Override
  public void rmsNorm(
      float[] x, int at, int n, float[] weight, float epsilon, float[] to, int toAt) {
    float scale = ScalarKernels.normFactor(sumOfSquares(x, at, n), n, epsilon);
    for (int i = 0; i < n; i += L) {
      FloatVector.fromArray(F, x, at + i)
          .mul(scale)
          .mul(FloatVector.fromArray(F, weight, i))
          .intoArray(to, toAt + i);
    }
  }

  private static float sumOfSquares(float[] x, int at, int n) {
    float[] partial = new float[PARTIAL_SUMS];
    for (int lane = 0; lane < PARTIAL_SUMS; lane += L) {
      FloatVector sum = FloatVector.zero(F);
      for (int i = lane; i < n; i += PARTIAL_SUMS) {
        FloatVector v = FloatVector.fromArray(F, x, at + i);
        sum = v.fma(v, sum);
      }
      sum.intoArray(partial, lane);
    }
    return ScalarKernels.fold(partial, 0);
  }

  @Override
  public void siluMultiply(float[] gate, float[] up, int at, int n) {
    int i = at;
    for (; i + L <= at + n; i += L) {
      FloatVector x = FloatVector.fromArray(F, gate, i);
      gated(x, x.neg()).mul(FloatVector.fromArray(F, up, i)).intoArray(gate, i);
    }
    for (; i < at + n; i++) {
      gate[i] = Exp.silu(gate[i]) * up[i];
    }
  }

  @Override
  public void geluMultiply(float[] gate, float[] up, int at, int n) {
    FloatVector linear = FloatVector.broadcast(F, Exp.GELU_LINEAR);
    int i = at;
    for (; i + L <= at + n; i += L) {
      FloatVector x = FloatVector.fromArray(F, gate, i);
      FloatVector factor = x.mul(x).fma(FloatVector.broadcast(F, Exp.GELU_CUBIC), linear);
      gated(x, x.neg().mul(factor)).mul(FloatVector.fromArray(F, up, i)).intoArray(gate, i);
    }
    for (; i < at + n; i++) {
      gate[i] = Exp.gelu(gate[i]) * up[i];
    }
  }

  @Override
  public void exp(float[] x, int at, int n) {
    int i = at;
    for (; i + L <= at + n; i += L) {
      exp(FloatVector.fromArray(F, x, i)).intoArray(x, i);
    }
    for (; i < at + n; i++) {
      x[i] = Exp.exp(x[i]);
    }
  }

  /** {@code x / (1 + exp(exponent))}. */
  private static FloatVector gated(FloatVector x, FloatVector exponent) {
    return x.div(exp(exponent).add(1f));
  }

  /** As {@link Exp} has it, lane by lane. */
  private static FloatVector exp(FloatVector exponent) {
    FloatVector highest = FloatVector.broadcast(F, Exp.LIMIT);
    FloatVector y = exponent.blend(highest, exponent.compare(GT, highest));
    VectorMask<Float> tooLow = y.compare(LT, -Exp.LIMIT);
    FloatVector t =
        y.fma(FloatVector.broadcast(F, Exp.LOG2_E), FloatVector.broadcast(F, Exp.ROUND));
    FloatVector n = t.sub(Exp.ROUND);
    FloatVector r = n.fma(FloatVector.broadcast(F, -Exp.LN2_HIGH), y);
    r = n.fma(FloatVector.broadcast(F, -Exp.LN2_LOW), r);
    FloatVector p = r.fma(FloatVector.broadcast(F, Exp.C7), FloatVector.broadcast(F, Exp.C6));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C5));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C4));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C3));
    p = r.fma(p, FloatVector.broadcast(F, Exp.C2));
    p = r.fma(p, FloatVector.broadcast(F, 1f));
    p = r.fma(p, FloatVector.broadcast(F, 1f));
    IntVector bits = t.reinterpretAsInts().lanewise(LSHL, Exp.MANTISSA_BITS).add(Exp.ONE);
    return p.mul(bits.reinterpretAsFloats()).blend(0f, tooLow);
  }

  @Override
  public void add(float[] x, float[] y, int at, int n) {
    int i = at;
    for (; i + L <= at + n; i += L) {
      FloatVector.fromArray(F, x, i).add(FloatVector.fromArray(F, y, i)).intoArray(x, i);
    }
    for (; i < at + n; i++) {
      x[i] += y[i];
    }
  }
}
