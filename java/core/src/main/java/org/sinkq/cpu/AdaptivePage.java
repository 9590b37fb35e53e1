package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * The parameters of a page of {@link org.sinkq.KvCodec#INT2_ADAPTIVE}, spread out for attention.
 * Row r of the keys' codes is a digit of channel {@code channel[r]} and counts {@code weight[r]}
 * steps of that channel's grid.
 */
final class AdaptivePage {
  final float[] keyScale;
  final float[] keyMin;
  final int[] channel;
  final float[] weight;

  AdaptivePage(int headDim, int keyRows) {
    keyScale = new float[headDim];
    keyMin = new float[headDim];
    channel = new int[keyRows];
    weight = new float[keyRows];
  }

  void load(CpuLayout layout, MemorySegment pages, long page) {
    int row = 0;
    for (int d = 0; d < keyScale.length; d++) {
      keyScale[d] = Scale8.decode(pages.get(JAVA_BYTE, page + layout.keyScaleOffset + d));
      keyMin[d] =
          Float.float16ToFloat(
              pages.get(JAVA_SHORT_UNALIGNED, page + layout.keyMinOffset + (long) d * Short.BYTES));
      int packed = pages.get(JAVA_BYTE, page + layout.keyDigitsOffset + d / 4);
      for (int j = ((packed >> (2 * (d % 4))) & 3) - 1; j >= 0; j--) {
        channel[row] = d;
        weight[row++] = 1 << (2 * j);
      }
    }
  }

  /** Reads the scales of a value group [G]. */
  static void valueScales(CpuLayout layout, MemorySegment pages, long page, int group, float[] to) {
    long table = page + layout.valueScaleOffset + (long) group * layout.pageTokens;
    for (int t = 0; t < layout.pageTokens; t++) {
      to[t] = Scale8.decode(pages.get(JAVA_BYTE, table + t));
    }
  }

  /** Turns coefficients of channels into those of rows. */
  void spread(float[] ofChannel, float[] to, int at) {
    for (int r = 0; r < channel.length; r++) {
      to[at + r] = ofChannel[channel[r]] * weight[r];
    }
  }
}
