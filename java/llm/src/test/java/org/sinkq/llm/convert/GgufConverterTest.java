package org.sinkq.llm.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.InvalidArgumentException;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.TinyModel;
import org.sinkq.llm.safetensors.SafetensorsFile;
import org.sinkq.llm.safetensors.Tensor;

/** Folders written from small GGUF files. */
class GgufConverterTest {
  @TempDir Path temp;

  private Path convert(TinyModel model, WeightType type) throws IOException {
    Path folder = temp.resolve("a/folder");
    GgufConverter.convert(model.write(temp.resolve("m.gguf")), folder, type);
    return folder;
  }

  private static TinyModel llama() {
    return new TinyModel("llama", 3).withVocabulary("gpt2");
  }

  @Test
  void filesOfAFolder() throws IOException {
    Path folder = convert(llama(), WeightType.F16);
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(
          new TreeSet<>(
              List.of(
                  "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")),
          files
              .map(f -> f.getFileName().toString())
              .collect(Collectors.toCollection(TreeSet::new)));
    }
    // A head of 64 is not the width of 96 over 4 heads: of Jlama's classes, Mistral's takes it.
    assertEquals(
        """
        {
          "model_type" : "mistral",
          "architectures" : [ "MistralForCausalLM" ],
          "hidden_size" : 96,
          "intermediate_size" : 160,
          "num_hidden_layers" : 2,
          "num_attention_heads" : 4,
          "num_key_value_heads" : 2,
          "head_dim" : 64,
          "max_position_embeddings" : 300,
          "vocab_size" : 50,
          "rms_norm_eps" : 1.0E-5,
          "rope_theta" : 500.0,
          "hidden_act" : "silu",
          "tie_word_embeddings" : true,
          "bos_token_id" : 0,
          "eos_token_id" : 1,
          "torch_dtype" : "float16"
        }""",
        Files.readString(folder.resolve("config.json")));
    assertEquals(
        """
        {
          "tokenizer_class" : "PreTrainedTokenizerFast",
          "model_max_length" : 300,
          "bos_token" : "<|im_start|>",
          "eos_token" : "<|im_end|>",
          "chat_template" : "{{ messages[0]['content'] }}"
        }""",
        Files.readString(folder.resolve("tokenizer_config.json")));
  }

  @Test
  void vocabularyMergesAndPatterns() throws IOException {
    String json = Files.readString(convert(llama(), WeightType.F16).resolve("tokenizer.json"));
    for (String part :
        List.of(
            "\"added_tokens\":[{\"id\":0,\"content\":\"<|im_start|>\",\"single_word\":false,",
            "\"special\":true},{\"id\":1,",
            "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}\"},\"behavior\":\"Isolated\",",
            "\"type\":\"BPE\",",
            "\"ignore_merges\":false,",
            "\"vocab\":{\"<|im_start|>\":0,\"<|im_end|>\":1,\"a\":2,\"b\":3,\"ab\":4,\"\u0120\":5,",
            "\"merges\":[\"a b\"]}")) {
      assertTrue(json.contains(part), part + " in " + json);
    }
  }

  @Test
  void weightsKeepTheirValuesAndQAndKTheirPairs() throws IOException {
    TinyModel model = llama().withOutput();
    Path folder = convert(model, WeightType.F32);
    try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("model.safetensors"))) {
      assertEquals(2 * 9 + 3, file.tensors().size());
      Tensor up = file.tensor("model.layers.1.mlp.up_proj.weight");
      assertEquals(List.of(160L, 96L), up.shape());
      assertArrayEquals(model.values("blk.1.ffn_up.weight"), floats(up));
      assertArrayEquals(model.values("output.weight"), floats(file.tensor("lm_head.weight")));
      assertEquals(List.of(96L), file.tensor("model.norm.weight").shape());
      float[] from = model.values("blk.0.attn_k.weight");
      float[] to = floats(file.tensor("model.layers.0.self_attn.k_proj.weight"));
      int half = TinyModel.HEAD_DIM / 2;
      for (int head = 0; head < TinyModel.KV_HEADS; head++) {
        for (int pair = 0; pair < half; pair++) {
          int first = head * TinyModel.HEAD_DIM + 2 * pair;
          int turned = head * TinyModel.HEAD_DIM + pair;
          assertArrayEquals(row(from, first), row(to, turned));
          assertArrayEquals(row(from, first + 1), row(to, turned + half));
        }
      }
      assertArrayEquals(
          model.values("blk.0.attn_v.weight"),
          floats(file.tensor("model.layers.0.self_attn.v_proj.weight")));
    }
  }

  @Test
  void halfTypesRoundToNearest() throws IOException {
    TinyModel model = llama();
    float[] values = model.values("blk.0.ffn_up.weight");
    values[0] = 1 + 0x1p-9f;
    values[1] = 1 + 0x3p-9f;
    Path gguf = model.write(temp.resolve("m.gguf"));
    for (WeightType type : List.of(WeightType.F16, WeightType.BF16)) {
      Path folder = temp.resolve(type.name());
      GgufConverter.convert(gguf, folder, type);
      try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("model.safetensors"))) {
        assertEquals("F32", file.tensor("model.norm.weight").dtype());
        Tensor up = file.tensor("model.layers.0.mlp.up_proj.weight");
        assertEquals(type.name(), up.dtype());
        short[] bits = up.data().toArray(ValueLayout.JAVA_SHORT_UNALIGNED);
        if (type == WeightType.F16) {
          assertEquals(values[0], Float.float16ToFloat(bits[0]));
        } else {
          // Ties, to the even neighbour.
          assertEquals(1, Float.intBitsToFloat(bits[0] << 16));
          assertEquals(1 + 0x4p-9f, Float.intBitsToFloat(bits[1] << 16));
        }
      }
    }
  }

  private void assertRefused(String expected, TinyModel model, String name) {
    Path gguf = model.write(temp.resolve(name + ".gguf"));
    Path folder = temp.resolve(name);
    InvalidModelException e =
        assertThrows(
            InvalidModelException.class, () -> GgufConverter.convert(gguf, folder, WeightType.F16));
    assertEquals(gguf + ": " + expected, e.getMessage());
    assertFalse(Files.exists(folder), "nothing is written");
  }

  @Test
  void whatAFolderCannotSay() {
    assertRefused(
        "general.architecture=qwen3, expected llama or qwen2: Jlama has no other of this kind",
        new TinyModel("qwen3", 1).withHeadNorms().withVocabulary("gpt2"),
        "qwen3");
    assertRefused(
        "tensor rope_freqs.weight, expected none: Jlama scales no single frequencies",
        llama().withRopeFactors(),
        "factors");
    assertRefused(
        "attention.sliding_window=32, expected none: Jlama attends to the whole context",
        llama().uint32("attention.sliding_window", 32),
        "window");
    assertRefused(
        "rope.dimension_count=32, expected the length of a head, 64: Jlama turns whole heads",
        llama().uint32("rope.dimension_count", 32),
        "part");
    assertRefused(
        "tensors of biases in architecture llama, expected none: Jlama has them in qwen2 only",
        llama().withBiases(),
        "biases");
    assertRefused(
        "rope.scaling.factor=2.0, expected 1: Jlama scales positions of llama models only",
        llama().string("rope.scaling.type", "linear").float32("rope.scaling.factor", 2),
        "scaled");
    assertRefused(
        "attention.key_length=64, expected 24, the width over the heads",
        new TinyModel("qwen2", 3).withBiases().withVocabulary("gpt2"),
        "heads");
    assertRefused(
        "tokenizer.ggml.model=llama, expected gpt2: only byte-level BPE can be converted",
        new TinyModel("llama", 1).withVocabulary("llama"),
        "pieces");
  }

  @Test
  void aFileInTheWay() throws IOException {
    Path gguf = llama().write(temp.resolve("m.gguf"));
    Path file = Files.writeString(temp.resolve("file"), "x");
    assertEquals(
        "folder=" + file + ", expected a folder",
        assertThrows(
                InvalidArgumentException.class,
                () -> GgufConverter.convert(gguf, file, WeightType.F16))
            .getMessage());
  }

  private static float[] floats(Tensor tensor) {
    return tensor.data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
  }

  private static float[] row(float[] matrix, int row) {
    return Arrays.copyOfRange(matrix, row * TinyModel.WIDTH, (row + 1) * TinyModel.WIDTH);
  }
}
