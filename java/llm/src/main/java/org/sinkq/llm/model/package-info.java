/**
 * Forward pass of Llama-family models.
 *
 * <pre>
 *   tokens ─► embedding rows x
 *   each layer:
 *     norm(x) ─► q, k, v (+ bias) ─► norms of q and k by head ─► RoPE ─► AttentionPlan.run ─► x += o · attention
 *     norm(x) ─► gate, up ─► silu(gate) * up ─► x += down · it
 *   rows asked for: norm(x) ─► output or embedding matrix ─► logits
 * </pre>
 *
 * {@code ModelConfig} reads the sizes from the metadata, {@code ModelWeights} finds the tensors and
 * refuses what it does not know, {@code Decoder} runs a step. {@code DeviceDecoder} does the same
 * on a GPU:
 *
 * <pre>
 *   DeviceModel    weights (DeviceWeights, of a file or RandomWeights), RoPE table, kernels
 *   DeviceForward  queues the layers, for both of these, on Activations
 *     ├─ DeviceDecoder   prompts and mixed steps, launch by launch
 *     └─ RecordedLoop    decode steps, one CUDA graph for 1, 2, 4, 8, ... rows; chooses tokens
 * </pre>
 */
package org.sinkq.llm.model;
