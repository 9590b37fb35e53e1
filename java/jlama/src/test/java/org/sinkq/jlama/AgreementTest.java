package org.sinkq.jlama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;

/** With dense pages the hidden states are Jlama's own. */
class AgreementTest {
  private static final double TOLERANCE = 1e-3;

  @TempDir Path temp;

  @ParameterizedTest
  @CsvSource({
    "llama, 2, F32",
    "llama, 4, F32",
    "llama, 1, Q4",
    "mistral, 2, F32",
    "qwen2, 2, F32",
    "qwen2, 2, Q4"
  })
  void hiddenStatesAreJlamas(String family, int kvHeads, DType stored) throws IOException {
    long seed = 42;
    File folder = write(family, kvHeads, stored, seed);
    int[] tokens = new SplittableRandom(seed).ints(450, 0, 256).toArray();
    KvCacheSpec dense = KvCacheSpec.builder().capacityTokens(512).codec(KvCodec.FP16).build();
    try (AbstractModel stock = ModelSupport.loadModel(folder, DType.F32, DType.I8);
        SinkqModel ours = SinkqModelSupport.builder(folder).cache(dense).load()) {
      float[][] expected = HiddenStates.of(stock, tokens, 400);
      float[][] actual = HiddenStates.of(ours, tokens, 400);
      assertEquals(400 - 256 + 50, actual.length);
      double error = HiddenStates.error(actual, expected).worst();
      assertTrue(error <= TOLERANCE, family + ": relative error " + error);
      assertEquals(0, ours.stats().sequences());
      assertEquals(0, ours.stats().pages());
      assertEquals(stock.getModelType(), ours.getModelType());
    }
  }

  /** Quantized models are made by Jlama itself. */
  private File write(String family, int kvHeads, DType stored, long seed) throws IOException {
    Path full = TinyFolder.write(temp.resolve("full"), family, kvHeads, seed);
    if (stored == DType.F32) {
      return full.toFile();
    }
    Files.writeString(full.resolve("README.md"), "");
    return SafeTensorSupport.quantizeModel(
            full, stored, new String[] {"embed_tokens"}, null, Optional.of(temp.resolve("small")))
        .toFile();
  }
}
