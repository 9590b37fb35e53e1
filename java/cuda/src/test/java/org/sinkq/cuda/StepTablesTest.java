package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkPicks;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.CacheMemory;
import org.sinkq.layout.CacheGeometry;

/** How work is cut: every unit once, in one wave, in as few rounds as that allows, and evenly. */
class StepTablesTest {
  private static final int HEADS = 2;
  private static final int GROUP = 4;
  private static final int PAGE = 32;
  private static final int MOST_PAGES = 200;
  private static final int BATCH = 5;
  private static final int WARPS = 4;

  private final CacheGeometry geometry =
      new CacheGeometry(
          ModelShape.of(1, HEADS * GROUP, HEADS, 64),
          KvCacheSpec.builder().pageTokens(PAGE).firstSinkLayer(0).capacityTokens(1).build());

  private CudaEngine engine(CudaDevice device) {
    PageMasks masks = new PageMasks(geometry.trackedHeads(), MOST_PAGES, PAGE);
    CacheMemory memory = new CacheMemory(geometry, MOST_PAGES, BATCH, masks);
    return new CudaEngine(memory, device, new CudaKernels(device, 64), () -> {});
  }

  /** A sequence with some pages, and so many rounds of three sinks. */
  private SequenceState sequence(int slot, int pages, int window, int rounds) {
    SinkTable table = new SinkTable(geometry.sinks(), geometry.trackedHeads());
    SinkPicks picks = new SinkPicks(geometry.sinks());
    for (int round = 0; round < rounds; round++) {
      long[] scores = new long[PAGE];
      Arrays.fill(scores, 1000);
      Arrays.fill(scores, 0, 3, 100 - round);
      table.select(0, round * PAGE, scores, PAGE, new SinkJournal(), picks);
    }
    SequenceState state = new SequenceState(slot, PAGE, table);
    int[] ids = new int[pages];
    Arrays.setAll(ids, i -> i);
    state.advance(pages * PAGE + window, ids);
    return state;
  }

  private static int units(SequenceStep step) {
    int sinkBlocks = CudaLayout.ceilDiv(step.state().sinks().slotsInUse(), 16);
    return step.state().pageCount() + sinkBlocks + CudaLayout.ceilDiv(step.windowTokens(), 16);
  }

  private static long count(List<SequenceStep> steps, int rounds) {
    return steps.stream().mapToLong(s -> CudaLayout.ceilDiv(units(s), WARPS * rounds)).sum()
        * HEADS;
  }

  /** What the first units of a sequence cost: its pages of 32 tokens 16, what is dense 28. */
  private static long cost(SequenceStep step, int units) {
    int pages = Math.min(units, step.state().pageCount());
    return 16L * pages + 28L * (units - pages);
  }

  @Test
  void everyUnitOnceInFewRounds() {
    Random random = new Random(7);
    try (CudaDevice device = InterpretedEngineProvider.device();
        CudaEngine engine = engine(device)) {
      for (int run = 0; run < 100; run++) {
        List<SequenceStep> steps = new ArrayList<>();
        int batch = 1 + random.nextInt(BATCH);
        for (int s = 0; s < batch; s++) {
          int window = random.nextInt(geometry.windowTokens() + PAGE - 1);
          SequenceState state = sequence(s, random.nextInt(MOST_PAGES), window, random.nextInt(10));
          engine.sinks.refresh(state);
          steps.add(new SequenceStep(state, s, 1, new int[0]));
        }
        StepTables tables = new StepTables(steps, geometry, engine.sinks, 4);
        int wave = 1 + random.nextInt(300);
        check(tables, tables.items(new StepTables.Kind(true, 3, GROUP, PAGE, wave)), steps, wave);
      }
    }
  }

  /** How many of 64 pages and 8 dense units are within a share of what all of them cost. */
  private static int unitsWithin(int columns, int pageTokens, int part, int parts) {
    return new StepTables.Kind(true, 3, columns, pageTokens, 264).unitsWithin(64, 72, part, parts);
  }

  /** 16 dense rows are 12 sixteenths of a page of 128 tokens with 4 columns, and 6 with 8. */
  @Test
  void sharesAreEqualInWhatUnitsCost() {
    assertEquals(35, unitsWithin(4, 128, 1, 2));
    assertEquals(33, unitsWithin(8, 128, 1, 2));
    assertEquals(65, unitsWithin(4, 128, 14, 15));
    assertEquals(72, unitsWithin(8, 128, 2, 2));
  }

