package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.sinkq.engine.Footprint;
import org.sinkq.layout.CacheGeometry;

/** Dividing a capacity. */
class CapacityTest {
  private static final ModelShape SHAPE = ModelShape.of(4, 2, 2, 64);

  private static Capacity of(KvCacheSpec spec, long perPage, long perSequence) {
    return Capacity.of(new CacheGeometry(SHAPE, spec), spec, new Footprint(perPage, perSequence));
  }

  @Test
  void pagesMasksTablesAndRowsAreCounted() {
    KvCacheSpec spec = KvCacheSpec.builder().capacityTokens(1000).maxSequences(3).build();
    Capacity capacity = of(spec, 10_000, 5_000);
    assertEquals(3 * ((1000 - 32) / 128), capacity.pages());
    // Two of four layers are tracked, two heads each: 16 bytes of mask, 35 sink slots.
    assertEquals(10_000 + 4 * 16 + 12, capacity.pageBytes());
    assertEquals(5_000 + 4 * (35 * 13 + 4) + 12, capacity.sequenceBytes());
    assertEquals(
        capacity.pages() * capacity.pageBytes() + 3 * capacity.sequenceBytes(),
        capacity.allocatedBytes());
  }

  @Test
  void bytesLeftByTheSequencesBecomePages() {
    KvCacheSpec spec = KvCacheSpec.builder().capacityBytes(1_000_000).maxSequences(2).build();
    Capacity capacity = of(spec, 10_000, 5_000);
    long left = 1_000_000 - 2 * capacity.sequenceBytes();
    assertEquals(left / capacity.pageBytes(), capacity.pages());
  }

  @Test
  void numbersBeyondAllMemoryDoNotOverflow() {
    KvCacheSpec tokens =
        KvCacheSpec.builder().capacityTokens(2_000_000_000).maxSequences(1 << 20).build();
    assertEquals(
        "capacityTokens=2000000000 for 1048576 sequences, expected fewer than 2^30 pages in all",
        refused(tokens, 1, 1));
    KvCacheSpec pages =
        KvCacheSpec.builder().capacityTokens(2_000_000_000).maxSequences(60).build();
    assertTrue(
        refused(pages, 1L << 34, 1).endsWith(" bytes a page, expected fewer than 2^61 bytes"));
    KvCacheSpec bytes =
        KvCacheSpec.builder().capacityBytes(Long.MAX_VALUE).maxSequences(1 << 20).build();
    assertTrue(
        refused(bytes, 1, 1L << 43).endsWith(" bytes each, expected fewer than 2^61 bytes in all"));
  }

  private static String refused(KvCacheSpec spec, long perPage, long perSequence) {
    return assertThrows(InvalidArgumentException.class, () -> of(spec, perPage, perSequence))
        .getMessage();
  }
}
