package org.sinkq.llm;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.ModelShape;

/**
 * Sizes of a Llama without a file.
 *
 * @param shape attention geometry
 * @param width elements of a hidden row
 * @param feedForward inner elements of the feed-forward network
 * @param vocabulary tokens
 * @param contextLength most tokens of a sequence
 */
public record LlamaSize(
    ModelShape shape, int width, int feedForward, int vocabulary, int contextLength) {
  private static final int MOST = 1 << 20;

  /** Checks the sizes. */
  public LlamaSize {
    check("width", width, MOST);
    check("feedForward", feedForward, MOST);
    check("vocabulary", vocabulary, 1 << 24);
    check("contextLength", contextLength, Integer.MAX_VALUE);
  }

  private static void check(String name, int value, int most) {
    require(value > 0 && value <= most, "%s=%d, expected 1 to %d", name, value, most);
  }
}
