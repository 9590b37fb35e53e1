package org.sinkq.engine;

import org.sinkq.TensorView;

/** One step on an engine. Exactly one of {@link #commit} and {@link #rollback} ends it. */
public interface EngineStep {
  /**
   * Appends, attends, flushes one layer. Shapes have been checked.
   *
   * @throws org.sinkq.InvalidArgumentException naming layer, head and position of a key or value
   *     that is not finite or beyond the fp16 range
   */
  void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out);

  /**
   * Appends and flushes one layer: leaves the bytes that {@link #run} leaves. Shapes have been
   * checked.
   *
   * @throws org.sinkq.InvalidArgumentException as {@link #run} does
   */
  void append(int layer, TensorView k, TensorView v);

  /** Moves what the step kept aside into the window. Cannot fail. */
  void commit();

  /** Forgets the step. */
  void rollback();
}
