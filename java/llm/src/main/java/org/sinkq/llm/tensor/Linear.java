package org.sinkq.llm.tensor;

/**
 * A linear map.
 *
 * @param weights [outputs, inputs]
 * @param bias [outputs], or null
 */
public record Linear(Weights weights, float[] bias) {}
