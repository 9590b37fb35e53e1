package org.sinkq.cache;

import java.util.ArrayList;
import java.util.List;

/**
 * What the selections of one step changed, so that the step can be rolled back. Thread-safe: heads
 * are flushed side by side.
 */
public final class SinkJournal {
  private final List<SinkTable.Saved> saved = new ArrayList<>();

  /** An empty journal. */
  public SinkJournal() {}

  /** Remembers a head's state before it changes. A step changes each head at most once. */
  synchronized void record(SinkTable table, int head) {
    saved.add(table.save(head));
  }

  /** Puts every recorded state back. */
  public synchronized void rollback() {
    saved.forEach(SinkTable.Saved::restore);
    saved.clear();
  }
}
