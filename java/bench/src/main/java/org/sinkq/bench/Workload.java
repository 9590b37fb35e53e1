package org.sinkq.bench;

import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;

/**
 * A model's attention geometry and how many tokens of it are cached.
 *
 * @param label how tables name it
 * @param shape attention geometry; its layers are all filled and all attended to in a step
 * @param tokens committed tokens of the sequence, at least one page and the window
 */
public record Workload(String label, ModelShape shape, int tokens) {
  /** The geometry of an 8B-class model. */
  public static Workload d128(int layers, int tokens) {
    return new Workload("D=128, 32/8 heads", ModelShape.of(layers, 32, 8, 128), tokens);
  }

  /** The geometry of SmolLM2-135M. */
  public static Workload d64(int layers, int tokens) {
    return new Workload("D=64, 9/3 heads", ModelShape.of(layers, 9, 3, 64), tokens);
  }

  /** How a cache is kept: the method, its ablation without sinks, and the dense baselines. */
  public enum Cache {
    /** Dense binary32. */
    FP32(KvCodec.FP32, false),
    /** Dense binary16. */
    FP16(KvCodec.FP16, false),
    /** 4 bits with sinks. */
    INT4(KvCodec.INT4, true),
    /** 2 bits without sinks. */
    KIVI2(KvCodec.INT2, false),
    /** 2 bits with sinks. */
    SINKQ2(KvCodec.INT2, true),
    /** 2-bit digits given out by channel, rotated values, sinks. */
    SINKQ2A(KvCodec.INT2_ADAPTIVE, true);

    private final KvCodec codec;
    private final boolean tracked;

    Cache(KvCodec codec, boolean tracked) {
      this.codec = codec;
      this.tracked = tracked;
    }

    /** Settings for {@code tokens} tokens of a sequence; every layer tracks sinks, if any does. */
    public KvCacheSpec spec(int tokens) {
      return KvCacheSpec.builder()
          .capacityTokens(tokens)
          .codec(codec)
          .sinks(tracked ? SinkPolicy.DEFAULT : SinkPolicy.NONE)
          .firstSinkLayer(0)
          .build();
    }
  }

  /** Tokens times layers times KV heads: what the times of a step are divided by. */
  public long units() {
    return (long) tokens * shape.numLayers() * shape.numKvHeads();
  }
}
