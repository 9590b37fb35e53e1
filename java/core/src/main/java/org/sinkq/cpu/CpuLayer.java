package org.sinkq.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.sinkq.engine.CacheMemory;
import org.sinkq.layout.CacheGeometry;

/**
 * Memory of one layer: its pages [head][page] and its dense rows. A sequence's pages are often
 * neighbours; this way, the bytes that a head reads are too.
 */
final class CpuLayer {
  final int index;
  final CpuLayout layout;
  final DenseBlocks blocks;
  final MemorySegment pages;
  final DenseRows rows;
  private final int pageCount;
  private final int heads;

  CpuLayer(Arena arena, CacheMemory memory, int index) {
    CacheGeometry geometry = memory.geometry();
    this.index = index;
    pageCount = memory.pages();
    heads = geometry.shape().numKvHeads();
    layout = new CpuLayout(geometry, index);
    blocks = new DenseBlocks(layout);
    pages =
        arena.allocate((long) pageCount * heads * layout.pageLength, CpuLayout.CODE_BLOCK_LENGTH);
    rows = new DenseRows(arena, geometry, index, layout, memory.sequences());
  }

  /** Copies pages out or in, [pages][KV head]. */
  void copyPages(int[] ids, MemorySegment outside, boolean out) {
    long at = 0;
    for (int id : ids) {
      for (int head = 0; head < heads; head++) {
        if (out) {
          MemorySegment.copy(pages, page(id, head), outside, at, layout.pageLength);
        } else {
          MemorySegment.copy(outside, at, pages, page(id, head), layout.pageLength);
        }
        at += layout.pageLength;
      }
    }
  }

  long page(int page, int head) {
    return ((long) head * pageCount + page) * layout.pageLength;
  }
}
