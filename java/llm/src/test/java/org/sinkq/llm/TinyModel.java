package org.sinkq.llm;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.sinkq.llm.gguf.GgufWriter;

/** A small model with random weights, as a file and as arrays. */
public final class TinyModel {
  public static final int LAYERS = 2;
  public static final int VOCABULARY = 50;
  public static final int WIDTH = 96;
  public static final int INNER = 160;
  public static final int HEADS = 4;
  public static final int KV_HEADS = 2;
  public static final int HEAD_DIM = 64;
  public static final int CONTEXT = 300;
  public static final float EPSILON = 1e-5f;
  public static final float ROPE_BASE = 500;

  /** Weights by tensor name. */
  final Map<String, float[]> tensors = new LinkedHashMap<>();

  final String architecture;
  int ropeDimensions = HEAD_DIM;
  float ropeFactor = 1;
  int slidingWindow;

  /** RoPE base where there is a sliding window. */
  float slidingRopeBase = ROPE_BASE;

  private final Map<String, long[]> shapes = new LinkedHashMap<>();
  private final GgufWriter writer = new GgufWriter();
  private final SplittableRandom random;

  /** A model with the tensors that every architecture has. */
  public TinyModel(String architecture, long seed) {
    this.architecture = architecture;
    random = new SplittableRandom(seed);
    writer.string("general.architecture", architecture);
    uint32("block_count", LAYERS);
    uint32("context_length", CONTEXT);
    uint32("embedding_length", WIDTH);
    uint32("feed_forward_length", INNER);
    uint32("attention.head_count", HEADS);
    uint32("attention.head_count_kv", KV_HEADS);
    uint32("attention.key_length", HEAD_DIM);
    float32("attention.layer_norm_rms_epsilon", EPSILON);
    float32("rope.freq_base", ROPE_BASE);
    tensor("token_embd.weight", 1, WIDTH, VOCABULARY);
    for (int i = 0; i < LAYERS; i++) {
      String prefix = "blk." + i + ".";
      norm(prefix + "attn_norm.weight", WIDTH);
      matrix(prefix + "attn_q.weight", WIDTH, HEADS * HEAD_DIM);
      matrix(prefix + "attn_k.weight", WIDTH, KV_HEADS * HEAD_DIM);
      matrix(prefix + "attn_v.weight", WIDTH, KV_HEADS * HEAD_DIM);
      matrix(prefix + "attn_output.weight", HEADS * HEAD_DIM, WIDTH);
      norm(prefix + "ffn_norm.weight", WIDTH);
      matrix(prefix + "ffn_gate.weight", WIDTH, INNER);
      matrix(prefix + "ffn_up.weight", WIDTH, INNER);
      matrix(prefix + "ffn_down.weight", INNER, WIDTH);
    }
    norm("output_norm.weight", WIDTH);
  }

  public TinyModel uint32(String key, int value) {
    writer.uint32(architecture + "." + key, value);
    return this;
  }

  public TinyModel float32(String key, float value) {
    writer.float32(architecture + "." + key, value);
    return this;
  }

  public TinyModel string(String key, String value) {
    writer.string(architecture + "." + key, value);
    return this;
  }

  /** Biases of q, k and v, as Qwen2 has. */
  public TinyModel withBiases() {
    for (int i = 0; i < LAYERS; i++) {
      tensor("blk." + i + ".attn_q.bias", 0.5, HEADS * HEAD_DIM);
      tensor("blk." + i + ".attn_k.bias", 0.5, KV_HEADS * HEAD_DIM);
      tensor("blk." + i + ".attn_v.bias", 0.5, KV_HEADS * HEAD_DIM);
    }
    return this;
  }

  /** Norms of q and k, as Qwen3 has. */
  public TinyModel withHeadNorms() {
    for (int i = 0; i < LAYERS; i++) {
      norm("blk." + i + ".attn_q_norm.weight", HEAD_DIM);
      norm("blk." + i + ".attn_k_norm.weight", HEAD_DIM);
    }
    return this;
  }

  /** Norms of what attention and feed-forward network add, as Gemma 3 has. */
  public TinyModel withPostNorms() {
    for (int i = 0; i < LAYERS; i++) {
      norm("blk." + i + ".post_attention_norm.weight", WIDTH);
      norm("blk." + i + ".post_ffw_norm.weight", WIDTH);
    }
    return this;
  }

  /** An output matrix of its own. */
  public TinyModel withOutput() {
    matrix("output.weight", WIDTH, VOCABULARY);
    return this;
  }

  /** Divisors of the RoPE frequencies, as Llama 3.1 has. */
  public TinyModel withRopeFactors() {
    norm("rope_freqs.weight", ropeDimensions / 2);
    return this;
  }

  /** A byte-level vocabulary: letters, one merge, the space, two control tokens, fillers. */
  public TinyModel withVocabulary(String kind) {
    List<String> tokens =
        new ArrayList<>(List.of("<|im_start|>", "<|im_end|>", "a", "b", "ab", "\u0120"));
    int[] types = new int[VOCABULARY];
    for (int id = 0; id < VOCABULARY; id++) {
      types[id] = id < 2 ? 3 : 1;
      if (id >= tokens.size()) {
        tokens.add("[" + id + "]");
      }
    }
    writer.string("tokenizer.ggml.model", kind);
    writer.string("tokenizer.ggml.pre", "smollm");
    writer.strings("tokenizer.ggml.tokens", tokens);
    writer.int32s("tokenizer.ggml.token_type", types);
    writer.strings("tokenizer.ggml.merges", List.of("a b"));
    writer.uint32("tokenizer.ggml.bos_token_id", 0);
    writer.uint32("tokenizer.ggml.eos_token_id", 1);
    writer.string("tokenizer.chat_template", "{{ messages[0]['content'] }}");
    return this;
  }

  /** The weights of a tensor. */
  public float[] values(String name) {
    return tensors.get(name);
  }

  /** Adds any tensor. */
  public TinyModel withTensor(String name, long... shape) {
    return tensor(name, 1, shape);
  }

  public TinyModel without(String name) {
    tensors.remove(name);
    return this;
  }

  private void norm(String name, int n) {
    tensor(name, 0.3, n);
    float[] values = tensors.get(name);
    for (int i = 0; i < n; i++) {
      values[i] += 1;
    }
  }

  private void matrix(String name, int inputs, int outputs) {
    tensor(name, 2 / Math.sqrt(inputs), inputs, outputs);
  }

  private TinyModel tensor(String name, double range, long... shape) {
    float[] values = new float[(int) LongStream.of(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-range, range);
    }
    tensors.put(name, values);
    shapes.put(name, shape);
    return this;
  }

  /** Writes the file. */
  public Path write(Path path) {
    tensors.forEach((name, values) -> writer.tensor(name, values, shapes.get(name)));
    return writer.write(path);
  }
}
