package org.sinkq.llm.model;

import static org.sinkq.llm.InvalidModelException.require;

import java.nio.file.Path;
import java.util.List;
import org.sinkq.InvalidArgumentException;
import org.sinkq.ModelShape;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.LlamaSize;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.gguf.GgufMetadata;

/**
 * Sizes of a model, from the metadata of its file.
 *
 * @param architecture family member
 * @param shape attention geometry
 * @param width elements of a hidden row
 * @param feedForward inner elements of the feed-forward network
 * @param contextLength positions the model was made for
 * @param normEpsilon epsilon of every RMS norm
 * @param ropeDimensions leading elements of a head that RoPE turns
 * @param ropeBase base of the RoPE frequencies
 * @param ropeFactor positions are divided by this (linear scaling); 1 is none
 * @param slidingRopeBase base of the frequencies in layers with a sliding window, whose positions
 *     are not divided; 0 if they are like the others
 * @param embeddingScale factor on the embedding of a token
 */
public record ModelConfig(
    Architecture architecture,
    ModelShape shape,
    int width,
    int feedForward,
    int contextLength,
    float normEpsilon,
    int ropeDimensions,
    float ropeBase,
    float ropeFactor,
    float slidingRopeBase,
    float embeddingScale) {

  private static final int MAX_EXTENT = 1 << 20;
  private static final float LLAMA_EPSILON = 1e-5f;
  private static final float DEFAULT_ROPE_BASE = 10_000;

  /** Every so many layers of Gemma 3, the last one sees all tokens. */
  private static final int GEMMA3_PERIOD = 6;

  /** Layers of the Gemma 3 that scales its queries in another way. */
  private static final int GEMMA3_27B_LAYERS = 62;

  /** What a file may say that this forward pass does not do, with the only value it may have. */
  private static final List<String> MUST_BE_ABSENT =
      List.of(
          "expert_count",
          "attention.sliding_window_pattern",
          "attention.temperature_scale",
          "attn_logit_softcapping",
          "final_logit_softcapping");

  /**
   * Reads and checks the sizes.
   *
   * @throws InvalidModelException if the architecture is unknown or a size is missing or absurd
   */
  public static ModelConfig read(GgufFile file) {
    Path path = file.path();
    GgufMetadata metadata = file.metadata();
    String name = metadata.string("general.architecture");
    Architecture architecture =
        Architecture.find(name)
            .orElseThrow(
                () ->
                    new InvalidModelException(
                        path,
                        "general.architecture="
                            + name
                            + ", expected one of "
                            + Architecture.ids()));
    return new Reader(path, metadata, architecture).read();
  }

  /** A Llama without a file, with the usual constants. */
  static ModelConfig of(LlamaSize size) {
    return new ModelConfig(
        Architecture.LLAMA,
        size.shape(),
        size.width(),
        size.feedForward(),
        size.contextLength(),
        LLAMA_EPSILON,
        size.shape().headDim(),
        DEFAULT_ROPE_BASE,
        1,
        0,
        1);
  }

  private record Reader(Path path, GgufMetadata metadata, Architecture architecture) {
    ModelConfig read() {
      for (String key : MUST_BE_ABSENT) {
        require(
            metadata.findInteger(key(key)).orElse(0) == 0,
            path,
            "%s=%d, expected 0: not supported",
            key(key),
            metadata.findInteger(key(key)).orElse(0));
      }
      int width = size("embedding_length");
      int heads = size("attention.head_count");
      int headDim =
          metadata.has(key("attention.key_length")) ? size("attention.key_length") : width / heads;
      require(
          metadata.findInteger(key("attention.value_length")).orElse(headDim) == headDim,
          path,
          "%s=%d, expected the length of a key, %d",
          key("attention.value_length"),
          metadata.findInteger(key("attention.value_length")).orElse(headDim),
          headDim);
      int ropeDimensions = metadata.findInteger(key("rope.dimension_count")).orElse(headDim);
      require(
          ropeDimensions > 0 && ropeDimensions <= headDim && ropeDimensions % 2 == 0,
          path,
          "%s=%d, expected an even number up to the length of a head, %d",
          key("rope.dimension_count"),
          ropeDimensions,
          headDim);
      int contextLength = size("context_length");
      float epsilon = metadata.floating(key("attention.layer_norm_rms_epsilon"));
      require(
          epsilon >= 0 && epsilon < 1,
          path,
          "%s=%s, expected 0 to 1",
          key("attention.layer_norm_rms_epsilon"),
          epsilon);
      return new ModelConfig(
          architecture,
          shape(heads, headDim, contextLength),
          width,
          size("feed_forward_length"),
          contextLength,
          epsilon,
          ropeDimensions,
          ropeBase("rope.freq_base"),
          ropeFactor(),
          isGemma3() ? ropeBase("rope.freq_base_swa") : 0,
          isGemma3() ? (float) Math.sqrt(width) : 1);
    }

    private boolean isGemma3() {
      return architecture == Architecture.GEMMA3;
    }

    private String key(String suffix) {
      return architecture.id() + "." + suffix;
    }

    private int size(String suffix) {
      int size = metadata.integer(key(suffix));
      int limit = suffix.equals("context_length") ? Integer.MAX_VALUE : MAX_EXTENT;
      require(size > 0 && size <= limit, path, "%s=%d, expected 1 to %d", key(suffix), size, limit);
      return size;
    }

    private ModelShape shape(int heads, int headDim, int contextLength) {
      int kvHeads =
          metadata.has(key("attention.head_count_kv")) ? size("attention.head_count_kv") : heads;
      int layers = size("block_count");
      require(
          !isGemma3() || layers < GEMMA3_27B_LAYERS,
          path,
          "%s=%d, expected fewer than %d: not supported",
          key("block_count"),
          layers,
          GEMMA3_27B_LAYERS);
      int window = metadata.findInteger(key("attention.sliding_window")).orElse(0);
      try {
        // A window that reaches over the whole context hides nothing.
        return ModelShape.of(layers, heads, kvHeads, headDim)
            .withSlidingWindow(window >= contextLength ? 0 : window)
            .withSlidingPeriod(isGemma3() ? GEMMA3_PERIOD : 0);
      } catch (InvalidArgumentException e) {
        throw new InvalidModelException(path, "attention shape: " + e.getMessage(), e);
      }
    }

    private float ropeBase(String suffix) {
      float base = (float) metadata.findFloating(key(suffix)).orElse(DEFAULT_ROPE_BASE);
      require(
          base > 1 && Float.isFinite(base),
          path,
          "%s=%s, expected a number above 1",
          key(suffix),
          base);
      return base;
    }

    private float ropeFactor() {
      String type = metadata.findString(key("rope.scaling.type")).orElse("");
      String factorKey = key("rope.scaling.factor");
      if (type.isEmpty() && metadata.has(key("rope.scale_linear"))) {
        type = "linear";
        factorKey = key("rope.scale_linear");
      }
      return switch (type) {
        case "", "none" -> 1;
        case "linear" -> {
          float factor = (float) metadata.findFloating(factorKey).orElse(1);
          require(
              factor > 0 && Float.isFinite(factor),
              path,
              "%s=%s, expected a positive number",
              factorKey,
              factor);
          yield factor;
        }
        default ->
            throw new InvalidModelException(
                path,
                key("rope.scaling.type") + "=" + type + ", expected none or linear: not supported");
      };
    }
  }
}
