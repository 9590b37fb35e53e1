package org.sinkq.jlama;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.sinkq.llm.safetensors.SafetensorsWriter;
import org.sinkq.llm.safetensors.Tensor;

/** A folder of a small model with random weights: 2 layers, a token for every byte. */
public final class TinyFolder {
  static final int LAYERS = 2;
  public static final int CONTEXT = 600;
  static final int BOS = 256;
  static final int EOS = 257;
  private static final int WIDTH = 256;
  private static final int INNER = 512;
  private static final int HEADS = 4;
  private static final int HEAD_DIM = 64;
  private static final int VOCABULARY = 320;

  private final Path folder;
  private final SplittableRandom random;
  private final List<Tensor> tensors = new ArrayList<>();

  private TinyFolder(Path folder, long seed) {
    this.folder = folder;
    random = new SplittableRandom(seed);
  }

  /** Writes a model of a family; {@code kvHeads} is 4 for one without GQA. */
  public static Path write(Path folder, String family, int kvHeads, long seed) throws IOException {
    return new TinyFolder(folder, seed).write(family, kvHeads);
  }

  private Path write(String family, int kvHeads) throws IOException {
    Files.createDirectories(folder);
    matrix("model.embed_tokens.weight", VOCABULARY, WIDTH);
    for (int layer = 0; layer < LAYERS; layer++) {
      String base = "model.layers." + layer + ".";
      norm(base + "input_layernorm.weight", WIDTH);
      matrix(base + "self_attn.q_proj.weight", HEADS * HEAD_DIM, WIDTH);
      matrix(base + "self_attn.k_proj.weight", kvHeads * HEAD_DIM, WIDTH);
      matrix(base + "self_attn.v_proj.weight", kvHeads * HEAD_DIM, WIDTH);
      if (family.equals("qwen2")) {
        norm(base + "self_attn.q_proj.bias", HEADS * HEAD_DIM);
        norm(base + "self_attn.k_proj.bias", kvHeads * HEAD_DIM);
        norm(base + "self_attn.v_proj.bias", kvHeads * HEAD_DIM);
      }
      matrix(base + "self_attn.o_proj.weight", WIDTH, HEADS * HEAD_DIM);
      norm(base + "post_attention_layernorm.weight", WIDTH);
      matrix(base + "mlp.gate_proj.weight", INNER, WIDTH);
      matrix(base + "mlp.up_proj.weight", INNER, WIDTH);
      matrix(base + "mlp.down_proj.weight", WIDTH, INNER);
    }
    norm("model.norm.weight", WIDTH);
    SafetensorsWriter.write(folder.resolve("model.safetensors"), tensors);
    Files.writeString(folder.resolve("config.json"), config(family, kvHeads));
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer());
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        """
        {"eos_token": "<eos>", "chat_template": "{% for m in messages %}{{ m['role'] }}: \
        {{ m['content'] }}\\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"}
        """);
    return folder;
  }

  private static String config(String family, int kvHeads) {
    return """
        {"model_type": "%s", "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d,
         "num_attention_heads": %d, "num_key_value_heads": %d, "max_position_embeddings": %d,
         "vocab_size": %d, "rms_norm_eps": 1e-5, "rope_theta": 500, "hidden_act": "silu",
         "bos_token_id": %d, "eos_token_id": %d}
        """
        .formatted(family, WIDTH, INNER, LAYERS, HEADS, kvHeads, CONTEXT, VOCABULARY, BOS, EOS);
  }

  /** Every byte is one token, written as GPT-2 does. */
  private static String tokenizer() {
    int[] other = {256};
    String vocabulary =
        IntStream.range(0, 256)
            .mapToObj(
                b -> {
                  boolean printable = (b > ' ' && b < 0x7F) || (b > 0xA0 && b != 0xAD);
                  return "\"\\u%04x\": %d".formatted(printable ? b : other[0]++, b);
                })
            .collect(Collectors.joining(", "));
    String unused =
        IntStream.range(EOS + 1, VOCABULARY)
            .mapToObj(i -> ", \"[%d]\": %d".formatted(i, i))
            .collect(Collectors.joining());
    return """
        {"added_tokens": [{"id": 256, "content": "<bos>", "special": true},
                          {"id": 257, "content": "<eos>", "special": true}],
         "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}]},
         "model": {"type": "BPE", "vocab": {%s%s}, "merges": []}}
        """
        .formatted(vocabulary, unused);
  }

  private void matrix(String name, int rows, int columns) {
    tensor(name, 2 / Math.sqrt(columns), 0, rows, columns);
  }

  private void norm(String name, int length) {
    tensor(name, 0.3, 1, length);
  }

  private void tensor(String name, double range, double middle, long... shape) {
    float[] values = new float[(int) LongStream.of(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (middle + random.nextDouble(-range, range));
    }
    tensors.add(Tensor.of(name, "F32", MemorySegment.ofArray(values), shape));
  }
}
