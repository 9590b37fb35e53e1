package org.sinkq.llm.safetensors;

import static org.sinkq.llm.safetensors.InvalidSafetensorsException.require;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.Map;

/** A safetensors file, mapped into memory; tensors are views that end with {@link #close()}. */
public final class SafetensorsFile implements AutoCloseable {
  static final int LENGTH_BYTES = Long.BYTES;

  /** As in the reference implementation: keeps a hostile file from costing memory. */
  static final long MAX_HEADER_BYTES = 100_000_000;

  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final Arena arena;
  private final Map<String, Tensor> tensors;

  private SafetensorsFile(Path path, Arena arena, MemorySegment bytes) {
    this.path = path;
    this.arena = arena;
    long size = bytes.byteSize();
    require(
        size >= LENGTH_BYTES + 2,
        path,
        "size=%d bytes, expected at least %d: a header length and a header",
        size,
        LENGTH_BYTES + 2);
    long header = bytes.get(LENGTH, 0);
    require(
        header >= 2 && header <= Math.min(size - LENGTH_BYTES, MAX_HEADER_BYTES),
        path,
        "header length=%s, expected 2 to %d; the file is truncated or not safetensors",
        Long.toUnsignedString(header),
        Math.min(size - LENGTH_BYTES, MAX_HEADER_BYTES));
    byte[] json = bytes.asSlice(LENGTH_BYTES, header).toArray(ValueLayout.JAVA_BYTE);
    tensors = new HeaderParser(path, bytes.asSlice(LENGTH_BYTES + header)).parse(json);
  }

  /**
   * Maps a file and checks its header.
   *
   * @throws InvalidSafetensorsException if it cannot be read, is truncated or contradicts itself
   */
  public static SafetensorsFile open(Path path) {
    Arena arena = Arena.ofShared();
    SafetensorsFile opened = null;
    try {
      require(!Files.isDirectory(path), path, "is a folder, expected a safetensors file");
      try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
        MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        opened = new SafetensorsFile(path, arena, bytes);
        return opened;
      }
    } catch (NoSuchFileException e) {
      throw new InvalidSafetensorsException(path, "no such file, expected a safetensors file", e);
    } catch (IOException e) {
      throw new InvalidSafetensorsException(
          path, "cannot be read (" + e.getMessage() + "), expected a safetensors file", e);
    } finally {
      if (opened == null) {
        arena.close();
      }
    }
  }

  /** Where it was opened from. */
  public Path path() {
    return path;
  }

  /** Tensors by name, in the order of the header. */
  public Map<String, Tensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /**
   * A tensor by name.
   *
   * @throws InvalidSafetensorsException if there is none; the message lists the names there are
   */
  public Tensor tensor(String name) {
    Tensor found = tensors.get(name);
    require(
        found != null, path, "tensor '%s' is missing, found %s", name, summary(tensors.keySet()));
    return found;
  }

  private static String summary(java.util.Set<String> names) {
    int shown = 8;
    String list = String.join(", ", names.stream().limit(shown).toList());
    return names.isEmpty()
        ? "none"
        : names.size() > shown ? list + " and " + (names.size() - shown) + " more" : list;
  }

  /** Ends the mapping. Does nothing the second time. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
