package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
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

  private Attention.Schedule schedule(SequenceStep... steps) {
    try (Arena arena = Arena.ofConfined()) {
      PageMasks masks = new PageMasks(0, 0, 128);
      return new Attention(geometry, masks, new ScalarKernels(), 1, arena).schedule(List.of(steps));
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
    assertEquals(0, schedule(step(0, 1_000_000)).partials());
    Attention.Schedule mixed = schedule(step(0, 100_000), step(40, 1), step(16, 1));
    assertEquals(3 * HEADS, mixed.partials());
    int[] numbers = new int[3 * HEADS];
    int n = 0;
    for (int i = 0; i < mixed.splits().length; i++) {
      if (mixed.splits()[i] > 1) {
        numbers[n++] = mixed.partial()[i];
      }
    }
    assertEquals(
        Arrays.toString(IntStream.range(0, 3 * HEADS).toArray()), Arrays.toString(numbers));
  }

  /** Every page of a tile in one item, in order, and the division of a sequence its own affair. */
  @Test
  void itemsOfATileCoverItsPagesInOrder() {
    Attention.Schedule schedule = schedule(step(40, 1));
    assertEquals(3 * HEADS, schedule.sequence().length);
    for (int i = 0; i < 3; i++) {
      assertEquals(i, schedule.split()[i]);
      assertEquals(i * 16, schedule.from()[i]);
      assertEquals(Math.min(40, (i + 1) * 16), schedule.to()[i]);
    }
  }
}
