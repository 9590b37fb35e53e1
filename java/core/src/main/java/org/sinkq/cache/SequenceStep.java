package org.sinkq.cache;

/**
 * One sequence's share of a step.
 *
 * @param state the sequence as committed before the step
 * @param firstRow its first row in q, k, v and out
 * @param rows its rows
 * @param newPages ids of the pages that this step fills, oldest first
 */
public record SequenceStep(SequenceState state, int firstRow, int rows, int[] newPages) {
  /** Dense tokens that the step's queries see: the committed window and the step's own rows. */
  public int windowTokens() {
    return state.windowLength() + rows;
  }
}
