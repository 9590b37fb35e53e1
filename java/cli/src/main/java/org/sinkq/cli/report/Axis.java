package org.sinkq.cli.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A range of values and the places of its round numbers.
 *
 * @param low value at the beginning
 * @param high value at the end, more than {@code low}
 * @param logarithmic whether equal steps are equal factors; then both are positive
 */
record Axis(double low, double high, boolean logarithmic) {
  private static final int TICKS = 6;

  /** The axis that shows all finite values; a logarithmic one leaves out what is not positive. */
  static Axis of(double[] values, boolean logarithmic) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (double value : values) {
      if (Double.isFinite(value) && (!logarithmic || value > 0)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) {
      return new Axis(logarithmic ? 1 : 0, logarithmic ? 10 : 1, logarithmic);
    }
    if (logarithmic) {
      return new Axis(low / 1.2, high * 1.2, true);
    }
    double margin = high > low ? 0.06 * (high - low) : Math.max(1e-9, 0.05 * Math.abs(high));
    return new Axis(low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin, false);
  }

  /** Whether a value has a place on the axis. */
  boolean shows(double value) {
    return Double.isFinite(value) && (!logarithmic || value > 0);
  }

  /** Where a value lies: 0 at the beginning, 1 at the end. */
  double place(double value) {
    return logarithmic
        ? Math.log(value / low) / Math.log(high / low)
        : (value - low) / (high - low);
  }

  /** Round numbers within the range, ascending. */
  List<Double> ticks() {
    List<Double> ticks = new ArrayList<>();
    if (logarithmic) {
      boolean narrow = high / low < 100;
      for (int e = (int) Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
        for (double digit : narrow ? new double[] {1, 2, 5} : new double[] {1}) {
          addWithin(ticks, digit * Math.pow(10, e));
        }
      }
      return ticks;
    }
    double rough = (high - low) / TICKS;
    double unit = Math.pow(10, Math.floor(Math.log10(rough)));
    double step = unit * (rough / unit <= 2 ? 2 : rough / unit <= 5 ? 5 : 10);
    for (double n = Math.ceil(low / step); n * step <= high; n++) {
      addWithin(ticks, n == 0 ? 0 : n * step); // not -0
    }
    return ticks;
  }

  private void addWithin(List<Double> ticks, double value) {
    if (value >= low && value <= high) {
      ticks.add(value);
    }
  }

  /** A number with as many digits as it needs. */
  static String label(double value) {
    if (value != 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) {
      return String.format(Locale.ROOT, "%.0e", value);
    }
    String text = String.format(Locale.ROOT, "%.4f", value);
    return text.replaceAll("\\.?0+$", "");
  }
}
