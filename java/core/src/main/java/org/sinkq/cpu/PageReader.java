package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import org.sinkq.engine.PageImage;

/**
 * Reads one page element by element: for reopening pages, and for tests. Not on the decode path.
 */
final class PageReader {
  private final CpuLayout layout;
  private final DenseBlocks blocks;
  private final MemorySegment pages;
  private final long base;
  private final Rotation rotation;
  private final int[] firstRow;

  /** Reads the page at an offset; the rotation is that of the cache's value groups. */
  PageReader(CpuLayout layout, MemorySegment pages, long base, Rotation rotation) {
    this.layout = layout;
    this.pages = pages;
    this.base = base;
    this.rotation = rotation;
    blocks = new DenseBlocks(layout);
    firstRow = new int[layout.headDim + 1];
    for (int d = 0; d < layout.headDim; d++) {
      firstRow[d + 1] = firstRow[d] + digits(d);
    }
  }

  /** Digits of a channel of the keys. */
  private int digits(int channel) {
    return layout.isAdaptive()
        ? (pages.get(JAVA_BYTE, base + layout.keyDigitsOffset + channel / 4) >> (2 * (channel % 4)))
            & 3
        : 1;
  }

  /** Reads a token's row, dequantized. */
  void read(int token, float[] key, float[] value) {
    if (!layout.codec.isQuantized()) {
      blocks.read(pages, base, token, key, value);
      return;
    }
    for (int d = 0; d < layout.headDim; d++) {
      key[d] = keyCode(token, d) * keyScale(d) + half(layout.keyMinOffset, d);
      int group = d / layout.valueGroup;
      value[d] = valueCode(token, d) * valueScale(token, group) + valueMin(token, group);
      value[d] += layout.isAdaptive() ? half(layout.valueMeanOffset, d) : 0;
    }
    if (layout.isAdaptive()) {
      rotation.apply(value, 0, layout.headDim, 1);
    }
  }

  private float keyScale(int channel) {
    return layout.isAdaptive()
        ? scale8(layout.keyScaleOffset, channel)
        : half(layout.keyScaleOffset, channel);
  }

  private float valueScale(int token, int group) {
    int index = group * layout.pageTokens + token;
    return layout.isAdaptive()
        ? scale8(layout.valueScaleOffset, index)
        : half(layout.valueScaleOffset, index);
  }

  private float valueMin(int token, int group) {
    return layout.isAdaptive()
        ? -1.5f * valueScale(token, group)
        : half(layout.valueMinOffset, group * layout.pageTokens + token);
  }

  private float scale8(int table, int index) {
    return Scale8.decode(pages.get(JAVA_BYTE, base + table + index));
  }

  private int keyCode(int token, int channel) {
    int code = 0;
    for (int row = firstRow[channel]; row < firstRow[channel + 1]; row++) {
      code =
          (code << layout.codec.bits())
              | code(layout.keyCodeOffset(token, row), layout.codeShift(row, token));
    }
    return code;
  }

  private int valueCode(int token, int channel) {
    return code(layout.valueCodeOffset(token, channel), layout.codeShift(token, channel));
  }

  private int code(int offset, int shift) {
    return pages.get(JAVA_INT_UNALIGNED, base + offset) >>> shift & (1 << layout.codec.bits()) - 1;
  }

  private float half(int table, int index) {
    return Float.float16ToFloat(
        pages.get(JAVA_SHORT_UNALIGNED, base + table + (long) index * Short.BYTES));
  }

  PageImage image() {
    int tokens = layout.pageTokens;
    int dim = layout.headDim;
    boolean quantized = layout.codec.isQuantized();
    byte[][] keyCodes = new byte[quantized ? tokens : 0][dim];
    byte[][] valueCodes = new byte[quantized ? tokens : 0][dim];
    float[] keyScale = new float[quantized ? dim : 0];
    float[] keyMin = new float[keyScale.length];
    float[][] valueScale = new float[quantized ? tokens : 0][layout.valueGroups];
    float[][] valueMin = new float[valueScale.length][layout.valueGroups];
    float[] valueMean = new float[layout.isAdaptive() ? dim : 0];
    for (int d = 0; d < valueMean.length; d++) {
      valueMean[d] = half(layout.valueMeanOffset, d);
    }
    float[][] keys = new float[tokens][dim];
    float[][] values = new float[tokens][dim];
    for (int t = 0; t < tokens; t++) {
      read(t, keys[t], values[t]);
      for (int d = 0; quantized && d < dim; d++) {
        keyCodes[t][d] = (byte) keyCode(t, d);
        valueCodes[t][d] = (byte) valueCode(t, d);
        keyScale[d] = keyScale(d);
        keyMin[d] = half(layout.keyMinOffset, d);
      }
      for (int g = 0; quantized && g < layout.valueGroups; g++) {
        valueScale[t][g] = valueScale(t, g);
        valueMin[t][g] = valueMin(t, g);
      }
    }
    return new PageImage(
        keyCodes, valueCodes, keyScale, keyMin, valueScale, valueMin, valueMean, keys, values);
  }
}
