package org.sinkq.reference;

/**
 * What a query attends to.
 *
 * @param result the weighted mean of the values, by channel
 * @param magnitude that of their absolute values: by how much of it the result is off at worst if
 *     each weight is off by a part of itself, so that errors of tokens alike add up
 */
public record Attention(double[] result, double[] magnitude) {}
