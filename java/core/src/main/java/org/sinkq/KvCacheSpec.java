package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Size and format of a cache. Built with {@link #builder()}; the defaults are the published
 * setting: 2 bits, pages of 128 tokens, 32 recent tokens and up to 3 sinks in full precision, no
 * sinks in the first two layers.
 */
public final class KvCacheSpec {
  private final int pageTokens;
  private final int windowTokens;
  private final int valueGroup;
  private final long capacityBytes;
  private final int capacityTokens;
  private final int maxSequences;
  private final KvCodec codec;
  private final Map<Integer, KvCodec> codecOfLayer;
  private final SinkPolicy sinks;
  private final int firstSinkLayer;
  private final Map<Integer, Boolean> sinksOfLayer;

  private KvCacheSpec(Builder b) {
    require(
        b.pageTokens == 32 || b.pageTokens == 64 || b.pageTokens == 128,
        "pageTokens=%d, expected 32, 64 or 128",
        b.pageTokens);
    require(
        b.windowTokens >= 0 && b.windowTokens <= 4096,
        "windowTokens=%d, expected 0 to 4096",
        b.windowTokens);
    require(
        b.valueGroup == 32 || b.valueGroup == 64 || b.valueGroup == 128,
        "valueGroup=%d, expected 32, 64 or 128",
        b.valueGroup);
    require(
        b.maxSequences > 0 && b.maxSequences <= 1 << 20,
        "maxSequences=%d, expected 1 to 1048576",
        b.maxSequences);
    require(
        (b.capacityBytes > 0) != (b.capacityTokens > 0),
        "capacityBytes=%d, capacityTokens=%d, expected exactly one of them to be positive",
        b.capacityBytes,
        b.capacityTokens);
    require(b.firstSinkLayer >= 0, "firstSinkLayer=%d, expected 0 or more", b.firstSinkLayer);
    pageTokens = b.pageTokens;
    windowTokens = b.windowTokens;
    valueGroup = b.valueGroup;
    capacityBytes = b.capacityBytes;
    capacityTokens = b.capacityTokens;
    maxSequences = b.maxSequences;
    codec = b.codec;
    codecOfLayer = Map.copyOf(b.codecOfLayer);
    sinks = b.sinks;
    firstSinkLayer = b.firstSinkLayer;
    sinksOfLayer = Map.copyOf(b.sinksOfLayer);
  }

  /** A builder with the published setting; only a capacity has to be given. */
  public static Builder builder() {
    return new Builder();
  }

  /** Tokens of one page, the quantization group of the keys. */
  public int pageTokens() {
    return pageTokens;
  }

  /** Recent tokens that always stay in full precision. */
  public int windowTokens() {
    return windowTokens;
  }

  /** Channels of a value that share a scale, at most. */
  public int valueGroup() {
    return valueGroup;
  }

  /**
   * Bytes that everything the backend allocates may take, or 0 where the capacity is given in
   * tokens.
   */
  public long capacityBytes() {
    return capacityBytes;
  }

  /**
   * Tokens that each of {@link #maxSequences()} sequences must be able to hold, or 0 where the
   * capacity is given in bytes.
   */
  public int capacityTokens() {
    return capacityTokens;
  }

  /** Sequences that may be open at a time; each reserves its window and sink rows. */
  public int maxSequences() {
    return maxSequences;
  }

  /** Codec and sink policy of a layer. */
  public LayerSpec layer(int layer) {
    boolean tracked = sinksOfLayer.getOrDefault(layer, layer >= firstSinkLayer);
    return new LayerSpec(
        codecOfLayer.getOrDefault(layer, codec), tracked ? sinks : SinkPolicy.NONE);
  }

  /** Refuses settings of layers that a model does not have. */
  void requireLayersBelow(int numLayers) {
    for (Map<Integer, ?> settings : List.of(codecOfLayer, sinksOfLayer)) {
      for (int layer : settings.keySet()) {
        require(
            layer >= 0 && layer < numLayers,
            "a setting for layer=%d, expected 0 to %d",
            layer,
            numLayers - 1);
      }
    }
  }

  /** Collects the settings of a {@link KvCacheSpec}. */
  public static final class Builder {
    private int pageTokens = 128;
    private int windowTokens = 32;
    private int valueGroup = 128;
    private long capacityBytes;
    private int capacityTokens;
    private int maxSequences = 1;
    private KvCodec codec = KvCodec.INT2;
    private final Map<Integer, KvCodec> codecOfLayer = new HashMap<>();
    private SinkPolicy sinks = SinkPolicy.DEFAULT;
    private int firstSinkLayer = 2;
    private final Map<Integer, Boolean> sinksOfLayer = new HashMap<>();

    private Builder() {}

    /**
     * Tokens of one page: 32, 64 or 128. Smaller pages have more parameters to their codes, and on
     * a GPU take longer to attend to: in large batches, pages of 32 tokens nearly twice as long at
     * 2 bits, and a fifth longer at 4.
     */
    public Builder pageTokens(int tokens) {
      pageTokens = tokens;
      return this;
    }

    /** Recent tokens that always stay in full precision. */
    public Builder windowTokens(int tokens) {
      windowTokens = tokens;
      return this;
    }

    /**
     * Channels of a value that share a scale, at most: 32, 64 or 128. Below 128 the head dimension
     * must be a multiple of 32, and not every engine has it.
     */
    public Builder valueGroup(int channels) {
      valueGroup = channels;
      return this;
    }

    /** Total size of the cache in bytes, index tables included. */
    public Builder capacityBytes(long bytes) {
      capacityBytes = bytes;
      return this;
    }

    /** Size of the cache as tokens of each of {@link #maxSequences(int)} sequences. */
    public Builder capacityTokens(int tokensPerSequence) {
      capacityTokens = tokensPerSequence;
      return this;
    }

    /** Sequences that may be open at a time. */
    public Builder maxSequences(int sequences) {
      maxSequences = sequences;
      return this;
    }

    /** Codec of every layer that has none of its own. */
    public Builder codec(KvCodec value) {
      codec = value;
      return this;
    }

    /** Codec of one layer. */
    public Builder codec(int layer, KvCodec value) {
      codecOfLayer.put(layer, value);
      return this;
    }

    /** Sink policy of the tracked layers. */
    public Builder sinks(SinkPolicy policy) {
      sinks = policy;
      return this;
    }

    /** First layer that tracks sinks; the published setting is 2. */
    public Builder firstSinkLayer(int layer) {
      firstSinkLayer = layer;
      return this;
    }

    /** Switches tracking on or off for one layer. */
    public Builder sinks(int layer, boolean tracked) {
      sinksOfLayer.put(layer, tracked);
      return this;
    }

    /**
     * Checks the settings.
     *
     * @throws InvalidArgumentException naming the first value out of range
     */
    public KvCacheSpec build() {
      return new KvCacheSpec(this);
    }
  }
}
