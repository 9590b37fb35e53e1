package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

/**
 * How many outlier tokens (attention sinks) each KV head of a tracked layer keeps in full
 * precision.
 *
 * <p>The pool holds the {@code poolTokens} tokens whose keys have the smallest L1 norm of all
 * tokens flushed so far; a token that a smaller one drives out moves to the spill area, because its
 * page slot was never quantized. When the spill area cannot take what would leave, the pool freezes
 * (SinkQ, ICLR 2025 submission 14060; OTT, arXiv 2505.10938).
 *
 * @param poolTokens capacity of the pool, 0 to 31; 0 switches tracking off
 * @param spillTokens capacity of the spill area, 0 to 224
 * @param selection which tokens the pool holds
 */
public record SinkPolicy(int poolTokens, int spillTokens, Selection selection) {
  /** What makes a token a sink. */
  public enum Selection {
    /** The smallest L1 norm of its key, tracked as the text grows. */
    SMALLEST_KEYS,
    /**
     * Its place at the beginning of the sequence, as in StreamingLLM (arXiv 2309.17453): a baseline
     * to compare with. Not every engine has it.
     */
    FIRST_TOKENS
  }

  /** No tracking: whole pages are quantized. */
  public static final SinkPolicy NONE = new SinkPolicy(0, 0);

  /** The published setting: a pool of 3 and a spill area of 32 tokens. */
  public static final SinkPolicy DEFAULT = new SinkPolicy(3, 32);

  /** Checks the ranges. */
  public SinkPolicy {
    require(poolTokens >= 0 && poolTokens <= 31, "poolTokens=%d, expected 0 to 31", poolTokens);
    require(
        spillTokens >= 0 && spillTokens <= 224, "spillTokens=%d, expected 0 to 224", spillTokens);
    require(
        poolTokens > 0 || spillTokens == 0,
        "spillTokens=%d with poolTokens=0, expected spillTokens=0 where nothing is tracked",
        spillTokens);
  }

  /** The tokens with the smallest keys. */
  public SinkPolicy(int poolTokens, int spillTokens) {
    this(poolTokens, spillTokens, Selection.SMALLEST_KEYS);
  }

  /** The first {@code tokens} tokens of a sequence and no others. */
  public static SinkPolicy first(int tokens) {
    return new SinkPolicy(tokens, 0, Selection.FIRST_TOKENS);
  }

  /** Dense rows that a KV head reserves for pool and spill. */
  public int slots() {
    return poolTokens + spillTokens;
  }
}
