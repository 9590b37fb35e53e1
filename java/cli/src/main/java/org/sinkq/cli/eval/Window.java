package org.sinkq.cli.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A piece of text that is run from an empty cache.
 *
 * @param tokens what is fed, one after another; the last one is only predicted
 * @param firstTarget index of the first token whose prediction counts, at least 1
 */
public record Window(int[] tokens, int firstTarget) {
  /** Predictions that count. */
  public int targets() {
    return tokens.length - firstTarget;
  }

  /**
   * Cuts a text into windows. Each begins {@code stride} tokens after the one before it and counts
   * the predictions that no earlier window has made, so that every token but the first is predicted
   * once.
   *
   * @param prefix fed at the beginning of each window and never predicted: the token that begins a
   *     text, or nothing
   * @param context tokens of a window, the prefix included
   * @param stride 1 to context less the prefix
   */
  public static List<Window> cut(int[] text, int[] prefix, int context, int stride) {
    int length = context - prefix.length;
    List<Window> windows = new ArrayList<>();
    int predicted = prefix.length > 0 ? 0 : 1;
    for (int begin = 0; predicted < text.length; begin += stride) {
      int end = Math.min(text.length, begin + length);
      int[] tokens = Arrays.copyOf(prefix, prefix.length + end - begin);
      System.arraycopy(text, begin, tokens, prefix.length, end - begin);
      // Where windows do not overlap and nothing precedes them, a first token has no prediction.
      int first = Math.max(1, prefix.length + Math.max(predicted, begin) - begin);
      if (first < tokens.length) {
        windows.add(new Window(tokens, first));
      }
      predicted = end;
    }
    return List.copyOf(windows);
  }
}
