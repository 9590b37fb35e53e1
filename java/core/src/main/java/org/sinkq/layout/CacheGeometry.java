package org.sinkq.layout;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.KvCacheSpec;
import org.sinkq.LayerSpec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;

/**
 * Every count that host and engines derive from a model's shape and a cache's settings, computed
 * once. Byte sizes are the engines' business, see {@link org.sinkq.layout}.
 */
public final class CacheGeometry {
  /** Dense rows come in blocks of this many tokens; every page size is a multiple of it. */
  public static final int BLOCK_TOKENS = 32;

  /** Channels that share a scale of the values, at most. */
  public static final int MAX_VALUE_GROUP = 128;

  private final ModelShape shape;
  private final int pageTokens;
  private final int windowTokens;
  private final int valueGroup;
  private final LayerSpec[] layers;
  private final int[] trackedIndex;
  private final int trackedLayers;
  private final SinkPolicy sinks;

  /** Derives the counts. */
  public CacheGeometry(ModelShape shape, KvCacheSpec spec) {
    this.shape = shape;
    pageTokens = spec.pageTokens();
    windowTokens = spec.windowTokens();
    valueGroup = valueGroup(shape.headDim(), spec.valueGroup());
    layers = new LayerSpec[shape.numLayers()];
    trackedIndex = new int[layers.length];
    int tracked = 0;
    SinkPolicy policy = SinkPolicy.NONE;
    for (int i = 0; i < layers.length; i++) {
      layers[i] = spec.layer(i);
      boolean tracks = layers[i].sinks().poolTokens() > 0;
      trackedIndex[i] = tracks ? tracked++ : -1;
      if (tracks) {
        policy = layers[i].sinks();
      }
    }
    trackedLayers = tracked;
    sinks = policy;
  }

  /** The model's attention geometry. */
  public ModelShape shape() {
    return shape;
  }

  /** Tokens of a page, G. */
  public int pageTokens() {
    return pageTokens;
  }

  /** Recent tokens that always stay dense, R. */
  public int windowTokens() {
    return windowTokens;
  }

  /** Window length at which the oldest page is flushed, R + G. */
  public int flushTokens() {
    return windowTokens + pageTokens;
  }

  /**
   * Token slots of the window ring: R + G rounded up to whole blocks. Position p lives in slot p
   * mod this.
   */
  public int ringTokens() {
    return roundUp(flushTokens(), BLOCK_TOKENS);
  }

  /** Codec and sink policy of a layer. */
  public LayerSpec layer(int layer) {
    return layers[layer];
  }

  /** Layers that track sinks. */
  public int trackedLayers() {
    return trackedLayers;
  }

  /** KV heads of all tracked layers: rows of a sink table. */
  public int trackedHeads() {
    return trackedLayers * shape.numKvHeads();
  }

  /** Row of a sink table for a KV head of a layer, or -1 where the layer does not track sinks. */
  public int trackedHead(int layer, int head) {
    return trackedIndex[layer] < 0 ? -1 : trackedIndex[layer] * shape.numKvHeads() + head;
  }

  /** Policy of the tracked layers; {@link SinkPolicy#NONE} if there are none. */
  public SinkPolicy sinks() {
    return sinks;
  }

  /** Whether a layer selects sinks by the attention that its window tokens draw. */
  public boolean tracksMass(int layer) {
    return trackedIndex[layer] >= 0 && tracksMass();
  }

  /** Whether any layer does; then all tracked ones do. */
  public boolean tracksMass() {
    return sinks.selection() == SinkPolicy.Selection.MOST_ATTENDED;
  }

  /**
   * Pages that a step fills for a sequence with {@code window} dense tokens that receives {@code
   * rows} more.
   */
  public int flushedPages(int window, int rows) {
    return Math.max(0, window + rows - windowTokens) / pageTokens;
  }

  /** Most pages that a sequence of {@code tokens} tokens occupies, however it is appended. */
  public int pagesFor(int tokens) {
    return flushedPages(0, tokens);
  }

  private static int valueGroup(int headDim, int most) {
    if (most == MAX_VALUE_GROUP) {
      return headDim / ((headDim + most - 1) / most);
    }
    int group = most;
    while (group > 0 && headDim % group != 0) {
      group -= BLOCK_TOKENS;
    }
    require(
        group > 0,
        "valueGroup=%d with headDim=%d, expected a head dimension that is a multiple of 32",
        most,
        headDim);
    return group;
  }

  /**
   * Channels that share one scale of a value: the largest divisor of headDim that is at most 128,
   * or what the cache's settings allow; then it is a multiple of 32.
   */
  public int valueGroup() {
    return valueGroup;
  }

  /** Whether values are grouped as every engine can: by {@link #MAX_VALUE_GROUP} at most. */
  public boolean hasUsualValueGroup() {
    return valueGroup == valueGroup(shape.headDim(), MAX_VALUE_GROUP);
  }

  /** Scales of one token's value. */
  public int valueGroups() {
    return shape.headDim() / valueGroup();
  }

  /** Digits that the channels of a key share under {@link org.sinkq.KvCodec#INT2_ADAPTIVE}. */
  public int adaptiveKeyDigits() {
    return shape.headDim() * 9 / 8 / 8 * 8;
  }

  /** Channels of a value that are rotated together under that codec: a power of two. */
  public int rotationBlock() {
    return Integer.lowestOneBit(valueGroup());
  }

  /** The smallest multiple of {@code unit} that is at least {@code value}. */
  public static int roundUp(int value, int unit) {
    return (value + unit - 1) / unit * unit;
  }
}
