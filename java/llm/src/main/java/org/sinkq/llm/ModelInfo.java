package org.sinkq.llm;

/**
 * What a model is, for people and for sizing.
 *
 * @param name name that the file gives, or the file's own
 * @param architecture member of the Llama family
 * @param layers layers, each with a cache
 * @param heads query heads
 * @param kvHeads key and value heads
 * @param headDim elements of a head
 * @param contextLength positions the model was made for
 * @param vocabularySize tokens of the vocabulary, the length of a row of logits
 * @param parameters weights in all
 * @param quantization element types of the matrices, the most frequent first
 */
public record ModelInfo(
    String name,
    String architecture,
    int layers,
    int heads,
    int kvHeads,
    int headDim,
    int contextLength,
    int vocabularySize,
    long parameters,
    String quantization) {}
