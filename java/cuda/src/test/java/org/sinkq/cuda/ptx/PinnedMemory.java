package org.sinkq.cuda.ptx;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.TreeMap;

/** Page-locked host memory: copies of it are asynchronous, copies of other memory are not. */
final class PinnedMemory {
  private static final int ALIGNMENT = 256;

  private record Block(Arena arena, MemorySegment segment) {}

  private final TreeMap<Long, Block> blocks = new TreeMap<>();

  MemorySegment allocate(long bytes) {
    Arena arena = Arena.ofShared();
    MemorySegment segment = arena.allocate(bytes, ALIGNMENT);
    blocks.put(segment.address(), new Block(arena, segment));
    return segment;
  }

  /** Frees an allocation, or returns false where none begins with the segment. */
  boolean free(MemorySegment segment) {
    Block block = blocks.remove(segment.address());
    if (block == null) {
      return false;
    }
    block.arena.close();
    return true;
  }

  boolean holds(MemorySegment segment) {
    var below = blocks.floorEntry(segment.address());
    return below != null
        && segment.address() < below.getKey() + below.getValue().segment.byteSize();
  }

  void close() {
    blocks.values().forEach(block -> block.arena.close());
    blocks.clear();
  }
}
