/**
 * LangChain4j's {@code ChatModel} and {@code StreamingChatModel} on Jlama and a SinkQ cache.
 *
 * <pre>
 *   AiServices, ChatMemory ──► ChatRequest (the whole conversation)
 *                                  │ ChatEngine: messages ─► the model's chat template
 *                                  ▼
 *        SinkqModel.generate ──► Jlama ──► text ──► ChatResponse, or partial responses
 *             the idle session that has most in common with the prompt goes on
 * </pre>
 */
package org.sinkq.langchain4j;
