package org.sinkq.jlama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import com.github.tjake.jlama.model.AbstractModel.InferenceType;
import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.WeightLoader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;

/** What is refused when a model is opened, before its weights are touched. */
class RefusalTest {
  @TempDir Path temp;

  private Path folder;

  @BeforeEach
  void write() throws IOException {
    folder = TinyFolder.write(temp.resolve("tiny"), "llama", 2, 1);
  }

  private void assertRefused(String message, SinkqModelBuilder builder) {
    builder.weights(
        file -> {
          return fail("weights of " + file + " are read");
        });
    assertEquals(message, assertThrows(InvalidArgumentException.class, builder::load).getMessage());
  }

  private SinkqModelBuilder builder() {
    return SinkqModelSupport.builder(folder.toFile());
  }

  @Test
  void families() throws IOException {
    Path config = folder.resolve("config.json");
    String text = Files.readString(config);
    for (String family : new String[] {"gemma2", "gpt2", "mixtral", "unheard-of"}) {
      Files.writeString(config, text.replace("\"llama\"", '"' + family + '"'));
      assertRefused(
          "model_type=" + family + " in " + config + ", expected one of mistral, llama, qwen2",
          builder());
    }
    Files.writeString(config, "{}");
    assertRefused(
        "model_type= in " + config + ", expected one of mistral, llama, qwen2", builder());
    Files.writeString(config, text.replace("\"hidden_size\": 256", "\"hidden_size\": 288"));
    assertRefused("headDim=72, expected one of 64, 80, 96, 128, 192, 256", builder());
  }

  @Test
  void shards() {
    Function<File, WeightLoader> weights = file -> fail("weights of " + file + " are read");
    Function<Config, DistributedContext> half =
        c -> DistributedContext.builder(c).setModelShard(1).setNumModelShards(2).build();
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class,
            () ->
                SinkqModelSupport.loadModel(
                    InferenceType.FULL_GENERATION,
                    folder.toFile(),
                    null,
                    DType.F32,
                    DType.I8,
                    Optional.empty(),
                    Optional.empty(),
                    Optional.of(half),
                    weights));
    assertEquals(
        "a shard with heads 2 to 3 and layers 0 to 1, expected all 4 heads and 2 layers:"
            + " distributed models are not supported",
        e.getMessage());
    assertRefused(
        "a shard with heads 0 to 3 and layers 1 to 1, expected all 4 heads and 2 layers:"
            + " distributed models are not supported",
        builder()
            .distributed(
                c -> DistributedContext.builder(c).setLayerShard(1).setNumLayerShards(2).build()));
  }

  @Test
  void settings() {
    assertRefused(
        "capacityTokens=601, expected at most 600, the model's context",
        builder().cache(KvCacheSpec.builder().capacityTokens(601).build()));
    assertRefused(
        "inferenceType=FULL_EMBEDDING, expected FULL_GENERATION",
        builder().inferenceType(InferenceType.FULL_EMBEDDING));
    assertRefused(
        "workingType=I8, expected F32 or BF16", builder().workingTypes(DType.I8, DType.I8));
    assertRefused("idleSessions=-1, expected 0 or more", builder().idleSessions(-1));
    int processors = Runtime.getRuntime().availableProcessors();
    assertRefused(
        "threads="
            + (processors + 1)
            + ", expected 0 (the default) to "
            + processors
            + ", the processors here",
        builder().threads(processors + 1));
    assertRefused("engine=abacus, expected auto or one of [cpu]", builder().engine("abacus"));
  }

  @Test
  void folders() throws IOException {
    Path missing = temp.resolve("missing");
    assertRefused(
        "model=" + missing + ", expected a folder that exists",
        SinkqModelSupport.builder(missing.toFile()));
    Path empty = Files.createDirectory(temp.resolve("empty"));
    assertRefused(
        "model=" + empty + ", expected a folder with config.json",
        SinkqModelSupport.builder(empty.toFile()));
  }
}
