/**
 * The API: an attention backend with a quantized KV cache.
 *
 * <pre>
 *   AttentionBackends.open(BackendConfig) ─► AttentionBackend
 *                                              │
 *        newSequence() ─► KvSequence           │  length, fork, truncate, sinkPositions, close
 *        restore(channel) ─► KvSequence        │  what KvSequence.save(channel) wrote
 *                                              │
 *        plan(AttentionMetadata) ─► AttentionPlan       reserves pages, or throws and reserves none
 *             run(layer, q, k, v, out)  for each layer  appends, attends, flushes
 *             append(layer, k, v)       or, instead     rows computed elsewhere: without attention
 *             commit()                                  lengths advance; close() without it rolls back
 * </pre>
 *
 * One step behind it:
 *
 * <pre>
 *   caller ──q, k, v──► EnginePlan ──► EngineStep (an engine: bytes)
 *                           │              append   window rows and their scores
 *                           │              attend   pages (unmasked slots) + pool + spill + window
 *                           │              flush    select sinks, mask slots, quantize, pack
 *                           ▼                 │
 *   EngineBackend: IndexPool (pages, slots), SequenceState, SinkTable, PageMasks (bookkeeping: ints)
 * </pre>
 *
 * <p>Shapes are [tokens, heads, headDim], packed over the sequences of a step. Errors are the four
 * kinds of {@link org.sinkq.SinkQException}; none of them leaves a change behind.
 */
package org.sinkq;
