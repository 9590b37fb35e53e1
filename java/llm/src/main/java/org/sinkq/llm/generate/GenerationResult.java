package org.sinkq.llm.generate;

import org.sinkq.BackendStats;

/**
 * What a generation has come to.
 *
 * @param promptTokens tokens of the prompt
 * @param tokens the generated ids, without the one that ended the generation
 * @param text their text
 * @param stopReason why it ended
 * @param prefillSeconds time that the prompt took
 * @param decodeSeconds time that the steps after it took, choosing tokens included
 * @param decodeSteps steps of one token after the prompt; the first token comes without one
 * @param stats the cache at the end, before the sequence was closed
 */
public record GenerationResult(
    int promptTokens,
    int[] tokens,
    String text,
    StopReason stopReason,
    double prefillSeconds,
    double decodeSeconds,
    int decodeSteps,
    BackendStats stats) {
  /** Copies the ids. */
  public GenerationResult {
    tokens = tokens.clone();
  }

  /** A copy of the ids. */
  @Override
  public int[] tokens() {
    return tokens.clone();
  }

  /** How many tokens were generated. */
  public int generatedTokens() {
    return tokens.length;
  }

  /** Decode steps a second, or 0 if there was none. */
  public double tokensPerSecond() {
    return decodeSteps == 0 ? 0 : decodeSteps / decodeSeconds;
  }
}
