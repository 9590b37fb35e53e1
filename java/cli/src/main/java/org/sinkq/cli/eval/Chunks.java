package org.sinkq.cli.eval;

import java.util.List;
import org.sinkq.KvCacheSpec;

/**
 * How many tokens a step may have so that every cache computes what it computes when decoding token
 * by token.
 *
 * <p>A cache with a window of R and pages of G tokens flushes its oldest page when the window holds
 * R + G tokens, which is after token R + G, R + 2G and so on. Rows of one step attend each other in
 * full precision, as the tokens since the last flush do anyway. So a step that ends no later than
 * the next flush finds the same pages, the same sinks and the same window for each of its rows; one
 * that went further would attend tokens that decoding has long quantized.
 *
 * <pre>
 *   0                     R + G      R + 2G     R + 3G
 *   |─────────────────────|──────────|──────────|──
 *     first step (or more)   a step     a step          each may be cut anywhere
 * </pre>
 */
public final class Chunks {
  private Chunks() {}

  /**
   * End of the step that begins at {@code position}.
   *
   * @param end of the text
   * @param maxRows most tokens of a step
   */
  public static int next(List<Contender> contenders, int position, int end, int maxRows) {
    int next = Math.min(end, position + maxRows);
    for (Contender contender : contenders) {
      if (contender.isQuantized()) {
        next = Math.min(next, nextFlush(contender.config().cache(), position));
      }
    }
    return next;
  }

  private static int nextFlush(KvCacheSpec cache, int position) {
    int window = cache.windowTokens();
    int page = cache.pageTokens();
    int flushed = Math.max(0, position - window) / page;
    return window + (flushed + 1) * page;
  }
}
