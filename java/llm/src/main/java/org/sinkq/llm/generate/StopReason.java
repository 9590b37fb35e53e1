package org.sinkq.llm.generate;

/** Why a generation ended. */
public enum StopReason {
  /** The model ended its text or turn. */
  END_OF_GENERATION,
  /** As many tokens as were asked for. */
  MAX_TOKENS,
  /** The model's context or the cache has no room for another token. */
  CONTEXT_FULL,
  /** The listener asked for it. */
  STOP_REQUESTED
}
