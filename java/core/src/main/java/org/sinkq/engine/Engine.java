package org.sinkq.engine;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.sinkq.RecordedStep;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.StepPlan;

/**
 * Owner of the bytes: pages and dense rows at the indices that the host hands it. Calls come one at
 * a time, except that several steps may be open.
 *
 * <p>The contract of every engine: a step never overwrites a committed byte. What a step writes
 * lies in pages that its plan reserved, in free window or sink slots, or in memory of the step's
 * own; {@link EngineStep#commit} is the only point at which the latter moves into the window.
 */
public interface Engine extends AutoCloseable {
  /**
   * Prepares a step and allocates whatever it needs beyond the cache.
   *
   * @throws org.sinkq.DeviceException if that memory cannot be had; nothing has changed
   */
  EngineStep begin(StepPlan plan);

  /**
   * Records a decode step for replay. An engine that has no other way runs {@code body} every time.
   *
   * @param batch most sequences of a replay; tensors of the recording have that many rows
   * @param body records every layer once; may be called again, whenever the engine has to record
   *     anew
   * @throws org.sinkq.DeviceException if memory for it cannot be had; nothing has changed
   */
  default EngineGraph record(int batch, Consumer<RecordedStep> body) {
    return new RerunGraph(this, body);
  }

  /**
   * Brings sink tables and masks up to date where replayed steps have changed them in the engine's
   * own memory.
   */
  default void settle() {}

  /** Copies window and sink rows of one sequence to another one's slot, whose rows nobody needs. */
  void copyRows(SequenceState from, SequenceState to);

  /**
   * Turns the first {@code tokens} tokens of the sequence's page number {@code pageIndex} back into
   * window rows: sinks from their slots, the rest dequantized, rounded to the window's element type
   * and clamped to its finite range. All window rows that the sequence had are given up.
   */
  void reopen(SequenceState sequence, int pageIndex, int tokens);

  /** Reads a page back in canonical order. */
  PageImage readPage(int layer, int head, int page);

  /** Reads a window row: headDim keys, then headDim values. */
  float[] readWindowRow(int layer, int head, SequenceState sequence, int position);

  /** Reads the row of a sink slot: headDim keys, then headDim values. */
  float[] readSinkRow(int layer, int head, SequenceState sequence, int sinkSlot);

  /** Copies pages of a layer out: [pages][KV head], each in the engine's {@link PageFormat}. */
  void readPages(int layer, int[] pages, MemorySegment to);

  /** The counterpart of {@link #readPages}, into pages that nobody uses yet. */
  void writePages(int layer, int[] pages, MemorySegment from);

  /** Copies the dense rows of a layer of a sequence out, in {@link RowOrder}. */
  void readRows(int layer, SequenceState sequence, MemorySegment to);

  /** The counterpart of {@link #readRows}; window tokens get their scores. */
  void writeRows(int layer, SequenceState sequence, MemorySegment from);

  /**
   * Reads the score that the next flush will compare a window token of a tracked layer by, see
   * {@link org.sinkq.cache.SinkTable}.
   */
  long readScore(int layer, int head, SequenceState sequence, int position);

  /** Frees the memory. */
  @Override
  void close();
}
