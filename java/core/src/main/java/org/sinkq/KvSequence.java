package org.sinkq;

/**
 * The cached keys and values of one sequence. Closing it returns its pages; pages shared with a
 * fork stay until both are closed.
 */
public interface KvSequence extends AutoCloseable {
  /** Committed tokens. */
  int length();

  /**
   * A second sequence with the same tokens. Full pages are shared and never written again; window
   * and sink rows are copied.
   *
   * @throws CapacityExhaustedException if no sequence slot is free
   */
  KvSequence fork();

  /**
   * Drops all tokens from position {@code length} on.
   *
   * <p>Exact as long as {@code length} lies in the full-precision window, at a page boundary or at
   * or beyond the end. Further down, the page that contains it is reopened: its tokens return to
   * the window as their dequantized values, which is <b>lossy</b> against never having appended the
   * dropped tokens. Sinks that lie below {@code length} stay exact.
   *
   * @param length 0 to {@link #length()}
   */
  void truncate(int length);

  /**
   * Positions that a KV head of a layer keeps in pool and spill, ascending. Empty for layers that
   * do not track sinks.
   */
  int[] sinkPositions(int layer, int head);

  /** Whether {@link #close()} has been called. */
  boolean isClosed();

  /** Returns pages and rows. Does nothing the second time. */
  @Override
  void close();
}
