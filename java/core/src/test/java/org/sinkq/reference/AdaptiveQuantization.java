package org.sinkq.reference;

import static org.sinkq.reference.Quantization.half;

import java.util.ArrayList;
import java.util.List;
import org.sinkq.engine.PageImage;

/** A page of {@link org.sinkq.KvCodec#INT2_ADAPTIVE}, number by number as that codec says. */
final class AdaptiveQuantization {
  private static final float[] KEPT = {1f, 0.9f, 0.8f, 0.7f};
  private static final float[] CUT = {0f, 0.05f, 0.1f, 0.15f};

  /** An affine grid and what it costs. */
  private record Grid(int steps, float scale, float min, float error) {
    float decode(int code) {
      return code * scale + min;
    }

    int code(float x) {
      return scale == 0 ? 0 : (int) Math.rint(Math.clamp((x - min) * (1 / scale), 0f, steps));
    }

    Grid over(List<Float> group) {
      float sum = 0;
      for (float x : group) {
        float e = decode(code(x)) - x;
        sum += e * e;
      }
      return new Grid(steps, scale, min, sum);
    }
  }

  private AdaptiveQuantization() {}

  static PageImage page(float[][] keys, float[][] values, int group, boolean[] masked) {
    int tokens = keys.length;
    int dim = keys[0].length;
    byte[][] keyCodes = new byte[tokens][dim];
    float[] keyScale = new float[dim];
    float[] keyMin = new float[dim];
    float[][] decodedKeys = new float[tokens][dim];
    Grid[] grids = keyGrids(keys, masked);
    for (int d = 0; d < dim; d++) {
      keyScale[d] = grids[d].scale;
      keyMin[d] = grids[d].min;
      for (int t = 0; t < tokens; t++) {
        keyCodes[t][d] = (byte) (masked[t] ? 0 : grids[d].code(keys[t][d]));
        decodedKeys[t][d] = grids[d].decode(keyCodes[t][d]);
      }
    }
    byte[][] valueCodes = new byte[tokens][dim];
    float[][] valueScale = new float[tokens][dim / group];
    float[][] valueMin = new float[tokens][dim / group];
    float[][] rotated = new float[tokens][];
    for (int t = 0; t < tokens; t++) {
      rotated[t] = rotate(values[t], group);
    }
    float[] mean = means(rotated, masked);
    float[][] decodedValues = new float[tokens][dim];
    for (int t = 0; t < tokens; t++) {
      for (int d = 0; d < dim; d += group) {
        Grid grid = valueGrid(rotated[t], mean, d, group);
        valueScale[t][d / group] = grid.scale;
        valueMin[t][d / group] = grid.min;
        for (int i = d; i < d + group; i++) {
          valueCodes[t][i] = (byte) (masked[t] ? 0 : grid.code(rotated[t][i] - mean[i]));
          decodedValues[t][i] = grid.decode(valueCodes[t][i]) + mean[i];
        }
      }
      decodedValues[t] = rotate(decodedValues[t], group);
    }
    return new PageImage(
        keyCodes,
        valueCodes,
        keyScale,
        keyMin,
        valueScale,
        valueMin,
        mean,
        decodedKeys,
        decodedValues);
  }

  /** The grid of every channel, of as many digits as it gets. */
  private static Grid[] keyGrids(float[][] keys, boolean[] masked) {
    int dim = keys[0].length;
    Grid[][] candidates = new Grid[dim][];
    float[] squares = new float[dim];
    for (int d = 0; d < dim; d++) {
      List<Float> group = new ArrayList<>();
      for (int t = 0; t < keys.length; t++) {
        if (!masked[t]) {
          group.add(keys[t][d]);
          squares[d] += keys[t][d] * keys[t][d];
        }
      }
      candidates[d] = candidates(group);
    }
    int[] digits = new int[dim];
    for (int i = 0; i < dim * 9 / 8 / 8 * 8; i++) {
      int best = -1;
      double most = 0;
      for (int d = 0; d < dim; d++) {
        if (digits[d] < 3) {
          double gain =
              ((double) candidates[d][digits[d]].error - candidates[d][digits[d] + 1].error)
                  * squares[d];
          if (best < 0 || gain > most) {
            best = d;
            most = gain;
          }
        }
      }
      digits[best]++;
    }
    Grid[] grids = new Grid[dim];
    for (int d = 0; d < dim; d++) {
      grids[d] = candidates[d][digits[d]];
    }
    return grids;
  }

