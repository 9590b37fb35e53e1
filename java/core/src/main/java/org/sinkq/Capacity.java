package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.Footprint;
import org.sinkq.layout.CacheGeometry;

/**
 * How a capacity divides into pages and sequence slots. Everything that grows with either is
 * counted: engine memory, slot masks, reference counts, sink tables, page tables.
 *
 * @param pages pages of every layer and KV head
 * @param pageBytes bytes of one page with its masks and indices
 * @param sequences sequence slots
 * @param sequenceBytes bytes of one sequence's dense rows with its tables
 */
record Capacity(int pages, long pageBytes, int sequences, long sequenceBytes) {
  /** Free list, reference count and an entry of a page table. */
  private static final int INDEX_BYTES = 3 * Integer.BYTES;

  static Capacity of(CacheGeometry geometry, KvCacheSpec spec, Footprint footprint) {
    int heads = geometry.trackedHeads();
    long pageBytes =
        footprint.perPage() + heads * PageMasks.byteSize(geometry.pageTokens()) + INDEX_BYTES;
    long sequenceBytes =
        footprint.perSequence() + SinkTable.byteSize(geometry.sinks(), heads) + INDEX_BYTES;
    int sequences = spec.maxSequences();
    require(
        sequenceBytes <= Long.MAX_VALUE / 4 / sequences,
        "maxSequences=%d of %d bytes each, expected fewer than 2^61 bytes in all",
        sequences,
        sequenceBytes);
    if (spec.capacityTokens() > 0) {
      long pages = (long) sequences * Math.max(1, geometry.pagesFor(spec.capacityTokens()));
      require(
          pages <= Integer.MAX_VALUE / 2,
          "capacityTokens=%d for %d sequences, expected fewer than 2^30 pages in all",
          spec.capacityTokens(),
          sequences);
      require(
          pages <= Long.MAX_VALUE / 4 / pageBytes,
          "capacityTokens=%d for %d sequences of %d bytes a page, expected fewer than 2^61 bytes",
          spec.capacityTokens(),
          sequences,
          pageBytes);
      return new Capacity((int) pages, pageBytes, sequences, sequenceBytes);
    }
    long left = spec.capacityBytes() - sequences * sequenceBytes;
    require(
        left >= pageBytes,
        "capacityBytes=%d, expected at least %d: %d for the dense rows of %d sequence(s) and %d for"
            + " one page",
        spec.capacityBytes(),
        sequences * sequenceBytes + pageBytes,
        sequences * sequenceBytes,
        sequences,
        pageBytes);
    long pages = Math.min(left / pageBytes, Integer.MAX_VALUE / 2);
    return new Capacity((int) pages, pageBytes, sequences, sequenceBytes);
  }

  long allocatedBytes() {
    return pages * pageBytes + sequences * sequenceBytes;
  }
}
