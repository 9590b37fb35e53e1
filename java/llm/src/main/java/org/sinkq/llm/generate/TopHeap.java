package org.sinkq.llm.generate;

/**
 * Takes ids in the order of falling logits, of equal ones the lower id first, without sorting them
 * all: O(n) to build, O(log n) for each id taken.
 */
final class TopHeap {
  private final float[] logits;
  private final int[] ids;
  private int size;

  /** Takes over the first {@code size} of {@code ids}, which it reorders. */
  TopHeap(float[] logits, int[] ids, int size) {
    this.logits = logits;
    this.ids = ids;
    this.size = size;
    for (int i = size / 2 - 1; i >= 0; i--) {
      siftDown(i);
    }
  }

  boolean isEmpty() {
    return size == 0;
  }

  int take() {
    int top = ids[0];
    ids[0] = ids[--size];
    siftDown(0);
    return top;
  }

  private void siftDown(int start) {
    int at = start;
    int id = ids[at];
    for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && isAbove(ids[child + 1], ids[child])) {
        child++;
      }
      if (!isAbove(ids[child], id)) {
        break;
      }
      ids[at] = ids[child];
      at = child;
    }
    ids[at] = id;
  }

  private boolean isAbove(int a, int b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  }
}
