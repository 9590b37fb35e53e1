package org.sinkq.cli.throughput;

import java.util.Arrays;

/**
 * Lengths of sequences that differ, as those of a server do: evenly spread from 7/8 to 9/8 of their
 * mean. The mean is chosen so that the sequences grow to the context that they were given memory
 * for, on average, and never beyond that memory.
 *
 * <p>Pages fill at positions that are multiples of {@link #CYCLE}. The lengths leave one residue
 * out, so that in the first of every so many steps no page fills: what the others take longer is
 * the price of filling pages.
 */
final class Lengths {
  /** Steps from one in which no page fills to the next. */
  static final int CYCLE = 8;

  private static final int SPREAD = 8;

  private Lengths() {}

  /**
   * Tokens of each sequence before the first step.
   *
   * @param sequences how many
   * @param context tokens that each has memory for; they share it
   * @param steps tokens that each grows by
   * @param pageTokens tokens of a page: half of one is kept free, since page counts are whole
   * @return ascending, each at least 1
   */
  static int[] of(int sequences, int context, int steps, int pageTokens) {
    int mean = Math.max(1, context - steps - pageTokens / 2);
    int[] lengths = new int[sequences];
    // Symmetric around the mean, so that their sum is exact.
    Arrays.setAll(
        lengths,
        i -> {
          long twice = sequences == 1 ? 0 : 2L * i - (sequences - 1);
          int length = mean + (int) (mean * twice / ((long) SPREAD * sequences));
          return Math.max(1, length % CYCLE == CYCLE - 1 ? length - 1 : length);
        });
    return lengths;
  }

  /** Numbers of {@code count} of the sequences whose lengths are spread as those of all. */
  static int[] sample(int sequences, int count) {
    int[] sample = new int[count];
    Arrays.setAll(sample, i -> (int) ((2L * i + 1) * sequences / (2L * count)));
    return sample;
  }
}
