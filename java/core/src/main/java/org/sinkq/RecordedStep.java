package org.sinkq;

/** The step that is being recorded; valid only while {@link AttentionBackend#record} runs. */
public interface RecordedStep {
  /**
   * Records what {@link AttentionPlan#run} does for one layer. The memory is read and written anew
   * in each replay, and on a device it has to be device memory.
   *
   * @param layer each layer once, in any order
   * @param q [batch, numQoHeads, headDim] after RoPE
   * @param k [batch, numKvHeads, headDim] after RoPE
   * @param v [batch, numKvHeads, headDim]
   * @param out [batch, numQoHeads, headDim], overwritten in the rows of the step's sequences
   */
  void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out);

  /**
   * The native handle (CUstream) of the stream on which the step is recorded. What the host queues
   * there between layers becomes part of the recording. 0 for a host engine.
   */
  long stream();

  /**
   * Device address of [batch] ints, brought up to date in each replay: the position of each row's
   * token, which is the length that its sequence had before the step; 0 in rows without a sequence.
   * Kernels that the host records can read them, as those for RoPE do. 0 for a host engine, whose
   * callers know the lengths.
   */
  long positions();
}
