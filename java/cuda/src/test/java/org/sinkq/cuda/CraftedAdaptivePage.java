package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.Random;

/**
 * An adaptive page of one KV head whose codes and parameters a test chooses. Values are those of
 * rotated channels; instead of a minimum of a token there is a mean of a channel.
 */
final class CraftedAdaptivePage extends CraftedPage {
  private static final int MOST_DIGITS = 3;

  private final CudaLayout layout;
  private final AdaptivePageLayout map;

  /** Digits of a channel of the keys; together as many as there are rows. */
  private final int[] digits;

  final float[] valueMean;

  CraftedAdaptivePage(CudaLayout layout) {
    super(layout);
    this.layout = layout;
    map = layout.adaptive;
    digits = new int[layout.headDim];
    valueMean = new float[layout.headDim];
    giveDigits(0);
  }

  /** Gives the digits to channels that the seed chooses. */
  void giveDigits(long seed) {
    java.util.Arrays.fill(digits, 0);
    Random random = new Random(seed);
    for (int given = 0; given < map.rows; ) {
      int d = random.nextInt(digits.length);
      if (digits[d] < MOST_DIGITS) {
        digits[d]++;
        given++;
      }
    }
  }

  @Override
  int mostKeyCode(int channel) {
    return (1 << (2 * digits[channel])) - 1;
  }

  /** Scales have to be of 3 bits of mantissa, minima and means fp16 numbers. */
  @Override
  void write(MemorySegment to, long offset) {
    MemorySegment page = to.asSlice(offset, layout.pageBytes);
    page.fill((byte) 0);
    int row = 0;
    for (int d = 0; d < layout.headDim; d++) {
      put(page, map.keyMinimumOffset(d), half(keyMin[d]));
      put(page, map.valueMeanOffset(d), half(valueMean[d]));
      for (int j = digits[d] - 1; j >= 0; j--, row++) {
        page.set(JAVA_BYTE, map.rowChannelOffset(row), (byte) d);
        page.set(JAVA_BYTE, map.rowScaleOffset(row), scale(keyScale[d] * (1 << (2 * j))));
        for (int t = 0; t < layout.pageTokens; t++) {
          int digit = keyCodes[t][d] >> (2 * j) & 3;
          put(page, map.digitOffset(t, row), digit << AdaptivePageLayout.digitShift(t, row));
        }
      }
    }
    for (int t = 0; t < layout.pageTokens; t++) {
      if (masked[t]) {
        int at = map.maskOffset(t);
        page.set(JAVA_BYTE, at, (byte) (page.get(JAVA_BYTE, at) | 1 << (t % 8)));
      }
      for (int g = 0; g < layout.valueGroups; g++) {
        page.set(JAVA_BYTE, map.valueScaleOffset(t, g), scale(valueScale[t]));
      }
      for (int d = 0; d < layout.headDim; d++) {
        put(page, map.valueCodeOffset(t, d), valueCodes[t][d] << map.valueCodeShift(t, d));
      }
    }
  }

  private static byte scale(float x) {
    int half = half(x);
    if (Float.float16ToFloat((short) half) != x || (half & 0x7F) != 0) {
      throw new IllegalArgumentException("scale=" + x + ", expected 3 bits of mantissa");
    }
    return (byte) (half >> 7);
  }

  @Override
  double[] value(int token) {
    double[] rotated = new double[layout.headDim];
    for (int d = 0; d < rotated.length; d++) {
      rotated[d] = (valueCodes[token][d] - 1.5) * valueScale[token] + valueMean[d];
    }
    int block = Integer.lowestOneBit(map.valueGroup);
    double[] value = new double[rotated.length];
    for (int d = 0; d < value.length; d++) {
      for (int i = 0; i < block; i++) {
        int sign = Integer.bitCount(d % block & i) % 2 == 0 ? 1 : -1;
        value[d] += sign * rotated[d / block * block + i];
      }
      value[d] /= Math.sqrt(block);
    }
    return value;
  }
}
