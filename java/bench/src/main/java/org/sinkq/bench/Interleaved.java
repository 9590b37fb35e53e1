package org.sinkq.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Times of several variants that were run alternately.
 *
 * @param times [variant][round]
 */
record Interleaved(double[][] times) {
  /**
   * Runs every variant once a round, after {@code warmup} rounds that do not count.
   *
   * @param variants each runs once and returns its time
   */
  static Interleaved run(int warmup, int rounds, List<LongSupplier> variants) {
    double[][] times = new double[variants.size()][rounds];
    for (int r = -warmup; r < rounds; r++) {
      for (int v = 0; v < times.length; v++) {
        long time = variants.get(v).getAsLong();
        if (r >= 0) {
          times[v][r] = time;
        }
      }
    }
    return new Interleaved(times);
  }

  double median(int variant) {
    return median(times[variant]);
  }

  /** Median, smallest and largest of the rounds' quotients, as text. */
  String ratio(int slower, int faster) {
    double[] ratios = ratios(slower, faster);
    return String.format(
        Locale.ROOT,
        "%.2fx (%.2f–%.2f)",
        median(ratios),
        Arrays.stream(ratios).min().orElseThrow(),
        Arrays.stream(ratios).max().orElseThrow());
  }

  double[] ratios(int slower, int faster) {
    double[] ratios = new double[times[slower].length];
    for (int r = 0; r < ratios.length; r++) {
      ratios[r] = times[slower][r] / times[faster][r];
    }
    return ratios;
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }
}
