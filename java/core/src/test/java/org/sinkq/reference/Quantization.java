package org.sinkq.reference;

import java.util.List;
import org.sinkq.KvCodec;
import org.sinkq.engine.PageImage;

/** Fills one page of one KV head. */
final class Quantization {
  private Quantization() {}

  static float half(float x) {
    return Float.float16ToFloat(Float.floatToFloat16(x));
  }

  /**
   * Quantizes a group of tokens, or stores it as it is where the codec is dense.
   *
   * @param group channels of a value that share a scale
   * @param masked tokens that live in pool or spill: no part of a key channel's range, codes 0
   */
  static PageImage page(KvCodec codec, int group, List<Token> tokens, boolean[] masked) {
    int count = tokens.size();
    float[][] keys = tokens.stream().map(Token::key).toArray(float[][]::new);
    float[][] values = tokens.stream().map(Token::value).toArray(float[][]::new);
    int dim = keys[0].length;
    if (codec == KvCodec.FP32 || codec == KvCodec.FP16) {
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
    if (codec == KvCodec.INT2_ADAPTIVE) {
      return AdaptiveQuantization.page(keys, values, group, masked);
    }
    int levels = codec == KvCodec.INT2 ? 3 : 15;
    byte[][] keyCodes = new byte[count][dim];
    byte[][] valueCodes = new byte[count][dim];
    float[] keyScale = new float[dim];
    float[] keyMin = new float[dim];
    for (int d = 0; d < dim; d++) {
      float min = Float.POSITIVE_INFINITY;
      float max = Float.NEGATIVE_INFINITY;
      for (int t = 0; t < count; t++) {
        if (!masked[t]) {
          min = Math.min(min, keys[t][d]);
          max = Math.max(max, keys[t][d]);
        }
      }
      keyScale[d] = half((max - min) / levels);
      keyMin[d] = half(min);
      for (int t = 0; t < count; t++) {
        keyCodes[t][d] = masked[t] ? 0 : code(keys[t][d], keyScale[d], keyMin[d], levels);
      }
    }
    float[][] valueScale = new float[count][dim / group];
    float[][] valueMin = new float[count][dim / group];
    for (int t = 0; t < count; t++) {
      for (int g = 0; g < dim / group; g++) {
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (int d = g * group; d < (g + 1) * group; d++) {
          min = Math.min(min, values[t][d]);
          max = Math.max(max, values[t][d]);
        }
        valueScale[t][g] = half((max - min) / levels);
        valueMin[t][g] = half(min);
        for (int d = g * group; d < (g + 1) * group; d++) {
          valueCodes[t][d] =
              masked[t] ? 0 : code(values[t][d], valueScale[t][g], valueMin[t][g], levels);
        }
      }
    }
    return new PageImage(
        keyCodes,
        valueCodes,
        keyScale,
        keyMin,
        valueScale,
        valueMin,
        new float[0],
        decode(keyCodes, t -> keyScale, t -> keyMin, 1),
        decode(valueCodes, t -> valueScale[t], t -> valueMin[t], group));
  }

  private static byte code(float x, float scale, float min, int levels) {
    if (scale == 0) {
      return 0;
    }
    double code = Math.rint((x - min) / scale);
    return (byte) Math.max(0, Math.min(levels, code));
  }

  private interface Parameters {
    float[] of(int token);
  }

  private static float[][] decode(
      byte[][] codes, Parameters scale, Parameters min, int channelsPerScale) {
    float[][] rows = new float[codes.length][codes[0].length];
    for (int t = 0; t < rows.length; t++) {
      for (int d = 0; d < rows[t].length; d++) {
        int index = d / channelsPerScale;
        rows[t][d] = (float) ((double) scale.of(t)[index] * codes[t][d] + min.of(t)[index]);
      }
    }
    return rows;
  }
}
