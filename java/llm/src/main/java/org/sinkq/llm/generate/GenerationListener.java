package org.sinkq.llm.generate;

/**
 * Follows a generation on the thread that runs it. An exception thrown here ends the generation and
 * reaches the caller.
 */
public interface GenerationListener {
  /** Does nothing. */
  GenerationListener NONE = new GenerationListener() {};

  /**
   * A chunk of the prompt is in the cache.
   *
   * @param done prompt tokens so far
   * @param total prompt tokens in all
   */
  default void onPrefill(int done, int total) {}

  /**
   * More text. A token can come without text, and text can come after the last token.
   *
   * @param text complete characters, not empty
   */
  default void onText(String text) {}

  /** Asked before every chunk of the prompt and every token; true ends the generation. */
  default boolean isStopRequested() {
    return false;
  }
}