  /** Grids of a channel with 0 to 3 digits. */
  private static Grid[] candidates(List<Float> group) {
    float low = Float.POSITIVE_INFINITY;
    float high = Float.NEGATIVE_INFINITY;
    float sum = 0;
    for (float x : group) {
      low = Math.min(low, x);
      high = Math.max(high, x);
      sum += x;
    }
    Grid[] grids = new Grid[4];
    grids[0] = new Grid(0, 0, half(sum / group.size()), 0).over(group);
    for (int b = 1; b < grids.length; b++) {
      int steps = (1 << (2 * b)) - 1;
      for (int k = 0; k < KEPT.length; k++) {
        float range = high - low;
        float scale = scale(range * KEPT[k] / steps);
        Grid grid = new Grid(steps, scale, half(low + range * CUT[k]), 0).over(group);
        grids[b] = k == 0 || grid.error < grids[b].error ? grid : grids[b];
      }
    }
    return grids;
  }

  private static Grid valueGrid(float[] rotated, float[] mean, int first, int group) {
    List<Float> rest = new ArrayList<>();
    float largest = 0;
    for (int d = first; d < first + group; d++) {
      rest.add(rotated[d] - mean[d]);
      largest = Math.max(largest, Math.abs(rotated[d] - mean[d]));
    }
    Grid best = null;
    for (float kept : KEPT) {
      float scale = scale(2 * largest * kept / 3);
      Grid grid = new Grid(3, scale, -1.5f * scale, 0).over(rest);
      best = best == null || grid.error < best.error ? grid : best;
    }
    return best;
  }

  private static float[] means(float[][] rotated, boolean[] masked) {
    float[] means = new float[rotated[0].length];
    for (int d = 0; d < means.length; d++) {
      float sum = 0;
      int count = 0;
      for (int t = 0; t < rotated.length; t++) {
        if (!masked[t]) {
          sum += rotated[t][d];
          count++;
        }
      }
      means[d] = half(Math.clamp(sum / count, -65504f, 65504f));
    }
    return means;
  }

  /** Row i of the transform has the sign of the parity of i AND j at j; summed up in its order. */
  private static float[] rotate(float[] row, int group) {
    int block = Integer.lowestOneBit(group);
    float[] x = row.clone();
    for (int first = 0; first < x.length; first += block) {
      float[] rotated = transform(x, first, block);
      for (int i = 0; i < block; i++) {
        x[first + i] = rotated[i] * (float) (1 / Math.sqrt(block));
      }
    }
    return x;
  }

  /** By halves: those of sums of neighbours, and of their differences, take turns. */
  private static float[] transform(float[] x, int first, int n) {
    if (n == 1) {
      return new float[] {x[first]};
    }
    float[] sums = new float[n / 2];
    float[] differences = new float[n / 2];
    for (int i = 0; i < n / 2; i++) {
      sums[i] = x[first + 2 * i] + x[first + 2 * i + 1];
      differences[i] = x[first + 2 * i] - x[first + 2 * i + 1];
    }
    float[] even = transform(sums, 0, n / 2);
    float[] odd = transform(differences, 0, n / 2);
    float[] all = new float[n];
    for (int i = 0; i < n / 2; i++) {
      all[2 * i] = even[i];
      all[2 * i + 1] = odd[i];
    }
    return all;
  }

  /** A byte's worth of an fp16 number: half up to 3 bits of mantissa. */
  private static float scale(float x) {
    int bits = Float.floatToFloat16(x);
    return Float.float16ToFloat((short) (Math.min(247, (bits + 64) / 128) * 128));
  }
}
