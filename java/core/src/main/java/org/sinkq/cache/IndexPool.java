package org.sinkq.cache;

import java.util.Arrays;

/**
 * A fixed set of indices with reference counts: the pages of a cache, or the slots of its
 * sequences. Not thread-safe.
 */
public final class IndexPool {
  private final int[] free;
  private final int[] references;
  private int freeCount;

  /** A pool of the indices 0 to {@code capacity - 1}, all free. */
  public IndexPool(int capacity) {
    free = new int[capacity];
    references = new int[capacity];
    freeCount = capacity;
    for (int i = 0; i < capacity; i++) {
      free[i] = capacity - 1 - i;
    }
  }

  /** Indices in all. */
  public int capacity() {
    return free.length;
  }

  /** Indices that nobody holds. */
  public int free() {
    return freeCount;
  }

  /** Indices that somebody holds. */
  public int used() {
    return free.length - freeCount;
  }

  /** Takes a free index with one reference; the caller has checked {@link #free()}. */
  public int acquire() {
    assert freeCount > 0;
    int index = free[--freeCount];
    assert references[index] == 0;
    references[index] = 1;
    return index;
  }

  /** Adds a reference to an index that is held. */
  public void retain(int index) {
    assert references[index] > 0;
    references[index]++;
  }

  /** Gives up a reference; the last one frees the index. */
  public void release(int index) {
    assert references[index] > 0;
    if (--references[index] == 0) {
      free[freeCount++] = index;
    }
  }

  /** References to an index. */
  public int references(int index) {
    return references[index];
  }

  @Override
  public String toString() {
    return "IndexPool[free=" + freeCount + ", references=" + Arrays.toString(references) + "]";
  }
}
