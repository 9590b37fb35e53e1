package org.sinkq;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;

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
   * <p>The kept tokens stay exactly as they are stored if {@code length} lies in the full-precision
   * window, at a page boundary, or where layers are dense. Otherwise the page that contains it is
   * reopened: its tokens return to the window as their dequantized values (rounded to fp16, within
   * its finite range), which is <b>lossy</b> against never having appended the dropped tokens.
   * Sinks below {@code length} stay exact wherever it lies; one in a reopened page becomes a window
   * token again and may be selected anew.
   *
   * <p>Pools forget the dropped tokens: spilled tokens return to the places that become free, and a
   * head that froze at or after the last kept page thaws.
   *
   * @param length 0 to {@link #length()}
   * @throws InvalidArgumentException if {@code length} is out of range or the sequence is closed or
   *     part of an open plan
   */
  void truncate(int length);

  /**
   * Positions that a KV head of a layer keeps in pool and spill, ascending. Empty for layers that
   * do not track sinks.
   */
  int[] sinkPositions(int layer, int head);

  /**
   * Writes everything that the cache holds for this sequence, pages shared with forks included, so
   * that {@link AttentionBackend#restore} can continue it: in this process or another one, in this
   * backend or another one for the same shape and format. The sequence stays as it is, and is busy
   * until the call returns, as if part of an open plan.
   *
   * @param to blocking; left open, and right behind the sequence if it returns
   * @throws IOException if the channel throws it
   * @throws InvalidArgumentException if the sequence is closed or part of an open plan; nothing has
   *     been written
   * @throws DeviceException if the device fails; part has been written
   */
  void save(WritableByteChannel to) throws IOException;

  /** Whether {@link #close()} has been called. */
  boolean isClosed();

  /**
   * Returns pages and rows. Does nothing the second time.
   *
   * @throws InvalidArgumentException if the sequence is part of an open plan; it stays open
   */
  @Override
  void close();
}
