package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;

/**
 * The parameters of a page of {@link org.sinkq.KvCodec#INT2_ADAPTIVE}, spread out for attention.
 * Row r of the keys' codes is a digit of channel {@code channel[r]} and counts {@code weight[r]}
 * steps of that channel's grid.
 */
final class AdaptivePage {
  /** Weights of the digits of a channel that has 0 to 3 of them, highest first. */
  private static final float[][] WEIGHTS = {{0, 0, 0}, {1, 0, 0}, {4, 1, 0}, {16, 4, 1}};

  final float[] keyScale;
  final float[] keyMin;

  /** [rows], and room for what a channel without further digits writes beyond. */
  final int[] channel;

  /** As {@link #channel}. */
  final float[] weight;

  private final int rows;
  private final byte[] bytes;
  private final byte[] digits;

  AdaptivePage(int headDim, int keyRows, int pageTokens) {
    rows = keyRows;
    keyScale = new float[headDim];
    keyMin = new float[headDim];
    channel = new int[keyRows + WEIGHTS.length];
    weight = new float[channel.length];
    bytes = new byte[Math.max(headDim, pageTokens)];
    digits = new byte[headDim / 4];
  }

  void load(CpuLayout layout, Kernels kernels, MemorySegment pages, long page) {
    int dim = keyScale.length;
    scales(pages, page + layout.keyScaleOffset, dim, keyScale);
    kernels.halves(pages, page + layout.keyMinOffset, dim, keyMin, 0);
    MemorySegment.copy(pages, JAVA_BYTE, page + layout.keyDigitsOffset, digits, 0, digits.length);
    int row = 0;
    for (int d = 0; d < dim; d++) {
      // Three rows are written for every channel: cheaper than branches that nobody can foresee.
      int count = (digits[d / 4] >> (2 * (d % 4))) & 3;
      float[] weights = WEIGHTS[count];
      for (int j = 0; j < weights.length; j++) {
        channel[row + j] = d;
        weight[row + j] = weights[j];
      }
      row += count;
    }
  }

  /** Reads the scales of a value group [G]. */
  void valueScales(CpuLayout layout, MemorySegment pages, long page, int group, float[] to) {
    int tokens = layout.pageTokens;
    scales(pages, page + layout.valueScaleOffset + (long) group * tokens, tokens, to);
  }

  /** Copies bytes at once. */
  private void scales(MemorySegment pages, long at, int n, float[] to) {
    MemorySegment.copy(pages, JAVA_BYTE, at, bytes, 0, n);
    for (int i = 0; i < n; i++) {
      to[i] = Scale8.decode(bytes[i]);
    }
  }

  /** Turns coefficients of channels into those of rows. */
  void spread(float[] ofChannel, float[] to, int at) {
    for (int r = 0; r < rows; r++) {
      to[at + r] = ofChannel[channel[r]] * weight[r];
    }
  }
}
