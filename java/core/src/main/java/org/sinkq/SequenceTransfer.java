package org.sinkq;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.PageFormat;
import org.sinkq.engine.RowOrder;
import org.sinkq.layout.CacheGeometry;
import org.sinkq.saved.SavedHeader;
import org.sinkq.saved.SavedInput;
import org.sinkq.saved.SavedOutput;

/**
 * Sequences out of a backend and back; {@link org.sinkq.saved} has the bytes. The sequence belongs
 * to the transfer as it would to an open plan, so the locks are held only while the engine copies a
 * few megabytes, not while the channel is slow.
 */
final class SequenceTransfer {
  /** Pages are copied in pieces of about this size. */
  private static final long PIECE_BYTES = 8 << 20;

  private final EngineBackend backend;
  private final CacheGeometry geometry;
  private final PageFormat format;

  SequenceTransfer(EngineBackend backend, PageFormat format) {
    this.backend = backend;
    this.format = format;
    geometry = backend.geometry();
  }

  void save(EngineSequence sequence, WritableByteChannel channel) throws IOException {
    SequenceState state = backend.claim(sequence);
    try (Arena arena = Arena.ofShared()) {
      SavedOutput out = new SavedOutput(channel);
      new SavedHeader(state.length(), state.pageCount(), format.name()).write(geometry, out);
      ByteBuffer sinks = sinkBytes();
      for (int h = 0; h < state.sinks().heads(); h++) {
        state.sinks().write(h, sinks);
      }
      out.write(sinks.clear());
      out.checksum();
      MemorySegment buffer = arena.allocate(bufferBytes(state, format), Long.BYTES);
      for (int layer = 0; layer < geometry.shape().numLayers(); layer++) {
        save(layer, state, buffer, out);
      }
    } finally {
      backend.indices().unclaim(sequence);
    }
  }

  private void save(int layer, SequenceState state, MemorySegment buffer, SavedOutput out)
      throws IOException {
    MemorySegment rows = buffer.asSlice(0, RowOrder.bytes(geometry, layer, state));
    onEngine(() -> backend.bytes().readRows(layer, state, rows));
    out.write(rows);
    int piece = pagesOfPiece(layer, format);
    for (int first = 0; first < state.pageCount(); first += piece) {
      int[] pages = pages(state, first, Math.min(state.pageCount(), first + piece));
      MemorySegment bytes = buffer.asSlice(0, pages.length * pageBytes(layer, format));
      onEngine(() -> backend.bytes().readPages(layer, pages, bytes));
      out.write(bytes);
    }
    out.checksum();
  }

  KvSequence restore(ReadableByteChannel channel) throws IOException {
    SavedInput in = new SavedInput(channel);
    SavedHeader header = SavedHeader.read(geometry, in);
    PageFormat source =
        header.pageFormat().equals(format.name()) ? format : foreign(header.pageFormat());
    SequenceState state = backend.indices().reserve(header.length(), header.pages());
    boolean done = false;
    try (Arena arena = Arena.ofShared()) {
      readSinks(state, in);
      MemorySegment buffer = arena.allocate(bufferBytes(state, source), Long.BYTES);
      MemorySegment own =
          source == format ? buffer : arena.allocate(bufferBytes(state, format), Long.BYTES);
      for (int layer = 0; layer < geometry.shape().numLayers(); layer++) {
        restore(layer, state, source, buffer, own, in);
      }
      done = true;
    } finally {
      if (!done) {
        backend.indices().abandon(state);
      }
    }
    return backend.indices().adopt(state);
  }

  private PageFormat foreign(String name) {
    return AttentionBackends.pageFormat(name, geometry)
        .orElseThrow(
            () ->
                new InvalidArgumentException(
                    "page format=%s of a saved sequence, expected %s, or beside it the module of an engine that writes the former"
                        .formatted(name, format.name())));
  }

  private void readSinks(SequenceState state, SavedInput in) throws IOException {
    SinkTable table = state.sinks();
    ByteBuffer bytes = sinkBytes();
    in.read(MemorySegment.ofBuffer(bytes), "the sink table");
    in.checksum("the sink table");
    for (int h = 0; h < table.heads(); h++) {
      table.read(h, bytes);
    }
    table.requireConsistent(state.flushedTokens());
    int[] pages = pages(state, 0, state.pageCount());
    onEngine(
        () -> {
          for (int h = 0; h < table.heads(); h++) {
            backend.masks().derive(h, 0, pages, table);
          }
        });
  }

  private void restore(
      int layer,
      SequenceState state,
      PageFormat source,
      MemorySegment buffer,
      MemorySegment own,
      SavedInput in)
      throws IOException {
    String section = "layer " + layer;
    MemorySegment rows = buffer.asSlice(0, RowOrder.bytes(geometry, layer, state));
    in.read(rows, section);
    onEngine(() -> backend.bytes().writeRows(layer, state, rows));
    int piece = pagesOfPiece(layer, source);
    for (int first = 0; first < state.pageCount(); first += piece) {
      int[] pages = pages(state, first, Math.min(state.pageCount(), first + piece));
      MemorySegment read = buffer.asSlice(0, pages.length * pageBytes(layer, source));
      in.read(read, section);
      MemorySegment bytes = own.asSlice(0, pages.length * pageBytes(layer, format));
      if (source != format) {
        convert(layer, pages, source, read, bytes);
      }
      onEngine(() -> backend.bytes().writePages(layer, pages, bytes));
    }
    in.checksum(section);
  }

  /** From another engine's byte order to this one's. */
  private void convert(
      int layer, int[] pages, PageFormat source, MemorySegment from, MemorySegment to) {
    int heads = geometry.shape().numKvHeads();
    boolean[] masked = new boolean[geometry.pageTokens()];
    for (int i = 0; i < pages.length * heads; i++) {
      int tracked = geometry.trackedHead(layer, i % heads);
      for (int t = 0; t < masked.length; t++) {
        masked[t] = tracked >= 0 && backend.masks().get(tracked, pages[i / heads], t);
      }
      long at = (long) i * source.pageBytes(layer);
      format.write(
          layer,
          source.read(layer, from.asSlice(at, source.pageBytes(layer))),
          masked,
          to.asSlice((long) i * format.pageBytes(layer), format.pageBytes(layer)));
    }
  }

  private void onEngine(Runnable work) {
    backend.engineLock.lock();
    try {
      work.run();
    } finally {
      backend.engineLock.unlock();
    }
  }

  private ByteBuffer sinkBytes() {
    int bytes = geometry.trackedHeads() * SinkTable.imageLength(geometry.sinks().slots());
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private long pageBytes(int layer, PageFormat of) {
    return (long) geometry.shape().numKvHeads() * of.pageBytes(layer);
  }

  private int pagesOfPiece(int layer, PageFormat of) {
    return (int) Math.max(1, PIECE_BYTES / pageBytes(layer, of));
  }

  /** Room for the rows of any layer and for a piece of its pages; pieces are those of the file. */
  private long bufferBytes(SequenceState state, PageFormat of) {
    long most = 1;
    for (int layer = 0; layer < geometry.shape().numLayers(); layer++) {
      most = Math.max(most, RowOrder.bytes(geometry, layer, state));
      most = Math.max(most, pagesOfPiece(layer, of) * pageBytes(layer, of));
    }
    return most;
  }

  private static int[] pages(SequenceState state, int first, int end) {
    int[] pages = new int[end - first];
    for (int i = 0; i < pages.length; i++) {
      pages[i] = state.page(first + i);
    }
    return pages;
  }
}