  /** They are more than a page of 64 tokens, and nearly two of 32. */
  @Test
  void smallerPagesCostLess() {
    assertEquals(37, unitsWithin(4, 64, 1, 2));
    assertEquals(39, unitsWithin(4, 32, 1, 2));
    assertEquals(64, unitsWithin(4, 32, 5, 6));
  }

  /** Prefill's items of so many rows after two pages of so many tokens. */
  private static int promptItems(KvCodec codec, int pageTokens, int rows) {
    ModelShape shape = ModelShape.of(1, HEADS * GROUP, HEADS, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .codec(codec)
            .pageTokens(pageTokens)
            .firstSinkLayer(0)
            .capacityTokens(1)
            .build();
    CacheGeometry of = new CacheGeometry(shape, spec);
    PageMasks masks = new PageMasks(of.trackedHeads(), 4, pageTokens);
    try (CudaDevice device = InterpretedEngineProvider.device();
        CudaEngine engine =
            new CudaEngine(
                new CacheMemory(of, 4, 1, masks), device, new CudaKernels(device, 64), () -> {})) {
      SinkTable table = new SinkTable(of.sinks(), of.trackedHeads());
      SequenceState state = new SequenceState(0, pageTokens, table);
      state.advance(2 * pageTokens, new int[] {0, 1});
      SequenceStep step = new SequenceStep(state, 0, rows, new int[0]);
      return new StepTables(List.of(step), of, engine.sinks, 4).prompts().count();
    }
  }

  @Test
  void fewRowsAfterManyTokensInWidePagesStayWithAttend() {
    assertEquals(0, promptItems(KvCodec.INT2, 128, 128));
    assertEquals(0, promptItems(KvCodec.INT4, 128, 9));
    int items = HEADS * CudaLayout.ceilDiv(129 * GROUP, 128);
    assertEquals(items, promptItems(KvCodec.INT2, 128, 129));
    assertEquals(HEADS, promptItems(KvCodec.FP16, 128, 9));
    assertEquals(HEADS, promptItems(KvCodec.INT2, 64, 9));
    assertEquals(0, promptItems(KvCodec.INT2_ADAPTIVE, 128, 129));
  }

  private static void check(
      StepTables tables, StepTables.Items items, List<SequenceStep> steps, int wave) {
    int[] words = tables.words();
    Set<Integer> counters = new HashSet<>();
    int partials = 0;
    int rounds = 1;
    while (count(steps, rounds) > wave && rounds < MOST_PAGES) {
      rounds++;
    }
    int at = items.offset();
    for (int s = 0; s < steps.size(); s++) {
      for (int head = 0; head < HEADS; head++) {
        int splits = CudaLayout.ceilDiv(units(steps.get(s)), WARPS * rounds);
        long share = cost(steps.get(s), units(steps.get(s))) / splits;
        int expected = 0;
        for (int split = 0; split < splits; split++, at += StepTables.ITEM_INTS) {
          int[] range = {s, head, 0, GROUP, expected, words[at + 5], split, splits};
          assertEquals(
              Arrays.toString(range), Arrays.toString(Arrays.copyOfRange(words, at, at + 8)));
          long cost = cost(steps.get(s), words[at + 5]) - cost(steps.get(s), expected);
          assertTrue(Math.abs(cost - share) <= 28, cost + " of a share of " + share);
          expected = words[at + 5];
          assertEquals(partials, words[at + 9]);
          for (int i = 0; i < StepTables.SEQUENCE_INTS; i++) {
            int copy = words[at + StepTables.ITEM_SEQUENCE + i];
            assertEquals(words[s * StepTables.SEQUENCE_INTS + i], copy);
          }
        }
        assertEquals(units(steps.get(s)), expected);
        if (splits > 1) {
          assertTrue(counters.add(words[at - StepTables.ITEM_INTS + 8]), "one counter for two");
          partials += splits;
        }
      }
    }
    assertEquals(items.offset() + items.count() * StepTables.ITEM_INTS, at);
    assertTrue(partials <= wave, "partial results=" + partials + ", expected at most " + wave);
  }
}
