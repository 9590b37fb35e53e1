/**
 * A host that runs Llama-family models from GGUF files on a SinkQ cache.
 *
 * <pre>
 *   GgufFile ──► LanguageModel.open(path, threads)
 *                     │ attentionShape()
 *                     ▼
 *   AttentionBackends.open(shape, cache) ──► KvSequence
 *                     │
 *                     ▼
 *   LanguageModel.forward(backend, metadata, tokens, logitRows) ──► logits [rows, vocabulary]
 *         plan ► for each layer: q, k, v ► plan.run ► feed-forward ► commit
 *
 *   LanguageModel.moveTo(backend)       weights and forward pass on the GPU of a cuda backend, from then on
 * </pre>
 */
package org.sinkq.llm;
