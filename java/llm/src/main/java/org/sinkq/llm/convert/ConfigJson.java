package org.sinkq.llm.convert;

import static org.sinkq.llm.InvalidModelException.require;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.sinkq.ModelShape;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.model.ModelConfig;
import org.sinkq.llm.text.Tokenizer;

/** A model's sizes as config.json has them. */
final class ConfigJson {
  private static final Set<String> ARCHITECTURES = Set.of("llama", "qwen2");

  private ConfigJson() {}

  /**
   * The bytes of config.json.
   *
   * @throws org.sinkq.llm.InvalidModelException if it has no words for something of the model
   */
  static byte[] of(LanguageModel model, ModelConfig config, WeightType type) throws IOException {
    check(model, config);
    ModelShape shape = config.shape();
    String modelType = modelType(model, config);
    Tokenizer tokenizer = Tokenizer.of(model.file());
    int[] ends = tokenizer.endOfGeneration().stream().mapToInt(i -> i).sorted().toArray();
    int eos = tokenizer.eos().orElseGet(() -> IntStream.of(ends).findFirst().orElse(0));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = new JsonFactory().createGenerator(bytes).useDefaultPrettyPrinter()) {
      out.writeStartObject();
      out.writeStringField("model_type", modelType);
      out.writeArrayFieldStart("architectures");
      out.writeString(
          modelType.substring(0, 1).toUpperCase(Locale.ROOT)
              + modelType.substring(1)
              + "ForCausalLM");
      out.writeEndArray();
      out.writeNumberField("hidden_size", config.width());
      out.writeNumberField("intermediate_size", config.feedForward());
      out.writeNumberField("num_hidden_layers", shape.numLayers());
      out.writeNumberField("num_attention_heads", shape.numQoHeads());
      out.writeNumberField("num_key_value_heads", shape.numKvHeads());
      out.writeNumberField("head_dim", shape.headDim());
      out.writeNumberField("max_position_embeddings", config.contextLength());
      out.writeNumberField("vocab_size", model.info().vocabularySize());
      out.writeNumberField("rms_norm_eps", config.normEpsilon());
      out.writeNumberField("rope_theta", config.ropeBase());
      if (config.ropeFactor() != 1) {
        out.writeObjectFieldStart("rope_scaling");
        out.writeStringField("rope_type", "linear");
        out.writeNumberField("factor", config.ropeFactor());
        out.writeEndObject();
      }
      out.writeStringField("hidden_act", "silu");
      out.writeBooleanField(
          "tie_word_embeddings", model.file().findTensor("output.weight").isEmpty());
      out.writeNumberField("bos_token_id", tokenizer.bos().orElse(eos));
      // Jlama takes a list for llama only.
      if (modelType.equals("llama") && ends.length > 1) {
        out.writeFieldName("eos_token_id");
        out.writeArray(ends, 0, ends.length);
      } else {
        out.writeNumberField("eos_token_id", eos);
      }
      out.writeStringField("torch_dtype", torchType(type));
      out.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private static void check(LanguageModel model, ModelConfig config) {
    Path path = model.file().path();
    String architecture = model.info().architecture();
    require(
        ARCHITECTURES.contains(architecture),
        path,
        "general.architecture=%s, expected llama or qwen2: Jlama has no other of this kind",
        architecture);
    require(
        config.ropeDimensions() == config.shape().headDim(),
        path,
        "rope.dimension_count=%d, expected the length of a head, %d: Jlama turns whole heads",
        config.ropeDimensions(),
        config.shape().headDim());
    require(
        config.embeddingScale() == 1,
        path,
        "general.architecture=%s, expected one without scaled embeddings: not converted",
        model.info().architecture());
    require(
        config.shape().slidingWindow() == 0,
        path,
        "attention.sliding_window=%d, expected none: Jlama attends to the whole context",
        config.shape().slidingWindow());
    require(
        model.file().findTensor("rope_freqs.weight").isEmpty(),
        path,
        "tensor rope_freqs.weight, expected none: Jlama scales no single frequencies");
    require(
        config.ropeFactor() == 1 || modelType(model, config).equals("llama"),
        path,
        "rope.scaling.factor=%s, expected 1: Jlama scales positions of llama models only",
        config.ropeFactor());
    boolean biased = model.file().tensors().stream().anyMatch(t -> t.name().endsWith(".bias"));
    require(
        !biased || architecture.equals("qwen2"),
        path,
        "tensors of biases in architecture %s, expected none: Jlama has them in qwen2 only",
        architecture);
  }

  /** Llama's class in Jlama derives the head's length; Mistral's, the same otherwise, takes it. */
  private static String modelType(LanguageModel model, ModelConfig config) {
    ModelShape shape = config.shape();
    boolean usual = shape.headDim() * shape.numQoHeads() == config.width();
    String architecture = model.info().architecture();
    require(
        usual || architecture.equals("llama"),
        model.file().path(),
        "attention.key_length=%d, expected %d, the width over the heads",
        shape.headDim(),
        config.width() / shape.numQoHeads());
    return usual ? architecture : "mistral";
  }

  private static String torchType(WeightType type) {
    return switch (type) {
      case F32 -> "float32";
      case F16 -> "float16";
      case BF16 -> "bfloat16";
    };
  }
}
