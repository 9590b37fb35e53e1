package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkTable;
import org.sinkq.layout.CacheGeometry;

/** How a step is divided into work. */
class AttentionTest {
  private static final int HEADS = 8;
  private final CacheGeometry geometry =
      new CacheGeometry(
          ModelShape.of(1, 4 * HEADS, HEADS, 128), KvCacheSpec.builder().capacityTokens(1).build());

  private Attention attention() {
    try (Arena arena = Arena.ofConfined()) {
      return new Attention(geometry, new PageMasks(0, 0, 128), new ScalarKernels(), 1, arena);
    }
  }

  private static SequenceStep step(int pages, int rows) {
    SequenceState state = new SequenceState(0, 128, new SinkTable(SinkPolicy.NONE, 0));
    state.advance(pages * 128, new int[pages]);
    return new SequenceStep(state, 0, rows, new int[0]);
  }

  /** Partial results of a prompt's tiles would take more than an array can hold. */
  @Test
  void onlySplitTilesKeepPartialResults() {
    Attention attention = attention();
    assertEquals(0, attention.schedule(List.of(step(0, 1_000_000))).partials());
    Attention.Schedule mixed =
        attention.schedule(List.of(step(0, 100_000), step(40, 1), step(16, 1)));
    assertArrayEquals(new int[] {0, 0, 3 * HEADS, 3 * HEADS}, mixed.firstPartial());
    assertEquals(3 * HEADS, mixed.partials());
  }

  /** Every item belongs to one sequence, in order. */
  @Test
  void itemsAreNumberedSequenceBySequence() {
    Attention.Schedule mixed =
        attention().schedule(List.of(step(0, 1), step(40, 1), step(16, 1), step(0, 100)));
    int[] counts = new int[4];
    int last = 0;
    for (int i = 0; i < mixed.items(); i++) {
      int sequence = mixed.sequence(i);
      assertTrue(sequence == last || sequence == last + 1, "item " + i + ": " + sequence);
      last = sequence;
      counts[sequence]++;
    }
    assertArrayEquals(new int[] {HEADS, 3 * HEADS, HEADS, 13 * HEADS}, counts);
  }

  /** Every page of a tile in one item, in order, and the division of a sequence its own affair. */
  @Test
  void splitsCoverThePagesInOrder() {
    Attention attention = attention();
    SequenceStep step = step(40, 1);
    assertEquals(3, attention.splits(step));
    for (int i = 0; i < 3; i++) {
      assertEquals(i * 16, attention.firstPage(i));
      assertEquals(Math.min(40, (i + 1) * 16), attention.endPage(step, i));
    }
  }
}
