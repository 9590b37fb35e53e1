package org.sinkq;

/**
 * One step over all layers. Run or append every layer once, then commit; closing without a commit
 * rolls the step back as if it had never been planned.
 *
 * <p>Not thread-safe: one thread drives a plan. A plan whose {@code run} or {@code append} failed
 * is rolled back and can only be closed.
 */
public interface AttentionPlan extends AutoCloseable {
  /**
   * Appends the step's keys and values of one layer, attends, and writes the result.
   *
   * @param layer each layer once, in any order
   * @param q [tokens, numQoHeads, headDim] after RoPE
   * @param k [tokens, numKvHeads, headDim] after RoPE
   * @param v [tokens, numKvHeads, headDim]
   * @param out [tokens, numQoHeads, headDim], overwritten
   * @throws InvalidArgumentException if a shape or the memory does not fit, and the plan stays
   *     open; or if a key or value is not finite or beyond the range of the layer's rows, fp16
   *     unless its codec is FP32 (layer, head and position are named), or the engine cannot reach
   *     the memory, and the step is rolled back
   */
  void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out);

  /**
   * Takes the step's keys and values of one layer into the cache without attending: for rows that
   * were computed elsewhere, as by a prefill in another process. The cache is afterwards, bit for
   * bit, as {@link #run} would have left it, but for attention masses, which only queries give
   * ({@link SinkPolicy.Selection#MOST_ATTENDED}). A step may run some layers and append others.
   *
   * @param layer each layer once, run or appended, in any order
   * @param k [tokens, numKvHeads, headDim] after RoPE
   * @param v [tokens, numKvHeads, headDim]
   * @throws InvalidArgumentException as {@link #run} does
   */
  void append(int layer, TensorView k, TensorView v);

  /**
   * Makes the step permanent: lengths advance by the rows of the step.
   *
   * @throws InvalidArgumentException if a layer has been neither run nor appended; the plan stays
   *     open
   */
  void commit();

  /** Rolls back unless committed. Does nothing the second time. */
  @Override
  void close();
}
