package org.sinkq.llm.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Writes small GGUF files for tests, byte for byte as the format has it. */
public final class GgufWriter {
  private static final int ALIGNMENT = 32;

  private record Tensor(String name, int type, long[] shape, byte[] data) {}

  private final ByteArrayOutputStream entries = new ByteArrayOutputStream();
  private final List<Tensor> tensors = new ArrayList<>();
  private int entryCount;
  private int version = 3;

  /** An empty file of version 3. */
  public GgufWriter() {}

  /** Writes another version number. */
  public GgufWriter version(int number) {
    version = number;
    return this;
  }

  public GgufWriter string(String key, String value) {
    return entry(key, 8, bytes(value));
  }

  public GgufWriter uint32(String key, int value) {
    return entry(key, 4, ints(value));
  }

  public GgufWriter float32(String key, float value) {
    return entry(key, 6, ints(Float.floatToRawIntBits(value)));
  }

  public GgufWriter bool(String key, boolean value) {
    return entry(key, 7, new byte[] {(byte) (value ? 1 : 0)});
  }

  public GgufWriter strings(String key, List<String> values) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    values.forEach(v -> out.writeBytes(bytes(v)));
    return entry(key, 9, arrayHeader(8, values.size()), out.toByteArray());
  }

  public GgufWriter int32s(String key, int... values) {
    return entry(key, 9, arrayHeader(5, values.length), ints(values));
  }

  public GgufWriter float32s(String key, float... values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return entry(key, 9, arrayHeader(6, values.length), ints(bits));
  }

  /** Writes an entry of any type from its bytes. */
  public GgufWriter entry(String key, int type, byte[]... value) {
    entries.writeBytes(bytes(key));
    entries.writeBytes(ints(type));
    for (byte[] part : value) {
      entries.writeBytes(part);
    }
    entryCount++;
    return this;
  }

  /** Adds a tensor of any type number from its bytes. */
  public GgufWriter tensor(String name, int type, long[] shape, byte[] data) {
    tensors.add(new Tensor(name, type, shape, data));
    return this;
  }

  public GgufWriter tensor(String name, float[] data, long... shape) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * data.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asFloatBuffer().put(data);
    return tensor(name, TensorType.F32.id(), shape, buffer.array());
  }

  public static byte[] bytes(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    return concat(longs(utf8.length), utf8);
  }

  public static byte[] ints(int... values) {
    ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asIntBuffer().put(values);
    return buffer.array();
  }

  public static byte[] longs(long... values) {
    ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asLongBuffer().put(values);
    return buffer.array();
  }

  private static byte[] arrayHeader(int type, long count) {
    return concat(ints(type), longs(count));
  }

  private static byte[] concat(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  /** The whole file. */
  public byte[] toBytes() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(ints(version));
    out.writeBytes(longs(tensors.size(), entryCount));
    out.writeBytes(entries.toByteArray());
    long offset = 0;
    for (Tensor tensor : tensors) {
      out.writeBytes(bytes(tensor.name()));
      out.writeBytes(ints(tensor.shape().length));
      out.writeBytes(longs(tensor.shape()));
      out.writeBytes(ints(tensor.type()));
      out.writeBytes(longs(offset));
      offset += padded(tensor.data().length);
    }
    pad(out);
    for (Tensor tensor : tensors) {
      out.writeBytes(tensor.data());
      pad(out);
    }
    return out.toByteArray();
  }

  /** Writes the whole file to a path. */
  public Path write(Path path) {
    try {
      return Files.write(path, toBytes());
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static long padded(long length) {
    return (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private static void pad(ByteArrayOutputStream out) {
    out.writeBytes(new byte[(int) (padded(out.size()) - out.size())]);
  }
}
