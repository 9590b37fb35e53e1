package org.sinkq.llm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.llm.gguf.GgufWriter;

/** Sound files that hold no model this host can run. */
class InvalidModelTest {
  @TempDir Path folder;

  private void assertRefused(String expected, Path file) {
    assertEquals(
        file + ": " + expected,
        assertThrows(InvalidModelException.class, () -> LanguageModel.open(file, 1)).getMessage());
  }

  private void assertRefused(String expected, TinyModel model) {
    assertRefused(expected, model.write(folder.resolve("m.gguf")));
  }

  @Test
  void unknownArchitecture() {
    assertRefused(
        "general.architecture=gpt2, expected one of llama, qwen2, qwen3, gemma3",
        new TinyModel("gpt2", 1));
    assertRefused(
        "general.architecture is missing, expected it in the metadata",
        new GgufWriter().write(folder.resolve("m.gguf")));
  }

  @Test
  void missingSizes() {
    assertRefused(
        "llama.embedding_length is missing, expected it in the metadata",
        new GgufWriter().string("general.architecture", "llama").write(folder.resolve("m.gguf")));
  }

  @Test
  void absurdSizes() {
    assertRefused(
        "llama.embedding_length=-1, expected 1 to 1048576",
        new GgufWriter()
            .string("general.architecture", "llama")
            .entry("llama.embedding_length", 5, GgufWriter.ints(-1))
            .write(folder.resolve("m.gguf")));
    assertRefused(
        "llama.attention.value_length=32, expected the length of a key, 64",
        new TinyModel("llama", 1).uint32("attention.value_length", 32));
    assertRefused(
        "llama.rope.dimension_count=66, expected an even number up to the length of a head, 64",
        new TinyModel("llama", 1).uint32("rope.dimension_count", 66));
  }

  @Test
  void aHeadLengthWithoutKernels() {
    assertRefused(
        "attention shape: headDim=48, expected one of 64, 80, 96, 128, 192, 256",
        new GgufWriter()
            .string("general.architecture", "llama")
            .uint32("llama.block_count", 1)
            .uint32("llama.context_length", 128)
            .uint32("llama.embedding_length", 96)
            .uint32("llama.attention.head_count", 2)
            .float32("llama.attention.layer_norm_rms_epsilon", 1e-5f)
            .write(folder.resolve("m.gguf")));
  }

  @Test
  void partsThatAreNotSupported() {
    assertRefused(
        "llama.expert_count=8, expected 0: not supported",
        new TinyModel("llama", 1).uint32("expert_count", 8));
    assertRefused(
        "qwen2.rope.scaling.type=yarn, expected none or linear: not supported",
        new TinyModel("qwen2", 1).string("rope.scaling.type", "yarn"));
    assertRefused(
        "llama.rope.scaling.factor=0.0, expected a positive number",
        new TinyModel("llama", 1)
            .string("rope.scaling.type", "linear")
            .float32("rope.scaling.factor", 0));
  }

  @Test
  void tensorsThatDoNotFit() {
    assertRefused(
        "tensor blk.1.ffn_up.weight is missing, expected it in the file",
        new TinyModel("llama", 1).without("blk.1.ffn_up.weight"));
    assertRefused(
        "tensor output.weight: shape [64, 50], expected [96, 50]",
        new TinyModel("llama", 1).withTensor("output.weight", 64, 50));
    assertRefused(
        "tensor blk.0.attn_sub_norm.weight is not known, expected only those of architecture llama",
        new TinyModel("llama", 1).withTensor("blk.0.attn_sub_norm.weight", 64));
    assertRefused(
        "tensor blk.0.attn_q_norm.weight is missing, expected it in the file",
        new TinyModel("qwen3", 1));
  }
}
