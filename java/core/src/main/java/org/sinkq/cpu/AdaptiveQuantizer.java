package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Fills pages of {@link org.sinkq.KvCodec#INT2_ADAPTIVE}, which defines every operation. Holds
 * working memory: one object for each flush.
 */
final class AdaptiveQuantizer {
  /** Digits that a channel can have. */
  private static final int MAX_DIGITS = 3;

  private static final float LARGEST_HALF = 65504f;

  private final CpuLayout layout;
  private final int dim;
  private final int tokens;
  private final Rotation rotation;
  private final GridSearch grid;
  private final float[] x;
  private final float[] low;
  private final float[] range;
  private final float[] squares;

  /** [digits][channel] */
  private final float[][] error;

  private final byte[][] scale;
  private final float[][] min;
  private final int[] digits;
  private final int[] codes;
  private final CodeWords words;

  AdaptiveQuantizer(CpuLayout layout, Rotation rotation) {
    this.layout = layout;
    this.rotation = rotation;
    dim = layout.headDim;
    tokens = layout.pageTokens;
    int columns = Math.max(dim, tokens);
    grid = new GridSearch(columns);
    x = new float[dim * tokens];
    low = new float[columns];
    range = new float[columns];
    squares = new float[dim];
    error = new float[MAX_DIGITS + 1][dim];
    scale = new byte[MAX_DIGITS + 1][dim];
    min = new float[MAX_DIGITS + 1][dim];
    digits = new int[dim];
    codes = new int[Math.max(layout.headLanes, tokens)];
    words = new CodeWords(2, tokens * Math.max(layout.keyRows, layout.headLanes));
  }

  /**
   * Fills a page.
   *
   * @param keys [D][G] floats
   * @param values [G][D] floats
   * @param masked [G] tokens that live elsewhere
   */
  void quantize(float[] keys, float[] values, boolean[] masked, MemorySegment to, long page) {
    transpose(keys, dim, tokens);
    int present = 0;
    for (boolean m : masked) {
      present += m ? 0 : 1;
    }
    describeKeys(masked, present);
    allocate();
    putKeys(keys, masked, to, page);
    transpose(values, tokens, dim);
    rotation.apply(x, 0, dim, tokens);
    takeMeans(masked, present, to, page);
    words.clear();
    for (int g = 0; g < layout.valueGroups; g++) {
      putValues(g, masked, to, page);
    }
    words.copyTo(tokens * layout.headLanes, to, page + layout.valueCodesOffset);
  }

  /** Turns [rows][columns] into x [columns][rows]. */
  private void transpose(float[] from, int rows, int columns) {
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        x[c * rows + r] = from[r * columns + c];
      }
    }
  }

  /** Grids of every channel for every number of digits, and the sums of squares. */
  private void describeKeys(boolean[] masked, int present) {
    float[] most = range;
    float[] mean = min[0];
    Arrays.fill(low, Float.POSITIVE_INFINITY);
    Arrays.fill(most, Float.NEGATIVE_INFINITY);
    Arrays.fill(mean, 0f);
    Arrays.fill(squares, 0f);
    for (int t = 0; t < tokens; t++) {
      for (int d = 0; !masked[t] && d < dim; d++) {
        float key = x[t * dim + d];
        low[d] = Math.min(low[d], key);
        most[d] = Math.max(most[d], key);
        mean[d] += key;
        squares[d] += key * key;
      }
    }
    for (int d = 0; d < dim; d++) {
      range[d] = most[d] - low[d];
      mean[d] = GridSearch.half(mean[d] / present);
    }
    Arrays.fill(error[0], 0f);
    for (int t = 0; t < tokens; t++) {
      for (int d = 0; !masked[t] && d < dim; d++) {
        float e = mean[d] - x[t * dim + d];
        error[0][d] += e * e;
      }
    }
    for (int b = 1; b <= MAX_DIGITS; b++) {
      grid.search(x, 0, tokens, dim, masked, low, range, steps(b));
      System.arraycopy(grid.error, 0, error[b], 0, dim);
      System.arraycopy(grid.scale, 0, scale[b], 0, dim);
      System.arraycopy(grid.min, 0, min[b], 0, dim);
    }
  }

  private static int steps(int digits) {
    return (1 << (2 * digits)) - 1;
  }

  /** Gives the digits out, each to the channel that gains most by it. */
  private void allocate() {
    Arrays.fill(digits, 0);
    double[] gain = new double[dim];
    for (int d = 0; d < dim; d++) {
      gain[d] = gain(d);
    }
    for (int i = 0; i < layout.keyRows; i++) {
      int best = 0;
      for (int d = 1; d < dim; d++) {
        best = gain[d] > gain[best] ? d : best;
      }
      digits[best]++;
      gain[best] = gain(best);
    }
  }

  private double gain(int d) {
    return digits[d] == MAX_DIGITS
        ? Double.NEGATIVE_INFINITY
        : ((double) error[digits[d]][d] - error[digits[d] + 1][d]) * squares[d];
  }

  private void putKeys(float[] keys, boolean[] masked, MemorySegment to, long page) {
    words.clear();
    int row = 0;
    int packed = 0;
    for (int d = 0; d < dim; d++) {
      int b = digits[d];
      float s = Scale8.decode(scale[b][d]);
      for (int j = b - 1; j >= 0; j--) {
        for (int t = 0; t < tokens; t++) {
          int code = GridSearch.code(keys[d * tokens + t], s, min[b][d], steps(b));
          codes[t] = masked[t] ? 0 : (code >> (2 * j)) & 3;
        }
        words.put(codes, row++, layout.keyRows, 0, tokens);
      }
      packed |= b << (2 * (d % 4));
      if (d % 4 == 3) {
        to.set(JAVA_BYTE, page + layout.keyDigitsOffset + d / 4, (byte) packed);
        packed = 0;
      }
      to.set(JAVA_BYTE, page + layout.keyScaleOffset + d, scale[b][d]);
      putHalf(to, page + layout.keyMinOffset, d, min[b][d]);
    }
    words.copyTo(tokens * layout.keyRows, to, page + layout.keyCodesOffset);
  }

  private static void putHalf(MemorySegment to, long table, int index, float value) {
    to.set(JAVA_SHORT_UNALIGNED, table + (long) index * Short.BYTES, Float.floatToFloat16(value));
  }

  private void takeMeans(boolean[] masked, int present, MemorySegment to, long page) {
    for (int d = 0; d < layout.headLanes; d++) {
      float mean = 0;
      for (int t = 0; d < dim && t < tokens; t++) {
        mean += masked[t] ? 0 : x[d * tokens + t];
      }
      mean = GridSearch.half(Math.clamp(mean / present, -LARGEST_HALF, LARGEST_HALF));
      putHalf(to, page + layout.valueMeanOffset, d, mean);
      for (int t = 0; d < dim && t < tokens; t++) {
        x[d * tokens + t] -= mean;
      }
    }
  }

  /** Codes of one value group; a row is a token. */
  private void putValues(int group, boolean[] masked, MemorySegment to, long page) {
    int n = layout.valueGroup;
    int at = group * n * tokens;
    Arrays.fill(range, 0f);
    for (int d = 0; d < n; d++) {
      for (int t = 0; t < tokens; t++) {
        range[t] = Math.max(range[t], Math.abs(x[at + d * tokens + t]));
      }
    }
    for (int t = 0; t < tokens; t++) {
      range[t] *= 2;
    }
    grid.search(x, at, n, tokens, null, null, range, steps(1));
    Arrays.fill(codes, 0);
    for (int t = 0; t < tokens; t++) {
      byte s = masked[t] ? 0 : grid.scale[t];
      to.set(JAVA_BYTE, page + layout.valueScaleOffset + (long) group * tokens + t, s);
      for (int d = 0; d < n; d++) {
        codes[d] =
            masked[t]
                ? 0
                : GridSearch.code(x[at + d * tokens + t], Scale8.decode(s), grid.min[t], steps(1));
      }
      words.put(codes, t, tokens, group * n, n);
    }
  }
}
