package org.sinkq.cli.eval;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A small Llama with random weights and a vocabulary of the 256 bytes, as a GGUF file. Its keys
 * have a few small ones at the beginning of a text no more than anywhere else; it is made for
 * logic, not for accuracy.
 */
public final class TinyGguf {
  public static final int LAYERS = 3;
  public static final int CONTEXT = 1024;
  private static final int WIDTH = 64;
  private static final int INNER = 96;
  private static final int HEADS = 2;
  private static final int KV_HEADS = 1;
  private static final int HEAD_DIM = 64;
  private static final int VOCABULARY = 256;
  private static final int UINT32 = 4;
  private static final int FLOAT32 = 6;
  private static final int STRING = 8;
  private static final int ARRAY = 9;
  private static final int ALIGNMENT = 32;

  private final ByteArrayOutputStream entries = new ByteArrayOutputStream();
  private final ByteArrayOutputStream infos = new ByteArrayOutputStream();
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();
  private final SplittableRandom random;
  private int entryCount;
  private int tensorCount;

  private TinyGguf(long seed) {
    random = new SplittableRandom(seed);
  }

  /** Writes the model; the same seed gives the same bytes. */
  public static Path write(Path file, long seed) throws IOException {
    return Files.write(file, new TinyGguf(seed).bytes());
  }

  private byte[] bytes() {
    entry("general.architecture", STRING, text("llama"));
    entry("general.name", STRING, text("Tiny"));
    number("block_count", LAYERS);
    number("context_length", CONTEXT);
    number("embedding_length", WIDTH);
    number("feed_forward_length", INNER);
    number("attention.head_count", HEADS);
    number("attention.head_count_kv", KV_HEADS);
    number("attention.key_length", HEAD_DIM);
    entry("llama.attention.layer_norm_rms_epsilon", FLOAT32, ints(Float.floatToIntBits(1e-5f)));
    entry("tokenizer.ggml.model", STRING, text("gpt2"));
    entry("tokenizer.ggml.tokens", ARRAY, strings(tokens()));
    entry("tokenizer.ggml.merges", ARRAY, strings(List.of()));
    tensor("token_embd.weight", 1, WIDTH, VOCABULARY);
    for (int i = 0; i < LAYERS; i++) {
      String prefix = "blk." + i + ".";
      tensor(prefix + "attn_norm.weight", 1, WIDTH);
      matrix(prefix + "attn_q.weight", WIDTH, HEADS * HEAD_DIM);
      matrix(prefix + "attn_k.weight", WIDTH, KV_HEADS * HEAD_DIM);
      matrix(prefix + "attn_v.weight", WIDTH, KV_HEADS * HEAD_DIM);
      matrix(prefix + "attn_output.weight", HEADS * HEAD_DIM, WIDTH);
      tensor(prefix + "ffn_norm.weight", 1, WIDTH);
      matrix(prefix + "ffn_gate.weight", WIDTH, INNER);
      matrix(prefix + "ffn_up.weight", WIDTH, INNER);
      matrix(prefix + "ffn_down.weight", INNER, WIDTH);
    }
    tensor("output_norm.weight", 1, WIDTH);
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    file.writeBytes(ints(3));
    file.writeBytes(longs(tensorCount, entryCount));
    file.writeBytes(entries.toByteArray());
    file.writeBytes(infos.toByteArray());
    pad(file);
    file.writeBytes(data.toByteArray());
    return file.toByteArray();
  }

  /** Byte-level BPE writes each byte as one printable character. */
  private static List<String> tokens() {
    List<String> tokens = new ArrayList<>();
    char next = 256;
    for (int b = 0; b < VOCABULARY; b++) {
      boolean printable = (b > ' ' && b < 0x7F) || (b > 0xA0 && b != 0xAD);
      tokens.add(String.valueOf(printable ? (char) b : next++));
    }
    return tokens;
  }

  private void number(String key, int value) {
    entry("llama." + key, UINT32, ints(value));
  }

  private void entry(String key, int type, byte[] value) {
    entries.writeBytes(text(key));
    entries.writeBytes(ints(type));
    entries.writeBytes(value);
    entryCount++;
  }

  private void matrix(String name, int inputs, int outputs) {
    tensor(name, 2 / Math.sqrt(inputs), inputs, outputs);
  }

  private void tensor(String name, double range, int... shape) {
    infos.writeBytes(text(name));
    infos.writeBytes(ints(shape.length));
    int elements = 1;
    for (int extent : shape) {
      infos.writeBytes(longs(extent));
      elements *= extent;
    }
    infos.writeBytes(ints(0)); // F32
    infos.writeBytes(longs(data.size()));
    int[] bits = new int[elements];
    for (int i = 0; i < elements; i++) {
      bits[i] = Float.floatToIntBits((float) random.nextDouble(-range, range));
    }
    data.writeBytes(ints(bits));
    pad(data);
    tensorCount++;
  }

  private static void pad(ByteArrayOutputStream out) {
    out.writeBytes(new byte[(ALIGNMENT - out.size() % ALIGNMENT) % ALIGNMENT]);
  }

  private static byte[] text(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + utf8.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(utf8.length)
        .put(utf8)
        .array();
  }

  private static byte[] strings(List<String> values) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(ints(STRING));
    out.writeBytes(longs(values.size()));
    values.forEach(value -> out.writeBytes(text(value)));
    return out.toByteArray();
  }

  private static byte[] ints(int... values) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asIntBuffer().put(values);
    return buffer.array();
  }

  private static byte[] longs(long... values) {
    ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asLongBuffer().put(values);
    return buffer.array();
  }
}
