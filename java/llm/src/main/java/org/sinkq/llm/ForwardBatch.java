package org.sinkq.llm;

import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;

/**
 * New tokens for sequences of one backend. Batches for different backends can share a step of a
 * model: its weights are then read once for all of them.
 *
 * @param backend opened for the model's shape
 * @param metadata which rows belong to which sequence
 * @param tokens [rows] token ids
 */
public record ForwardBatch(AttentionBackend backend, AttentionMetadata metadata, int[] tokens) {
  /** Rows of the batch. */
  public int rows() {
    return metadata.totalTokens();
  }
}
