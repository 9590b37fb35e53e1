package org.sinkq.cli;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;

/**
 * Format of a cache: a preset and what was changed of it.
 *
 * @param preset what {@code --kv} named
 * @param page tokens of a page: 32, 64 or 128
 * @param window recent tokens in full precision
 * @param pool sinks that each KV head keeps
 * @param spill tokens that left a pool
 */
record KvSettings(KvPreset preset, int page, int window, int pool, int spill) {
  /** Layers below this one track no sinks in a whole model, as published. */
  static final int FIRST_SINK_LAYER = 2;

  /**
   * Fills what is not given from the preset.
   *
   * @param page or null, like the other three
   * @throws InvalidArgumentException naming the option that does not fit
   */
  static KvSettings of(KvPreset preset, Integer page, Integer window, Integer pool, Integer spill) {
    int p = page == null ? preset.pageTokens() : page;
    require(p == 32 || p == 64 || p == 128, "--page=%d, expected 32, 64 or 128", p);
    int w = window == null ? preset.windowTokens() : window;
    require(w >= 0 && w <= 4096, "--window=%d, expected 0 to 4096", w);
    SinkPolicy sinks = preset.sinks();
    int poolTokens = pool == null ? sinks.poolTokens() : pool;
    require(poolTokens >= 0 && poolTokens <= 31, "--pool=%d, expected 0 to 31", poolTokens);
    require(
        poolTokens == 0 || preset.codec().isQuantized(),
        "--pool=%d with --kv %s, expected a quantized cache: sinks are exact in a dense one",
        poolTokens,
        preset);
    int spillTokens =
        spill == null ? preset.keepsFirstTokens() ? 0 : defaultSpill(poolTokens) : spill;
    require(spillTokens >= 0 && spillTokens <= 224, "--spill=%d, expected 0 to 224", spillTokens);
    require(
        poolTokens > 0 || spillTokens == 0,
        "--spill=%d without a pool, expected --pool 1 or more, or no --spill",
        spillTokens);
    require(
        spillTokens == 0 || !preset.keepsFirstTokens(),
        "--spill=%d with --kv %s, expected none: its tokens never leave the pool",
        spillTokens,
        preset);
    return new KvSettings(preset, p, w, poolTokens, spillTokens);
  }

  private static int defaultSpill(int pool) {
    return pool == 0 ? 0 : SinkPolicy.DEFAULT.spillTokens();
  }

  /**
   * The cache for one sequence.
   *
   * @param capacityTokens tokens it must be able to hold
   * @param firstSinkLayer first layer that tracks sinks
   */
  KvCacheSpec spec(int capacityTokens, int firstSinkLayer) {
    return spec(1, capacityTokens, firstSinkLayer);
  }

  /**
   * The cache for several sequences.
   *
   * @param capacityTokens tokens that each must be able to hold
   * @param firstSinkLayer first layer that tracks sinks
   */
  KvCacheSpec spec(int sequences, int capacityTokens, int firstSinkLayer) {
    return KvCacheSpec.builder()
        .maxSequences(sequences)
        .codec(preset.codec())
        .pageTokens(page)
        .windowTokens(window)
        .valueGroup(preset.valueGroup())
        .sinks(new SinkPolicy(pool, spill, preset.sinks().selection()))
        .firstSinkLayer(preset.keepsFirstTokens() ? 0 : firstSinkLayer)
        .capacityTokens(capacityTokens)
        .build();
  }

  /**
   * The cache of a model for several sequences; where the model is a single layer, that layer
   * tracks sinks.
   *
   * @param shape of the model
   * @param capacityTokens tokens that each must be able to hold
   */
  KvCacheSpec spec(ModelShape shape, int sequences, int capacityTokens) {
    return spec(
        sequences, capacityTokens, shape.numLayers() > FIRST_SINK_LAYER ? FIRST_SINK_LAYER : 0);
  }

  /** Such as {@code sinkq2: 2 bit, page 128, window 32, pool 3, spill 32}. */
  String describe() {
    String dense = preset + ": " + preset.codec().bits() + " bit";
    return preset.codec().isQuantized()
        ? dense + ", page " + page + ", window " + window + ", pool " + pool + ", spill " + spill
        : dense;
  }
}
