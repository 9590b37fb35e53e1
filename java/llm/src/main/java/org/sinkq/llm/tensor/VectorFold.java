package org.sinkq.llm.tensor;

import static org.sinkq.llm.tensor.Kernels.PARTIAL_SUMS;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Folds the 16 partial sums of 16 products into 16 numbers, all in registers.
 *
 * <p>One step takes two vectors, adds to each the copy of itself whose halves are swapped, and
 * keeps half of each: with lanes {@code a = [a0 a1]} and {@code b = [b0 b1]}, {@code [a0 b1] +
 * swap([b0 a1]) = [a0 + a1, b1 + b0]}. Four rounds (halves, quarters, pairs, neighbours) leave
 * product {@code i} in lane {@code i}. The order of the additions is that of {@link
 * ScalarKernels#fold}.
 */
final class VectorFold {
  private static final VectorSpecies<Float> F = FloatVector.SPECIES_512;
  private static final VectorMask<Float> UPPER8 = mask(8);
  private static final VectorMask<Float> UPPER4 = mask(4);
  private static final VectorMask<Float> UPPER2 = mask(2);
  private static final VectorMask<Float> UPPER1 = mask(1);
  private static final VectorShuffle<Float> SWAP8 = swap(8);
  private static final VectorShuffle<Float> SWAP4 = swap(4);
  private static final VectorShuffle<Float> SWAP2 = swap(2);
  private static final VectorShuffle<Float> SWAP1 = swap(1);

  private VectorFold() {}

  private static VectorMask<Float> mask(int bit) {
    boolean[] lanes = new boolean[PARTIAL_SUMS];
    for (int l = 0; l < PARTIAL_SUMS; l++) {
      lanes[l] = (l & bit) != 0;
    }
    return VectorMask.fromArray(F, lanes, 0);
  }

  private static VectorShuffle<Float> swap(int bit) {
    return VectorShuffle.fromOp(F, l -> l ^ bit);
  }

  /**
   * {@code out[outAt + i] = fold(partial[16 i .. 16 i + 15])}.
   *
   * @param partial [16, 16]
   */
  static void fold(float[] partial, float[] out, int outAt) {
    FloatVector even = add2(quarter(partial, 0), quarter(partial, 2));
    FloatVector odd = add2(quarter(partial, 1), quarter(partial, 3));
    add(even, odd, UPPER1, SWAP1).intoArray(out, outAt);
  }

  private static FloatVector add2(FloatVector a, FloatVector b) {
    return add(a, b, UPPER2, SWAP2);
  }

  /** Products i, i + 4, i + 8 and i + 12. */
  private static FloatVector quarter(float[] partial, int i) {
    FloatVector a = add(product(partial, i), product(partial, i + 8), UPPER8, SWAP8);
    FloatVector b = add(product(partial, i + 4), product(partial, i + 12), UPPER8, SWAP8);
    return add(a, b, UPPER4, SWAP4);
  }

  private static FloatVector product(float[] partial, int i) {
    return FloatVector.fromArray(F, partial, i * PARTIAL_SUMS);
  }

  private static FloatVector add(
      FloatVector a, FloatVector b, VectorMask<Float> upper, VectorShuffle<Float> swap) {
    return a.blend(b, upper).add(b.blend(a, upper).rearrange(swap));
  }
}
