package org.sinkq.llm.gguf;

import static org.sinkq.llm.InvalidModelException.require;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import org.sinkq.llm.InvalidModelException;

/**
 * A GGUF file, mapped into memory. Opening checks everything but the weights themselves; tensors
 * are read-only views of the mapping and end with {@link #close()}. Thread-safe.
 */
public final class GgufFile implements AutoCloseable {
  private final Path path;
  private final Arena arena;
  private final GgufMetadata metadata;
  private final Map<String, GgufTensor> tensors;

  private GgufFile(Path path, Arena arena, MemorySegment bytes) {
    this.path = path;
    this.arena = arena;
    GgufParser.Contents contents = new GgufParser(path, bytes).parse();
    metadata = contents.metadata();
    tensors = contents.tensors();
  }

  /**
   * Maps and checks a file.
   *
   * @throws InvalidModelException if it cannot be read or is no GGUF file of a supported kind
   */
  public static GgufFile open(Path path) {
    Arena arena = Arena.ofShared();
    GgufFile opened = null;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      opened = new GgufFile(path, arena, bytes);
      return opened;
    } catch (NoSuchFileException e) {
      throw new InvalidModelException(path, "no such file, expected a GGUF file", e);
    } catch (IOException e) {
      throw new InvalidModelException(
          path, "cannot be read (" + e.getMessage() + "), expected a GGUF file", e);
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

  /** The key-value entries. */
  public GgufMetadata metadata() {
    return metadata;
  }

  /** Every tensor, in the order of the file. */
  public Collection<GgufTensor> tensors() {
    return Collections.unmodifiableCollection(tensors.values());
  }

  /**
   * A tensor by name.
   *
   * @throws InvalidModelException if there is none
   */
  public GgufTensor tensor(String name) {
    GgufTensor found = tensors.get(name);
    require(found != null, path, "tensor %s is missing, expected it in the file", name);
    return found;
  }

  /** A tensor by name, if present. */
  public Optional<GgufTensor> findTensor(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /** Ends the mapping. Does nothing the second time. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
