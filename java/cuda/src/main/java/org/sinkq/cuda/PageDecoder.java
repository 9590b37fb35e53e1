package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import org.sinkq.engine.PageImage;

/** Reads the host's copy of a page or dense block, element by element. Not on the decode path. */
final class PageDecoder {
  private static final int SIGN = 0x8000;

  private final CudaLayout layout;
  private final MemorySegment bytes;

  PageDecoder(CudaLayout layout, MemorySegment bytes) {
    this.layout = layout;
    this.bytes = bytes;
  }

  private float half(long offset) {
    return Float.float16ToFloat(bytes.get(JAVA_SHORT, offset));
  }

  /** A scale without the sign that marks something else. */
  private float scale(long offset) {
    return Float.float16ToFloat((short) (bytes.get(JAVA_SHORT, offset) & ~SIGN));
  }

  private int code(long offset, int shift) {
    return bytes.get(JAVA_SHORT, offset) >>> shift & (1 << layout.bits) - 1;
  }

  /** Reads a token's row of a run of dense blocks: headDim keys, then headDim values. */
  float[] denseRow(int token) {
    long block = (long) token / CudaLayout.TILE * layout.denseBlock;
    float[] row = new float[2 * layout.headDim];
    for (int d = 0; d < layout.headDim; d++) {
      row[d] = half(block + CudaLayout.denseKeyOffset(token, d));
      row[layout.headDim + d] = half(block + layout.denseValueOffset(token, d));
    }
    return row;
  }

  PageImage image() {
    int tokens = layout.pageTokens;
    int dim = layout.headDim;
    if (layout.isAdaptive()) {
      return new AdaptivePageDecoder(layout, bytes).image();
    }
    float[][] keys = new float[tokens][dim];
    float[][] values = new float[tokens][dim];
    if (!layout.isQuantized()) {
      for (int t = 0; t < tokens; t++) {
        float[] row = denseRow(t);
        System.arraycopy(row, 0, keys[t], 0, dim);
        System.arraycopy(row, dim, values[t], 0, dim);
      }
      return new PageImage(
          new byte[0][],
          new byte[0][],
          new float[0],
          new float[0],
          new float[0][],
          new float[0][],
          new float[0],
          keys,
          values);
    }
    byte[][] keyCodes = new byte[tokens][dim];
    byte[][] valueCodes = new byte[tokens][dim];
    float[] keyScale = new float[dim];
    float[] keyMin = new float[dim];
    float[][] valueScale = new float[tokens][layout.valueGroups];
    float[][] valueMin = new float[tokens][layout.valueGroups];
    int group = dim / layout.valueGroups;
    for (int d = 0; d < dim; d++) {
      keyScale[d] = scale(layout.keyScaleOffset(d));
      keyMin[d] = half(layout.keyMinimumOffset(d));
    }
    for (int t = 0; t < tokens; t++) {
      for (int g = 0; g < layout.valueGroups; g++) {
        valueScale[t][g] = scale(layout.valueScaleOffset(t, g));
        valueMin[t][g] = half(layout.valueMinimumOffset(t, g));
      }
      for (int d = 0; d < dim; d++) {
        keyCodes[t][d] = (byte) code(layout.keyCodeOffset(t, d), layout.keyCodeShift(t, d));
        valueCodes[t][d] = (byte) code(layout.valueCodeOffset(t, d), layout.valueCodeShift(t, d));
        keys[t][d] = keyCodes[t][d] * keyScale[d] + keyMin[d];
        values[t][d] = valueCodes[t][d] * valueScale[t][d / group] + valueMin[t][d / group];
      }
    }
    return new PageImage(
        keyCodes, valueCodes, keyScale, keyMin, valueScale, valueMin, new float[0], keys, values);
  }
}
