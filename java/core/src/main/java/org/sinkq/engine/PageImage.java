package org.sinkq.engine;

/**
 * One page of one layer and KV head in canonical order, whatever an engine's byte order. For dense
 * codecs the codes are empty; means have only those codecs that take them off.
 *
 * @param keyCodes [tokens][headDim]
 * @param valueCodes [tokens][headDim]
 * @param keyScale [headDim]
 * @param keyMin [headDim]
 * @param valueScale [tokens][groups]
 * @param valueMin [tokens][groups]
 * @param valueMean [headDim] of the rotated values
 * @param keys [tokens][headDim] dequantized; a masked token's entries have no meaning
 * @param values [tokens][headDim] dequantized likewise
 */
public record PageImage(
    byte[][] keyCodes,
    byte[][] valueCodes,
    float[] keyScale,
    float[] keyMin,
    float[][] valueScale,
    float[][] valueMin,
    float[] valueMean,
    float[][] keys,
    float[][] values) {}
