package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

/**
 * How many outlier tokens (attention sinks) each KV head of a tracked layer keeps in full
 * precision.
 *
 * <p>The pool holds the {@code poolTokens} best tokens of all that were flushed so far, by default
 * those whose keys have the smallest L1 norm; a token that a better one drives out moves to the
 * spill area, because its page slot was never quantized. When the spill area cannot take what would
 * leave, the pool freezes (SinkQ, ICLR 2025 submission 14060; OTT, arXiv 2505.10938).
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
    FIRST_TOKENS,
    /**
     * The largest attention mass: the sum of all probabilities that it was given while it was in
     * the window.
     *
     * <p>Every query row of every step counts, prompts included, with each query head of the
     * token's KV head. A probability is that of the softmax over everything the row sees, pages and
     * sinks too; a row that does not see the token (causality, a sliding window) adds nothing, nor
     * does one that was appended without attention. Each is computed in binary32, rounded to a
     * multiple of 2^-24 and summed up as an integer, so the sum does not depend on an order: one
     * engine gives the same mass for the same calls, run after run. Between engines masses differ
     * as their probabilities do, and tokens of nearly the same mass may change places in the pool.
     *
     * <p>A flush sees the masses after its own step's attention; from then on they stand still.
     * Equal masses: the older token wins. A rolled back step leaves no mass behind; a fork takes
     * its parent's along. Truncation takes nothing back from the tokens that stay, and of those
     * that a reopened page puts back into the window, sinks have the mass that they were chosen
     * with, and others none. A sequence that was saved and restored goes on with its sinks, but its
     * window begins without mass.
     *
     * <p>Costs one more product of queries and window keys, in steps of layers that track sinks,
     * and a second copy of the window's scores.
     */
    MOST_ATTENDED
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
