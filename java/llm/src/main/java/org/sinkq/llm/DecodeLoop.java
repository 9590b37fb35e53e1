package org.sinkq.llm;

import java.util.List;
import org.sinkq.KvSequence;

/**
 * Decode steps of a model on a device, recorded once and replayed: from tokens to the most probable
 * next tokens, which stay on the device and are what the next step appends. Nothing waits between
 * steps.
 *
 * <pre>
 *   tokens ─► embedding ─► layers ─► logits ─► most probable tokens ─┐
 *      ▲                                                             │      one CUDA graph
 *      └──────────────────────────────◄──────────────────────────────┘
 * </pre>
 *
 * <p>Row i is that of sequence i of a step, whose sequences may be others in every step. All rows
 * are computed, whether they have a sequence or not.
 *
 * <p>Not thread-safe; neither are loops of the same model, nor a loop and other steps of its model.
 */
public interface DecodeLoop extends AutoCloseable {
  /** Most sequences of a step. */
  int batch();

  /** Device memory of activations and logits, in bytes; the recording itself is not counted. */
  long bytes();

  /**
   * Queues a step: appends to each sequence the token that the step before has chosen in its row,
   * at first token 0, and chooses the next one. Does not wait.
   *
   * @param sequences of the model's backend, none twice
   * @throws org.sinkq.CapacityExhaustedException if pages run out; nothing has changed
   * @throws org.sinkq.InvalidArgumentException if there are too many sequences, one is closed or
   *     would exceed the model's context; nothing has changed. Or for a key or value of an earlier
   *     step that fp16 cannot hold, see {@link org.sinkq.DecodeGraph}; this step has not been run
   *     then
   */
  void step(List<? extends KvSequence> sequences);

  /**
   * As {@link #step(List)}, with tokens from the host. If it fails, the tokens are those that the
   * next step appends.
   *
   * @param tokens [sequences] what is appended to each
   * @throws org.sinkq.InvalidArgumentException as above, or if there is not one token for each
   *     sequence or it is not in the vocabulary
   */
  void step(List<? extends KvSequence> sequences, int... tokens);

  /**
   * Waits until every step is done.
   *
   * @throws org.sinkq.InvalidArgumentException for a key or value that fp16 cannot hold, see {@link
   *     org.sinkq.DecodeGraph}
   */
  void synchronize();

  /**
   * Waits for the latest step.
   *
   * @return [sequences] the tokens that it has chosen, none before the first step
   * @throws org.sinkq.InvalidArgumentException as {@link #synchronize}, or if a row has logits that
   *     are not finite
   */
  int[] tokens();

  /**
   * Waits for the latest step.
   *
   * @param rows whose logits are wanted
   * @return [rows, vocabulary] for the token that follows each row
   * @throws org.sinkq.InvalidArgumentException as {@link #synchronize}, or if there is no such row
   */
  float[][] logits(int... rows);

  /** Waits, and frees recording and memory. Does nothing the second time. */
  @Override
  void close();
}
