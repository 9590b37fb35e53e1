package org.sinkq.cpu;

/**
 * The orthonormal Walsh-Hadamard transform over blocks of neighbouring channels. It spreads a
 * value's large channels evenly, and is its own inverse.
 */
final class Rotation {
  private final int block;
  private final float norm;

  /** For blocks of a power of two channels. */
  Rotation(int block) {
    this.block = block;
    norm = (float) (1 / Math.sqrt(block));
  }

  /** Rotates the channels of a matrix [channels][lanes]; the same bits for every width. */
  void apply(float[] x, int at, int channels, int lanes) {
    for (int half = 1; half < block; half *= 2) {
      for (int c = 0; c < channels; c++) {
        if ((c & half) == 0) {
          butterflies(x, at + c * lanes, at + (c + half) * lanes, lanes);
        }
      }
    }
    for (int i = at; i < at + channels * lanes; i++) {
      x[i] *= norm;
    }
  }

  private static void butterflies(float[] x, int at, int partner, int n) {
    for (int i = 0; i < n; i++) {
      float a = x[at + i];
      float b = x[partner + i];
      x[at + i] = a + b;
      x[partner + i] = a - b;
    }
  }
}
