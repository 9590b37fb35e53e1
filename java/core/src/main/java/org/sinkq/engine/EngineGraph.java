package org.sinkq.engine;

import org.sinkq.cache.StepPlan;

/** A recorded decode step on an engine; see {@link org.sinkq.DecodeGraph}. */
public interface EngineGraph extends AutoCloseable {
  /**
   * Runs or queues all layers of a step of one row for each sequence, and commits it as far as the
   * engine is concerned; the states advance afterwards.
   *
   * @throws org.sinkq.InvalidArgumentException for a bad element, of this step or an earlier one;
   *     this step has not been run or is rolled back
   */
  void replay(StepPlan plan);

  /** Waits for all replays and reports what they found. */
  void synchronize();

  /** Waits and gives the recording up. */
  @Override
  void close();
}
