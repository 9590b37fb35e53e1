/**
 * GGUF files turned into folders that Jlama and the Hugging Face libraries read.
 *
 * <pre>
 *   GGUF file                                    folder
 *   llama.block_count, ... ──► ConfigJson ─────► config.json
 *   tokenizer.ggml.*  ───────► TokenizerJson ──► tokenizer.json, tokenizer_config.json
 *   blk.0.attn_q.weight, ... ► WeightTensors ──► model.safetensors
 *                                                  model.layers.0.self_attn.q_proj.weight, ...
 *
 *   q and k of the llama architecture, rows of a head:
 *   GGUF    0  half  1  half+1  2 ...            pairs of RoPE side by side
 *   folder  0  1  2 ... half  half+1 ...         first elements, then their partners
 * </pre>
 *
 * What a folder cannot say is refused before anything is written: a sliding window, frequency
 * factors, rotated parts of heads.
 */
package org.sinkq.llm.convert;
