/**
 * Writes text with a model: prompt in, tokens out one by one, each chosen from the logits of the
 * one before.
 *
 * <pre>
 *   prompt ids ──► chunks ──► forward ─┐ prefill                  progress, stop? ──► listener
 *                                      ▼
 *                      ┌──────────► logits ──► Sampler ──► id ──► end of generation? ──► done
 *                      │                                   │
 *                      └──────────── forward ◄─────────────┴──► StreamDecoder ──► text, listener
 * </pre>
 */
package org.sinkq.llm.generate;
