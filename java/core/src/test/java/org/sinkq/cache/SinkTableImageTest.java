package org.sinkq.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.sinkq.SinkPolicy;

/** The image of a table that an engine keeps in its own memory. */
class SinkTableImageTest {
  private static final SinkPolicy POLICY = new SinkPolicy(2, 3);
  private static final int HEADS = 3;

  private static SinkTable filled() {
    SinkTable table = new SinkTable(POLICY, HEADS);
    SinkPicks picks = new SinkPicks(POLICY);
    for (int head = 0; head < HEADS; head++) {
      // Each round drives the pool out, until head 2 freezes.
      for (int round = 0; round <= head; round++) {
        long[] scores = {(1L << 40) - 2L * round, (1L << 40) - 2L * round - 1};
        table.select(head, 2 * round, scores, 2, new SinkJournal(), picks);
      }
    }
    return table;
  }

  private static ByteBuffer image(SinkTable table) {
    int length = SinkTable.imageLength(table.slots());
    ByteBuffer image = ByteBuffer.allocate(HEADS * length).order(ByteOrder.LITTLE_ENDIAN);
    for (int head = 0; head < HEADS; head++) {
      table.write(head, image);
      assertEquals((head + 1) * length, image.position());
    }
    return image.flip();
  }

  @Test
  void aTableComesBackAsItWentOut() {
    SinkTable table = filled();
    SinkTable copy = new SinkTable(POLICY, HEADS);
    ByteBuffer image = image(table);
    for (int head = 0; head < HEADS; head++) {
      copy.read(head, image);
      assertArrayEquals(table.positions(head), copy.positions(head));
      assertEquals(table.isFrozen(head), copy.isFrozen(head));
      assertEquals(table.poolSize(head), copy.poolSize(head));
      assertEquals(table.spillSize(head), copy.spillSize(head));
    }
    assertEquals(image(table), image(copy));
  }

  @Test
  void everyFieldIsWhereTheDocumentationHasIt() {
    SinkTable table = filled();
    ByteBuffer image = image(table);
    // frozenAt, 5 positions, 5 scores from byte 24 on, 5 kinds from byte 64 on, padded to 72.
    assertEquals(72, SinkTable.imageLength(5));
    assertEquals(-1, image.getInt(0));
    assertEquals(table.position(0, 0), image.getInt(4));
    assertEquals((1L << 40) - 1, image.getLong(24));
    assertEquals(1, image.get(64));
    assertEquals(SinkTable.FREE, image.getInt(4 + 4 * 2));
    assertEquals(0, image.get(66));
  }

  @Test
  void theVersionTellsThatSomethingMayHaveChanged() {
    SinkTable table = filled();
    long before = table.version();
    table.truncate(1);
    assertNotEquals(before, table.version());
    before = table.version();
    table.copyFrom(filled());
    assertNotEquals(before, table.version());
    before = table.version();
    table.read(0, image(filled()));
    assertNotEquals(before, table.version());
    before = table.version();
    SinkJournal journal = new SinkJournal();
    table.select(1, 10, new long[] {1, 2}, 2, journal, new SinkPicks(POLICY));
    long selected = table.version();
    assertNotEquals(before, selected);
    journal.rollback();
    assertNotEquals(selected, table.version());
  }
}
