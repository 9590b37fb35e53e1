package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.List;

/**
 * What one step processes: new tokens of several sequences, packed row by row (ragged).
 *
 * <p>Sequence {@code i} owns rows {@code qoIndptr[i]} to {@code qoIndptr[i + 1] - 1} of q, k, v and
 * out. One row is a decode step, many are a prompt or a chunk of one, a few are speculative tokens;
 * all kinds may share a step. Rows of one sequence attend each other causally.
 */
public final class AttentionMetadata {
  private final List<? extends KvSequence> sequences;
  private final int[] qoIndptr;

  /**
   * Checks the offsets; both arguments are copied.
   *
   * @param sequences sequences of this step, each at most once
   * @param qoIndptr [sequences + 1] row offsets, starting at 0, strictly ascending
   */
  public AttentionMetadata(List<? extends KvSequence> sequences, int[] qoIndptr) {
    require(!sequences.isEmpty(), "sequences=[], expected at least one");
    require(
        qoIndptr.length == sequences.size() + 1,
        "qoIndptr has %d entries, expected %d (sequences + 1)",
        qoIndptr.length,
        sequences.size() + 1);
    require(qoIndptr[0] == 0, "qoIndptr[0]=%d, expected 0", qoIndptr[0]);
    for (int i = 1; i < qoIndptr.length; i++) {
      require(
          qoIndptr[i] > qoIndptr[i - 1],
          "qoIndptr[%d]=%d, expected more than qoIndptr[%d]=%d",
          i,
          qoIndptr[i],
          i - 1,
          qoIndptr[i - 1]);
    }
    this.sequences = List.copyOf(sequences);
    this.qoIndptr = qoIndptr.clone();
  }

  /** One decode row for each sequence. */
  public static AttentionMetadata decode(List<? extends KvSequence> sequences) {
    int[] indptr = new int[sequences.size() + 1];
    for (int i = 0; i < indptr.length; i++) {
      indptr[i] = i;
    }
    return new AttentionMetadata(sequences, indptr);
  }

  /** {@code tokens} rows of a single sequence. */
  public static AttentionMetadata single(KvSequence sequence, int tokens) {
    return new AttentionMetadata(List.of(sequence), new int[] {0, tokens});
  }

  /** The sequences of this step, in the order of their rows. */
  public List<? extends KvSequence> sequences() {
    return sequences;
  }

  /** First row of sequence {@code i}; for {@code i = sequences().size()} the number of rows. */
  public int firstRow(int i) {
    return qoIndptr[i];
  }

  /** Rows of sequence {@code i}. */
  public int rows(int i) {
    return qoIndptr[i + 1] - qoIndptr[i];
  }

  /** Rows of this step, all sequences together. */
  public int totalTokens() {
    return qoIndptr[qoIndptr.length - 1];
  }
}
