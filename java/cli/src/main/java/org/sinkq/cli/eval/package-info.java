/**
 * Measures what a cache does to a model's predictions.
 *
 * <pre>
 *   text ──► Windows ──► Window: tokens, of which the last ones are predicted
 *                          │
 *                          ▼
 *   Comparison.run     one step: some tokens through every Contender, the fp16 cache first
 *        │               its size: Chunks, so that each cache computes what decoding computes
 *        │             one forward pass, weights read once for all
 *        ▼
 *   logits [contenders][rows, vocabulary] ──► TokenScores   perplexity, KL divergence, agreement
 *                                        └──► Passkey       was the hidden number found?
 * </pre>
 */
package org.sinkq.cli.eval;
