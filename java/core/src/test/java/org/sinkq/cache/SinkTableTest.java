package org.sinkq.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.sinkq.SinkPolicy;

/** Selections step by step. */
class SinkTableTest {
  private static void select(SinkTable table, int base, long... scores) {
    table.select(
        0, base, scores, scores.length, new SinkJournal(), new SinkPicks(new SinkPolicy(2, 2)));
  }

  @Test
  void tiesGoToTheOlderPosition() {
    SinkTable table = new SinkTable(new SinkPolicy(2, 2), 1);
    select(table, 0, 5, 5, 5, 9);
    assertArrayEquals(new int[] {0, 1}, table.positions(0));
    select(table, 4, 5, 5, 5, 4);
    assertArrayEquals(new int[] {0, 1, 7}, table.positions(0));
    assertFalse(table.inPool(0, table.slotOf(0, 1)));
    assertTrue(table.inPool(0, table.slotOf(0, 7)));
  }

  @Test
  void firstTokensStayWhateverTheirScores() {
    SinkPolicy first = SinkPolicy.first(2);
    SinkTable table = new SinkTable(first, 1);
    for (int base = 0; base < 8; base += 4) {
      table.select(0, base, new long[] {9, 8, 1, 2}, 4, new SinkJournal(), new SinkPicks(first));
      assertArrayEquals(new int[] {0, 1}, table.positions(0));
      assertFalse(table.isFrozen(0));
    }
  }

  @Test
  void spillFullThenFrozenThenThawedByTruncation() {
    SinkTable table = new SinkTable(new SinkPolicy(2, 2), 1);
    select(table, 0, 10, 11, 99, 99);
    select(table, 4, 8, 9, 99, 99);
    assertEquals(2, table.spillSize(0));
    assertFalse(table.isFrozen(0));
    select(table, 8, 50, 50, 50, 50);
    assertFalse(table.isFrozen(0), "nothing would have left");
    select(table, 12, 99, 7, 99, 99);
    assertTrue(table.isFrozen(0));
    assertArrayEquals(new int[] {0, 1, 4, 5}, table.positions(0));
    select(table, 16, 1, 1, 1, 1);
    assertArrayEquals(new int[] {0, 1, 4, 5}, table.positions(0));
    table.truncate(16);
    assertTrue(table.isFrozen(0), "it froze before");
    table.truncate(12);
    assertFalse(table.isFrozen(0));
    table.truncate(4);
    assertArrayEquals(new int[] {0, 1}, table.positions(0));
    assertEquals(2, table.poolSize(0), "back from the spill area");
  }

  @Test
  void noSpillAreaFreezesAtTheFirstToken() {
    SinkTable table = new SinkTable(new SinkPolicy(2, 0), 1);
    table.select(
        0, 0, new long[] {3, 2, 1}, 3, new SinkJournal(), new SinkPicks(new SinkPolicy(2, 0)));
    assertArrayEquals(new int[] {1, 2}, table.positions(0));
    table.select(
        0, 3, new long[] {2, 2, 2}, 3, new SinkJournal(), new SinkPicks(new SinkPolicy(2, 0)));
    assertFalse(table.isFrozen(0));
    table.select(
        0, 6, new long[] {2, 0, 2}, 3, new SinkJournal(), new SinkPicks(new SinkPolicy(2, 0)));
    assertTrue(table.isFrozen(0));
  }

  @Test
  void byteSizeCountsEveryArray() {
    assertEquals(6 * (5 * (4 + 8 + 1) + 4), SinkTable.byteSize(new SinkPolicy(2, 3), 6));
  }
}
