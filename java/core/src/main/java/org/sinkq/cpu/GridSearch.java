package org.sinkq.cpu;

import java.util.Arrays;

/**
 * The affine grid with the least squared error for each column of a matrix, among four widths of
 * its range. Outliers beyond a narrower one are clipped, and everything else gains resolution.
 *
 * <p>Works on all columns at once, row after row, in loops that the compiler vectorizes.
 */
final class GridSearch {
  /** Shares of the range that are tried. */
  private static final float[] KEPT = {1f, 0.9f, 0.8f, 0.7f};

  /** What is cut off at the lower end. */
  private static final float[] CUT = {0f, 0.05f, 0.1f, 0.15f};

  /** Adding and taking away 1.5 * 2^23 rounds half to even. */
  private static final float ROUND = Exp.ROUND;

  final float[] error;
  final byte[] scale;
  final float[] min;
  private final float[] s;
  private final float[] z;
  private final float[] inverse;
  private final float[] sum;
  private final byte[] tried;

  GridSearch(int maxColumns) {
    error = new float[maxColumns];
    scale = new byte[maxColumns];
    min = new float[maxColumns];
    s = new float[maxColumns];
    z = new float[maxColumns];
    inverse = new float[maxColumns];
    sum = new float[maxColumns];
    tried = new byte[maxColumns];
  }

  /**
   * Fills {@link #error}, {@link #scale} and {@link #min}.
   *
   * @param x [rows][columns]
   * @param skipped rows that take no part, or null
   * @param low lower end of a column's range, or null for grids symmetric about 0
   * @param range of a column
   * @param steps of the grid
   */
  void search(
      float[] x,
      int at,
      int rows,
      int columns,
      boolean[] skipped,
      float[] low,
      float[] range,
      int steps) {
    Arrays.fill(error, Float.POSITIVE_INFINITY);
    for (int k = 0; k < KEPT.length; k++) {
      for (int c = 0; c < columns; c++) {
        tried[c] = Scale8.encode(range[c] * KEPT[k] / steps);
        s[c] = Scale8.decode(tried[c]);
        z[c] = low == null ? -0.5f * steps * s[c] : half(low[c] + range[c] * CUT[k]);
        inverse[c] = s[c] == 0 ? 0 : 1 / s[c];
      }
      Arrays.fill(sum, 0, columns, 0f);
      for (int r = 0; r < rows; r++) {
        if (skipped == null || !skipped[r]) {
          addErrors(x, at + r * columns, columns, steps);
        }
      }
      for (int c = 0; c < columns; c++) {
        if (sum[c] < error[c]) {
          error[c] = sum[c];
          scale[c] = tried[c];
          min[c] = z[c];
        }
      }
    }
  }

  private void addErrors(float[] x, int at, int columns, int steps) {
    for (int c = 0; c < columns; c++) {
      float code = Math.max(0f, Math.min((float) steps, (x[at + c] - z[c]) * inverse[c]));
      float e = (code + ROUND - ROUND) * s[c] + z[c] - x[at + c];
      sum[c] += e * e;
    }
  }

  /** The code of a number on a grid. */
  static int code(float x, float scale, float min, int steps) {
    float inverse = scale == 0 ? 0 : 1 / scale;
    return (int) (Math.max(0f, Math.min((float) steps, (x - min) * inverse)) + ROUND - ROUND);
  }

  static float half(float value) {
    return Float.float16ToFloat(Float.floatToFloat16(value));
  }
}
