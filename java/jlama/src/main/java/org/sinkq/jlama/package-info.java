/**
 * Jlama models on a SinkQ cache, by subclassing alone: the folder, the weights, the tokenizer and
 * the generate loop stay Jlama's.
 *
 * <pre>
 *   SinkqModelSupport.loadModel(folder, F32, I8)     in place of Jlama's ModelSupport.loadModel
 *        │
 *        ▼
 *   SinkqModel extends LlamaModel                    one step at a time, whichever conversation
 *     generate ─► Conversations.begin(session) ─► Jlama's loop ─► end: the sequence is released
 *     forward  ─► AttentionBackend.plan ─► Jlama's blocks ─► commit
 *                                            │
 *                       SinkqAttention: Jlama's q, k, v products ─► RoPE ─► AttentionPlan.run ─► o
 *
 *   Jlama's KvBuffer   only a handle: which Conversation a call belongs to; it gets no pages, in
 *                      memory or in *.page files
 *   Conversation       one KvSequence, its tokens, and the plan of the step that is running
 * </pre>
 */
package org.sinkq.jlama;
