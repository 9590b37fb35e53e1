package org.sinkq.llm.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;

/** Writes safetensors files. */
public final class SafetensorsWriter {
  /** Data starts at a multiple of this, so that mapped tensors are aligned. */
  private static final int ALIGNMENT = 8;

  private static final int BUFFER_BYTES = 1 << 20;

  private SafetensorsWriter() {}

  /**
   * Writes a file. It appears under its name complete or not at all; one that exists is replaced.
   *
   * @param path where to; its folder must exist
   * @param tensors in the order in which their data is written
   * @throws IOException if it cannot be written; nothing is left behind
   */
  public static void write(Path path, List<Tensor> tensors) throws IOException {
    writeSources(path, tensors.stream().map(TensorSource::of).toList());
  }

  /**
   * Writes a file of tensors that are made one at a time, so that they need not be in memory
   * together. It appears under its name complete or not at all; one that exists is replaced.
   *
   * @param path where to; its folder must exist
   * @param tensors in the order in which they are made and written
   * @throws IOException if it cannot be written; nothing is left behind
   */
  public static void writeSources(Path path, List<TensorSource> tensors) throws IOException {
    Path target = path.toAbsolutePath();
    String hidden = "." + target.getFileName() + "." + ProcessHandle.current().pid() + ".partial";
    Path partial = target.resolveSibling(hidden);
    try {
      try (FileChannel channel =
          FileChannel.open(
              partial,
              StandardOpenOption.WRITE,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING)) {
        writeFully(channel, header(tensors));
        for (TensorSource tensor : tensors) {
          try (Arena arena = Arena.ofConfined()) {
            writeFully(channel, tensor.data().apply(arena));
          }
        }
        channel.force(true);
      }
      Files.move(
          partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(partial);
    }
  }

  /** Through a buffer, since the memory may be an array of any type or larger than 2 GiB. */
  private static void writeFully(FileChannel channel, MemorySegment data) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    for (long at = 0; at < data.byteSize(); at += BUFFER_BYTES) {
      long length = Math.min(BUFFER_BYTES, data.byteSize() - at);
      MemorySegment.copy(data, at, MemorySegment.ofBuffer(buffer.clear()), 0, length);
      writeFully(channel, buffer.limit((int) length));
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static ByteBuffer header(List<TensorSource> tensors) throws IOException {
    ByteArrayOutputStream json = new ByteArrayOutputStream();
    try (JsonGenerator out = new JsonFactory().createGenerator(json)) {
      out.writeStartObject();
      long at = 0;
      for (TensorSource tensor : tensors) {
        out.writeObjectFieldStart(tensor.name());
        out.writeStringField("dtype", tensor.dtype());
        out.writeFieldName("shape");
        long[] shape = tensor.shape().stream().mapToLong(Long::longValue).toArray();
        out.writeArray(shape, 0, shape.length);
        out.writeFieldName("data_offsets");
        out.writeArray(new long[] {at, at + tensor.byteSize()}, 0, 2);
        out.writeEndObject();
        at += tensor.byteSize();
      }
      out.writeEndObject();
    }
    byte[] text = json.toByteArray();
    int length = (text.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    byte[] padded = Arrays.copyOf(text, length);
    Arrays.fill(padded, text.length, length, " ".getBytes(StandardCharsets.US_ASCII)[0]);
    return ByteBuffer.allocate(SafetensorsFile.LENGTH_BYTES + length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(length)
        .put(padded)
        .flip();
  }
}
