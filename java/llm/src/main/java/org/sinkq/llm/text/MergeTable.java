package org.sinkq.llm.text;

import java.util.Arrays;
import java.util.PriorityQueue;
import java.util.function.IntConsumer;

/**
 * The pairs of neighbouring tokens that become one token, and byte-pair encoding with them: the
 * pair of the lowest rank first, of equal ranks the leftmost, until no pair is left.
 *
 * <p>The pairs lie sorted in one array, looked up by binary search:
 *
 * <pre>
 *   bit 62      42 41       21 20         0
 *   +-------------+-----------+-------------+
 *   | left id     | right id  | merge index |   index into ranks and merged
 *   +-------------+-----------+-------------+
 * </pre>
 *
 * <p>Merging keeps the tokens in a linked list and the candidate pairs in a heap, so n tokens take
 * O(n log n) time whatever they are.
 */
final class MergeTable {
  private static final int BITS = 21;
  private static final int MAX_MERGES = 1 << BITS;
  private static final int NONE = -1;

  private final long[] pairs;
  private final int[] ranks;
  private final int[] merged;

  private MergeTable(Builder builder) {
    pairs = Arrays.copyOf(builder.pairs, builder.count);
    ranks = Arrays.copyOf(builder.ranks, builder.count);
    merged = Arrays.copyOf(builder.merged, builder.count);
    Arrays.sort(pairs);
  }

  /** Merges {@code count} tokens and passes on what is left; {@code ids} is overwritten. */
  void merge(int[] ids, int count, IntConsumer out) {
    int[] previous = new int[count];
    int[] next = new int[count];
    PriorityQueue<Long> candidates = new PriorityQueue<>();
    for (int i = 0; i < count; i++) {
      previous[i] = i - 1;
      next[i] = i + 1 < count ? i + 1 : NONE;
      offer(candidates, ids, i, next[i]);
    }
    while (!candidates.isEmpty()) {
      long candidate = candidates.poll();
      int at = (int) candidate;
      int right = next[at];
      int merge = ids[at] == NONE ? NONE : find(ids, at, right);
      if (merge == NONE || ranks[merge] != candidate >>> Integer.SIZE) {
        continue; // One of the two has been merged with another since.
      }
      ids[at] = merged[merge];
      ids[right] = NONE;
      next[at] = next[right];
      if (next[at] != NONE) {
        previous[next[at]] = at;
      }
      offer(candidates, ids, previous[at], at);
      offer(candidates, ids, at, next[at]);
    }
    for (int i = 0; i < count; i++) {
      if (ids[i] != NONE) {
        out.accept(ids[i]);
      }
    }
  }

  private void offer(PriorityQueue<Long> candidates, int[] ids, int left, int right) {
    int merge = find(ids, left, right);
    if (merge != NONE) {
      candidates.add(((long) ranks[merge] << Integer.SIZE) | left);
    }
  }

  private int find(int[] ids, int left, int right) {
    if (left == NONE || right == NONE) {
      return NONE;
    }
    long key = key(ids[left], ids[right]);
    int at = Arrays.binarySearch(pairs, key);
    int first = at >= 0 ? at : -at - 1;
    return first < pairs.length && pairs[first] >>> BITS == key >>> BITS
        ? (int) pairs[first] & (MAX_MERGES - 1)
        : NONE;
  }

  private static long key(int left, int right) {
    return ((long) left << (2 * BITS)) | ((long) right << BITS);
  }

  /** Collects pairs; the ranks must not fall. Of a pair added twice, the first counts. */
  static final class Builder {
    private long[] pairs = new long[1024];
    private int[] ranks = new int[1024];
    private int[] merged = new int[1024];
    private int count;

    /** Adds a pair, or returns false if the table is full. */
    boolean add(int left, int right, int result, int rank) {
      if (count == MAX_MERGES) {
        return false;
      }
      if (count == pairs.length) {
        pairs = Arrays.copyOf(pairs, 2 * count);
        ranks = Arrays.copyOf(ranks, 2 * count);
        merged = Arrays.copyOf(merged, 2 * count);
      }
      pairs[count] = key(left, right) | count;
      ranks[count] = rank;
      merged[count] = result;
      count++;
      return true;
    }

    MergeTable build() {
      return new MergeTable(this);
    }
  }
}
