package org.sinkq.llm.tensor;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.B2I;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;
import static org.sinkq.llm.tensor.VectorKernels.B;
import static org.sinkq.llm.tensor.VectorKernels.F;
import static org.sinkq.llm.tensor.VectorKernels.I;
import static org.sinkq.llm.tensor.VectorKernels.L;
import static org.sinkq.llm.tensor.VectorKernels.S;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** {@link ScalarBlocks} on the Vector API, for 8 or 16 lanes. */
final class VectorBlocks {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** 0, 1, 2, ... */
  private static final IntVector LANES = IntVector.zero(I).addIndex(1);

  /** 2^112: what an fp16 exponent lacks once its bits stand in a binary32. */
  private static final float HALF_BIAS = 0x1p112f;

  private VectorBlocks() {}

  /** Writes {@code n} elements, whole blocks, from a byte offset on. */
  static void dequantize(Weights weights, int row, float[] to, int at) {
    MemorySegment data = weights.data();
    long offset = weights.offset(row);
    int n = weights.columns();
    switch (weights.type()) {
      case F32 -> floats(data, offset, n, to, at);
      case F16 -> halves(data, offset, n, to, at);
      case BF16 -> brains(data, offset, n, to, at);
      case Q8_0 -> eights(data, offset, n, to, at);
      case Q4_0 -> fours(data, offset, 18, n, to, at);
      case Q4_1 -> fours(data, offset, 20, n, to, at);
      case Q5_0 -> fives(data, offset, 22, n, to, at);
      case Q5_1 -> fives(data, offset, 24, n, to, at);
      case Q4_K -> superblocks(data, offset, 144, n, to, at);
      case Q5_K -> superblocks(data, offset, 176, n, to, at);
      case Q6_K -> sixes(data, offset, n, to, at);
    }
  }

  private static void floats(MemorySegment data, long offset, int n, float[] to, int at) {
    for (int i = 0; i < n; i += L) {
      FloatVector.fromMemorySegment(F, data, offset + 4L * i, LITTLE_ENDIAN).intoArray(to, at + i);
    }
  }

  private static void halves(MemorySegment data, long offset, int n, float[] to, int at) {
    for (int i = 0; i < n; i += L) {
      shorts(data, offset + 2L * i)
          .lanewise(LSHL, 13)
          .and(0x8FFFE000)
          .reinterpretAsFloats()
          .mul(HALF_BIAS)
          .intoArray(to, at + i);
    }
  }

  private static void brains(MemorySegment data, long offset, int n, float[] to, int at) {
    for (int i = 0; i < n; i += L) {
      shorts(data, offset + 2L * i).lanewise(LSHL, 16).reinterpretAsFloats().intoArray(to, at + i);
    }
  }

  private static IntVector shorts(MemorySegment data, long offset) {
    return (IntVector)
        ShortVector.fromMemorySegment(S, data, offset, LITTLE_ENDIAN).convertShape(S2I, I, 0);
  }

  /** Bytes as integers 0 to 255. */
  static IntVector bytes(MemorySegment data, long offset) {
    return (IntVector)
        ByteVector.fromMemorySegment(B, data, offset, LITTLE_ENDIAN)
            .convertShape(ZERO_EXTEND_B2I, I, 0);
  }

  /** Bytes as integers -128 to 127. */
  static IntVector signedBytes(MemorySegment data, long offset) {
    return (IntVector)
        ByteVector.fromMemorySegment(B, data, offset, LITTLE_ENDIAN).convertShape(B2I, I, 0);
  }

  static FloatVector toFloat(IntVector codes) {
    return (FloatVector) codes.convert(I2F, 0);
  }

  private static void eights(MemorySegment data, long offset, int n, float[] to, int at) {
    long block = offset;
    for (int i = 0; i < n; i += 32) {
      float d = ScalarBlocks.half(data, block);
      for (int l = 0; l < 32; l += L) {
        toFloat(signedBytes(data, block + 2 + l)).mul(d).intoArray(to, at + i + l);
      }
      block += 34;
    }
  }

  /** Q4_0 and Q4_1, told apart by their length. */
  private static void fours(
      MemorySegment data, long offset, int blockLength, int n, float[] to, int at) {
    long block = offset;
    for (int i = 0; i < n; i += 32) {
      float d = ScalarBlocks.half(data, block);
      float m = blockLength == 18 ? -8 * d : ScalarBlocks.half(data, block + 2);
      long codes = block + blockLength - 16;
      for (int l = 0; l < 16; l += L) {
        IntVector code = bytes(data, codes + l);
        scale(code.and(0xF), d, m).intoArray(to, at + i + l);
        scale(code.lanewise(LSHR, 4), d, m).intoArray(to, at + i + 16 + l);
      }
      block += blockLength;
    }
  }

