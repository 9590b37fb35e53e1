package org.sinkq;

import java.util.List;

/**
 * A decode step of all layers, recorded once and replayed for every token.
 *
 * <p>A GPU replays the recorded launches, those that the host recorded between the layers included,
 * with one call and without waiting: what changes from step to step (lengths, pages, which
 * sequences) are tables that go up first. Such an engine reports late: a key or value that fp16
 * cannot hold is stored as 0, its step is committed, and the error comes from a later {@link
 * #step}, {@link AttentionBackend#plan} or {@link #synchronize}, at the latest from the first of
 * them that begins after the step is done; of several only the first is named. Truncating the
 * sequence to the position that it names takes the bad token back. Host engines run the recorded
 * calls anew and report at once, with nothing committed.
 *
 * <p>Not thread-safe: one thread drives a graph. Other sequences of the backend can be used
 * meanwhile.
 */
public interface DecodeGraph extends AutoCloseable {
  /** Rows of the recorded tensors: most sequences of a step. */
  int batch();

  /**
   * Appends one token to each sequence and attends: row i of the recorded tensors is that of
   * sequence i, rows beyond are ignored. The sequences may be others in every step. On a device the
   * results are there for whatever is queued behind the step on {@link RecordedStep#stream()}.
   *
   * @throws CapacityExhaustedException if pages run out; nothing has changed
   * @throws InvalidArgumentException if there are too many sequences, or as for {@link
   *     AttentionBackend#plan}; nothing has changed. Or for the bad element of an earlier step, see
   *     above; this step has not been run then
   */
  void step(List<? extends KvSequence> sequences);

  /**
   * Waits until every step is done.
   *
   * @throws InvalidArgumentException for the bad element of an earlier step
   */
  void synchronize();

  /** Waits, and gives the recording up. Does nothing the second time. */
  @Override
  void close();
}
