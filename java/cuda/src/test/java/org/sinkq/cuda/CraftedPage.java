package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** A quantized page of one KV head whose codes and parameters a test chooses. */
class CraftedPage {
  private static final int SIGN = 0x8000;

  private final CudaLayout layout;
  final int[][] keyCodes;
  final int[][] valueCodes;
  final float[] keyScale;
  final float[] keyMin;
  final float[] valueScale;
  final float[] valueMin;
  final boolean[] masked;

  /** Codes and minima 0, scales 1, no token masked; every value group has its token's scale. */
  CraftedPage(CudaLayout layout) {
    this.layout = layout;
    keyCodes = new int[layout.pageTokens][layout.headDim];
    valueCodes = new int[layout.pageTokens][layout.headDim];
    keyScale = ones(layout.headDim);
    keyMin = new float[layout.headDim];
    valueScale = ones(layout.pageTokens);
    valueMin = new float[layout.pageTokens];
    masked = new boolean[layout.pageTokens];
  }

  /** A page of a layout's codec. */
  static CraftedPage of(CudaLayout layout) {
    return layout.isAdaptive() ? new CraftedAdaptivePage(layout) : new CraftedPage(layout);
  }

  private static float[] ones(int count) {
    float[] ones = new float[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** Largest code of a channel of the keys. */
  int mostKeyCode(int channel) {
    return (1 << layout.bits) - 1;
  }

  /** Largest code of a value. */
  final int mostValueCode() {
    return (1 << layout.bits) - 1;
  }

  /** Writes the page's record; parameters have to be fp16 numbers. */
  void write(MemorySegment to, long offset) {
    MemorySegment page = to.asSlice(offset, layout.pageBytes);
    page.fill((byte) 0);
    boolean any = false;
    for (int t = 0; t < layout.pageTokens; t++) {
      any |= masked[t];
      for (int d = 0; d < layout.headDim; d++) {
        put(page, layout.keyCodeOffset(t, d), keyCodes[t][d] << layout.keyCodeShift(t, d));
        put(page, layout.valueCodeOffset(t, d), valueCodes[t][d] << layout.valueCodeShift(t, d));
      }
      for (int g = 0; g < layout.valueGroups; g++) {
        int mark = masked[t] && g == 0 ? SIGN : 0;
        put(page, layout.valueScaleOffset(t, g), half(valueScale[t]) | mark);
        put(page, layout.valueMinimumOffset(t, g), half(valueMin[t]));
      }
    }
    for (int d = 0; d < layout.headDim; d++) {
      put(page, layout.keyScaleOffset(d), half(keyScale[d]) | (any && d == 0 ? SIGN : 0));
      put(page, layout.keyMinimumOffset(d), half(keyMin[d]));
    }
  }

  static int half(float x) {
    return Float.floatToFloat16(x) & 0xFFFF;
  }

  /** Sets bits of a half that holds several codes. */
  static void put(MemorySegment page, long at, int bits) {
    page.set(JAVA_SHORT, at, (short) (page.get(JAVA_SHORT, at) | bits));
  }

  /** Keys [D] of a token. */
  final double[] key(int token) {
    double[] key = new double[layout.headDim];
    for (int d = 0; d < key.length; d++) {
      key[d] = (double) keyCodes[token][d] * keyScale[d] + keyMin[d];
    }
    return key;
  }

  /** Values [D] of a token. */
  double[] value(int token) {
    double[] value = new double[layout.headDim];
    for (int d = 0; d < value.length; d++) {
      value[d] = (double) valueCodes[token][d] * valueScale[token] + valueMin[token];
    }
    return value;
  }
}
