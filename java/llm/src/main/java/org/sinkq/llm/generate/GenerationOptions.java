package org.sinkq.llm.generate;

import static org.sinkq.InvalidArgumentException.require;

/**
 * What to generate.
 *
 * @param maxTokens tokens to generate at most
 * @param sampling how each is chosen
 * @param prefillChunk prompt tokens of one step; a longer chunk is faster and needs more memory.
 *     The sinks of a prompt are chosen chunk by chunk
 * @param ignoreEndOfGeneration whether to go on when the model ends its text
 */
public record GenerationOptions(
    int maxTokens, SamplingOptions sampling, int prefillChunk, boolean ignoreEndOfGeneration) {
  private static final int PREFILL_CHUNK = 512;

  /** Checks the ranges. */
  public GenerationOptions {
    require(maxTokens > 0, "maxTokens=%d, expected 1 or more", maxTokens);
    require(prefillChunk > 0, "prefillChunk=%d, expected 1 or more", prefillChunk);
  }

  /** So many tokens with the given sampling, until the model ends its text. */
  public static GenerationOptions of(int maxTokens, SamplingOptions sampling) {
    return new GenerationOptions(maxTokens, sampling, PREFILL_CHUNK, false);
  }

  /** The same options with another chunk of the prompt. */
  public GenerationOptions withPrefillChunk(int tokens) {
    return new GenerationOptions(maxTokens, sampling, tokens, ignoreEndOfGeneration);
  }

  /** The same options, going on when the model ends its text. */
  public GenerationOptions ignoringEndOfGeneration() {
    return new GenerationOptions(maxTokens, sampling, prefillChunk, true);
  }
}
