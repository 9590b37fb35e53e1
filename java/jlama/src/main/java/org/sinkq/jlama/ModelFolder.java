package org.sinkq.jlama;

import static org.sinkq.InvalidArgumentException.require;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.model.ModelSupport.ModelType;
import com.github.tjake.jlama.model.llama.LlamaTokenizer;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.safetensors.tokenizer.Tokenizer;
import com.github.tjake.jlama.util.JsonSupport;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.sinkq.ModelShape;

/**
 * A model's folder, its configuration read and checked; the weights are not touched.
 *
 * @param path the folder
 * @param type the family
 * @param config Jlama's view of config.json
 */
record ModelFolder(File path, ModelType type, Config config) {
  /** Families whose attention differs from Llama's in nothing but biases of q, k and v. */
  private static final Set<ModelType> FAMILIES =
      EnumSet.of(ModelType.LLAMA, ModelType.MISTRAL, ModelType.QWEN2);

  /**
   * Reads config.json.
   *
   * @param model the folder or a file in it
   * @throws org.sinkq.InvalidArgumentException if it is no model's folder, or not of a family that
   *     is covered
   */
  static ModelFolder read(File model) {
    require(model.exists(), "model=%s, expected a folder that exists", model);
    File folder = model.isFile() ? model.getAbsoluteFile().getParentFile() : model;
    File file = new File(folder, "config.json");
    require(file.isFile(), "model=%s, expected a folder with config.json", model);
    try {
      JsonNode json = JsonSupport.om.readTree(file);
      String name = json.path("model_type").asText("");
      ModelType type =
          FAMILIES.stream().filter(t -> t.name().equalsIgnoreCase(name)).findFirst().orElse(null);
      require(type != null, "model_type=%s in %s, expected one of %s", name, file, families());
      return new ModelFolder(folder, type, JsonSupport.om.treeToValue(json, type.configClass));
    } catch (IOException e) {
      throw new UncheckedIOException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static String families() {
    return FAMILIES.stream()
        .map(t -> t.name().toLowerCase(Locale.ROOT))
        .collect(Collectors.joining(", "));
  }

  /**
   * The shape of the attention.
   *
   * @throws org.sinkq.InvalidArgumentException if it is sharded or not supported
   */
  ModelShape shape() {
    DistributedContext shards = config.dctx();
    require(
        !shards.hasModelShard() && shards.numberOfLayers == config.numberOfLayers,
        "a shard with heads %d to %d and layers %d to %d, expected all %d heads and %d layers:"
            + " distributed models are not supported",
        shards.headStart,
        shards.headEnd - 1,
        shards.layerStart,
        shards.layerEnd - 1,
        config.numberOfHeads,
        config.numberOfLayers);
    require(config.ropeFreqs.isPresent(), "no rope_theta, expected a model with RoPE");
    return ModelShape.of(
        config.numberOfLayers, config.numberOfHeads, config.numberOfKeyValueHeads, config.headSize);
  }

  /** Reads the tokenizer. */
  Tokenizer tokenizer() {
    return new LlamaTokenizer(path.toPath());
  }
}
