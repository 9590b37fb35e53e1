package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import org.sinkq.engine.PageImage;

/** Reads the host's copy of an adaptive page, element by element. Not on the decode path. */
final class AdaptivePageDecoder {
  private final AdaptivePageLayout page;
  private final MemorySegment bytes;
  private final int dim;
  private final int groups;

  /** [D + 1] first row of a channel of the keys, and the end of the last one's. */
  private final int[] firstRow;

  AdaptivePageDecoder(CudaLayout layout, MemorySegment bytes) {
    this.bytes = bytes;
    page = layout.adaptive;
    dim = layout.headDim;
    groups = layout.valueGroups;
    firstRow = new int[dim + 1];
    for (int r = 0; r < page.rows; r++) {
      firstRow[(bytes.get(JAVA_BYTE, page.rowChannelOffset(r)) & 0xFF) + 1]++;
    }
    for (int d = 0; d < dim; d++) {
      firstRow[d + 1] += firstRow[d];
    }
  }

  private float half(long offset) {
    return Float.float16ToFloat(bytes.get(JAVA_SHORT, offset));
  }

  private float scale(long offset) {
    return AdaptivePageLayout.scale(bytes.get(JAVA_BYTE, offset));
  }

  private int code(long offset, int shift) {
    return bytes.get(JAVA_SHORT, offset) >>> shift & 3;
  }

  /** A step of a channel is one of its last digit. */
  private float keyScale(int channel) {
    int last = firstRow[channel + 1] - 1;
    return last < firstRow[channel] ? 0 : scale(page.rowScaleOffset(last));
  }

  private int keyCode(int token, int channel) {
    int code = 0;
    for (int r = firstRow[channel]; r < firstRow[channel + 1]; r++) {
      code = code << 2 | code(page.digitOffset(token, r), AdaptivePageLayout.digitShift(token, r));
    }
    return code;
  }

  PageImage image() {
    int tokens = AdaptivePageLayout.TOKENS;
    byte[][] keyCodes = new byte[tokens][dim];
    byte[][] valueCodes = new byte[tokens][dim];
    float[] keyScale = new float[dim];
    float[] keyMin = new float[dim];
    float[][] valueScale = new float[tokens][groups];
    float[][] valueMin = new float[tokens][groups];
    float[] valueMean = new float[dim];
    float[][] keys = new float[tokens][dim];
    float[][] values = new float[tokens][dim];
    for (int d = 0; d < dim; d++) {
      keyScale[d] = keyScale(d);
      keyMin[d] = half(page.keyMinimumOffset(d));
      valueMean[d] = half(page.valueMeanOffset(d));
    }
    for (int t = 0; t < tokens; t++) {
      for (int g = 0; g < groups; g++) {
        valueScale[t][g] = scale(page.valueScaleOffset(t, g));
        valueMin[t][g] = -1.5f * valueScale[t][g];
      }
      for (int d = 0; d < dim; d++) {
        int group = d / page.valueGroup;
        keyCodes[t][d] = (byte) keyCode(t, d);
        keys[t][d] = keyCodes[t][d] * keyScale[d] + keyMin[d];
        valueCodes[t][d] = (byte) code(page.valueCodeOffset(t, d), page.valueCodeShift(t, d));
        values[t][d] = valueCodes[t][d] * valueScale[t][group] + valueMin[t][group] + valueMean[d];
      }
      rotateBack(values[t]);
    }
    return new PageImage(
        keyCodes, valueCodes, keyScale, keyMin, valueScale, valueMin, valueMean, keys, values);
  }

  /** The transform is its own inverse; nearest partners first. */
  private void rotateBack(float[] x) {
    int block = Integer.lowestOneBit(page.valueGroup);
    for (int half = 1; half < block; half *= 2) {
      for (int d = 0; d < dim; d++) {
        if ((d & half) == 0) {
          float a = x[d];
          float b = x[d + half];
          x[d] = a + b;
          x[d + half] = a - b;
        }
      }
    }
    float norm = (float) (1 / Math.sqrt(block));
    for (int d = 0; d < dim; d++) {
      x[d] *= norm;
    }
  }
}
