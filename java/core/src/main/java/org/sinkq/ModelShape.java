package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.Set;

/**
 * Attention geometry of a model.
 *
 * @param numLayers layers that have a cache
 * @param numQoHeads query and output heads; a multiple of {@code numKvHeads}
 * @param numKvHeads key and value heads (GQA; 1 is MQA, {@code numQoHeads} is MHA)
 * @param headDim elements of one head: 64, 80, 96, 128, 192 or 256
 * @param softmaxScale factor on q·k, commonly 1/sqrt(headDim)
 * @param logitsSoftCap cap c of {@code c * tanh(logit / c)}; 0 is none
 * @param slidingWindow tokens that a query sees, itself included; 0 is all
 * @param slidingPeriod every so many layers, the last one sees all tokens whatever the sliding
 *     window; 0 if none does
 */
public record ModelShape(
    int numLayers,
    int numQoHeads,
    int numKvHeads,
    int headDim,
    float softmaxScale,
    float logitsSoftCap,
    int slidingWindow,
    int slidingPeriod) {

  /** The head dimensions that every engine supports. */
  public static final Set<Integer> HEAD_DIMS = Set.of(64, 80, 96, 128, 192, 256);

  /** Checks the ranges. */
  public ModelShape {
    require(numLayers > 0 && numLayers <= 1024, "numLayers=%d, expected 1 to 1024", numLayers);
    require(numKvHeads > 0 && numKvHeads <= 1024, "numKvHeads=%d, expected 1 to 1024", numKvHeads);
    require(
        numQoHeads > 0 && numQoHeads % numKvHeads == 0,
        "numQoHeads=%d, expected a positive multiple of numKvHeads=%d",
        numQoHeads,
        numKvHeads);
    require(
        HEAD_DIMS.contains(headDim),
        "headDim=%d, expected one of 64, 80, 96, 128, 192, 256",
        headDim);
    require(
        softmaxScale > 0 && Float.isFinite(softmaxScale),
        "softmaxScale=%s, expected a finite positive number",
        softmaxScale);
    require(
        logitsSoftCap >= 0 && Float.isFinite(logitsSoftCap),
        "logitsSoftCap=%s, expected 0 (none) or a finite positive number",
        logitsSoftCap);
    require(
        slidingWindow >= 0,
        "slidingWindow=%d, expected 0 (none) or a positive number",
        slidingWindow);
    require(
        slidingPeriod >= 0,
        "slidingPeriod=%d, expected 0 (none) or a positive number",
        slidingPeriod);
  }

  /** The usual shape: scale 1/sqrt(headDim), no soft cap, no sliding window. */
  public static ModelShape of(int numLayers, int numQoHeads, int numKvHeads, int headDim) {
    return new ModelShape(
        numLayers, numQoHeads, numKvHeads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0, 0);
  }

  /** The same shape with a logit soft cap. */
  public ModelShape withLogitsSoftCap(float cap) {
    return new ModelShape(
        numLayers,
        numQoHeads,
        numKvHeads,
        headDim,
        softmaxScale,
        cap,
        slidingWindow,
        slidingPeriod);
  }

  /** The same shape with a sliding window. */
  public ModelShape withSlidingWindow(int tokens) {
    return new ModelShape(
        numLayers,
        numQoHeads,
        numKvHeads,
        headDim,
        softmaxScale,
        logitsSoftCap,
        tokens,
        slidingPeriod);
  }

  /** The same shape with another factor on q·k. */
  public ModelShape withSoftmaxScale(float scale) {
    return new ModelShape(
        numLayers,
        numQoHeads,
        numKvHeads,
        headDim,
        scale,
        logitsSoftCap,
        slidingWindow,
        slidingPeriod);
  }

  /** The same shape where every {@code period}-th layer sees all tokens, as in Gemma 3. */
  public ModelShape withSlidingPeriod(int period) {
    return new ModelShape(
        numLayers,
        numQoHeads,
        numKvHeads,
        headDim,
        softmaxScale,
        logitsSoftCap,
        slidingWindow,
        period);
  }

  /** Tokens that a query of a layer sees, itself included; 0 is all. */
  public int slidingWindow(int layer) {
    return slidingPeriod > 0 && (layer + 1) % slidingPeriod == 0 ? 0 : slidingWindow;
  }

  /** Query heads that share one KV head. */
  public int groupSize() {
    return numQoHeads / numKvHeads;
  }

  /** Bytes that an fp16 cache takes for one token: keys and values of all layers and heads. */
  public long fp16BytesPerToken() {
    return 2L * Short.BYTES * headDim * numKvHeads * numLayers;
  }
}
