package org.sinkq.cache;

import org.sinkq.SinkPolicy;

/**
 * Result and working memory of one {@link SinkTable#select selection}: the flushed tokens that
 * became sinks and the slots they got. One object serves any number of selections.
 */
public final class SinkPicks {
  final int[] candidate;
  final long[] score;
  private final int[] token;
  private final int[] slot;
  private int count;

  /** Room for the picks of a policy. */
  public SinkPicks(SinkPolicy policy) {
    int pool = policy.poolTokens();
    candidate = new int[pool + 1];
    score = new long[pool + 1];
    token = new int[pool];
    slot = new int[pool];
  }

  /** Flushed tokens that entered the pool. */
  public int count() {
    return count;
  }

  /** Index among the flushed tokens of a pick. */
  public int token(int pick) {
    return token[pick];
  }

  /** Dense slot that a pick's row belongs into. */
  public int slot(int pick) {
    return slot[pick];
  }

  void clear() {
    count = 0;
  }

  void add(int newToken, int newSlot) {
    token[count] = newToken;
    slot[count++] = newSlot;
  }

  void put(int at, int newCandidate, long newScore) {
    candidate[at] = newCandidate;
    score[at] = newScore;
  }

  /** Moves the entry before {@code at} one place up. */
  void shift(int at) {
    candidate[at] = candidate[at - 1];
    score[at] = score[at - 1];
  }

  boolean contains(int wanted, int size) {
    for (int i = 0; i < size; i++) {
      if (candidate[i] == wanted) {
        return true;
      }
    }
    return false;
  }
}
