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
 *   LanguageModel.mostProbable(...)     a decode step whose tokens are chosen where the logits are
 *   LanguageModel.decodeLoop(...) ──► DecodeLoop: steps on the GPU that feed each other, nobody waits
 *   RandomModel.open(size, seed, backend) ──► the same, of random weights
 * </pre>
 */
package org.sinkq.llm;