  private static FloatVector scale(IntVector codes, float scale, float min) {
    return toFloat(codes).fma(FloatVector.broadcast(F, scale), FloatVector.broadcast(F, min));
  }

  /** Q5_0 and Q5_1, told apart by their length. */
  private static void fives(
      MemorySegment data, long offset, int blockLength, int n, float[] to, int at) {
    long block = offset;
    for (int i = 0; i < n; i += 32) {
      float d = ScalarBlocks.half(data, block);
      float m = blockLength == 22 ? -16 * d : ScalarBlocks.half(data, block + 2);
      long codes = block + blockLength - 16;
      int fifth = data.get(INT, codes - 4);
      for (int l = 0; l < 16; l += L) {
        IntVector code = bytes(data, codes + l);
        IntVector low = code.and(0xF).or(fifthBits(fifth >>> l));
        IntVector high = code.lanewise(LSHR, 4).or(fifthBits(fifth >>> (l + 16)));
        scale(low, d, m).intoArray(to, at + i + l);
        scale(high, d, m).intoArray(to, at + i + 16 + l);
      }
      block += blockLength;
    }
  }

  /** Bit {@code i} as bit 4 of lane {@code i}. */
  private static IntVector fifthBits(int bits) {
    return IntVector.broadcast(I, bits).lanewise(LSHR, LANES).and(1).lanewise(LSHL, 4);
  }

  /** Q4_K and Q5_K, told apart by their length. */
  private static void superblocks(
      MemorySegment data, long offset, int blockLength, int n, float[] to, int at) {
    long block = offset;
    for (int i = 0; i < n; i += 256) {
      float d = ScalarBlocks.half(data, block);
      float dmin = ScalarBlocks.half(data, block + 2);
      long codes = block + blockLength - 128;
      for (int g = 0; g < 8; g++) {
        float scale = d * ScalarBlocks.scaleOf(data, block + 4, g);
        float min = -(dmin * ScalarBlocks.minOf(data, block + 4, g));
        if (blockLength == 144) {
          group(data, codes + g / 2 * 32L, g % 2 * 4, scale, min, to, at + i + g * 32);
        } else {
          group5(data, codes + g / 2 * 32L, block + 16, g, scale, min, to, at + i + g * 32);
        }
      }
      block += blockLength;
    }
  }

  private static void group(
      MemorySegment data, long codes, int shift, float scale, float min, float[] to, int at) {
    for (int l = 0; l < 32; l += L) {
      IntVector code = bytes(data, codes + l).lanewise(LSHR, shift).and(0xF);
      scale(code, scale, min).intoArray(to, at + l);
    }
  }

  private static void group5(
      MemorySegment data,
      long codes,
      long fifths,
      int group,
      float scale,
      float min,
      float[] to,
      int at) {
    for (int l = 0; l < 32; l += L) {
      IntVector code = bytes(data, codes + l).lanewise(LSHR, group % 2 * 4).and(0xF);
      IntVector fifth = bytes(data, fifths + l).lanewise(LSHR, group).and(1).lanewise(LSHL, 4);
      scale(code.or(fifth), scale, min).intoArray(to, at + l);
    }
  }

  private static void sixes(MemorySegment data, long offset, int n, float[] to, int at) {
    long block = offset;
    for (int i = 0; i < n; i += 256) {
      float d = ScalarBlocks.half(data, block + 208);
      for (int run = 0; run < 8; run++) {
        long nibbles = block + run / 4 * 64L + run % 2 * 32L;
        long pairs = block + 128 + run / 4 * 32L;
        for (int half = 0; half < 2; half++) {
          float scale = d * data.get(ValueLayout.JAVA_BYTE, block + 192 + run * 2L + half);
          run6(
              data,
              nibbles + half * 16L,
              pairs + half * 16L,
              run % 4,
              scale,
              to,
              at + i + run * 32 + half * 16);
        }
      }
      block += 210;
    }
  }

  private static void run6(
      MemorySegment data, long nibbles, long pairs, int run, float scale, float[] to, int at) {
    for (int l = 0; l < 16; l += L) {
      IntVector low = bytes(data, nibbles + l).lanewise(LSHR, run / 2 * 4).and(0xF);
      IntVector high = bytes(data, pairs + l).lanewise(LSHR, 2 * run).and(3).lanewise(LSHL, 4);
      toFloat(low.or(high).sub(32)).mul(scale).intoArray(to, at + l);
    }
  }
}
