package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import org.sinkq.engine.PageImage;

/**
 * Reads one page element by element: for reopening pages, and for tests. Not on the decode path.
 */
final class PageReader {
  private final CpuLayer layer;
  private final CpuLayout layout;
  private final long base;

  PageReader(CpuLayer layer, int head, int page) {
    this.layer = layer;
    layout = layer.layout;
    base = layer.page(page, head);
  }

  /** Reads a token's row, dequantized. */
  void read(int token, float[] key, float[] value) {
    if (!layout.codec.isQuantized()) {
      layer.blocks.read(layer.pages, base, token, key, value);
      return;
    }
    for (int d = 0; d < layout.headDim; d++) {
      key[d] = keyCode(token, d) * half(0, d) + half(layout.keyMinOffset, d);
      int group = d / layout.valueGroup * layout.pageTokens + token;
      value[d] =
          valueCode(token, d) * half(layout.valueScaleOffset, group)
              + half(layout.valueMinOffset, group);
    }
  }

  private int keyCode(int token, int channel) {
    return code(layout.keyCodeOffset(token, channel), layout.codeShift(channel, token));
  }

  private int valueCode(int token, int channel) {
    return code(layout.valueCodeOffset(token, channel), layout.codeShift(token, channel));
  }

  private int code(int offset, int shift) {
    return layer.pages.get(JAVA_INT_UNALIGNED, base + offset) >>> shift
        & (1 << layout.codec.bits()) - 1;
  }

  private float half(int table, int index) {
    return Float.float16ToFloat(
        layer.pages.get(JAVA_SHORT_UNALIGNED, base + table + (long) index * Short.BYTES));
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
    float[][] keys = new float[tokens][dim];
    float[][] values = new float[tokens][dim];
    for (int t = 0; t < tokens; t++) {
      read(t, keys[t], values[t]);
      for (int d = 0; quantized && d < dim; d++) {
        keyCodes[t][d] = (byte) keyCode(t, d);
        valueCodes[t][d] = (byte) valueCode(t, d);
        keyScale[d] = half(0, d);
        keyMin[d] = half(layout.keyMinOffset, d);
      }
      for (int g = 0; quantized && g < layout.valueGroups; g++) {
        valueScale[t][g] = half(layout.valueScaleOffset, g * tokens + t);
        valueMin[t][g] = half(layout.valueMinOffset, g * tokens + t);
      }
    }
    return new PageImage(
        keyCodes, valueCodes, keyScale, keyMin, valueScale, valueMin, keys, values);
  }
}
