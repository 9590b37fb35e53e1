package org.sinkq.cache;

import static org.sinkq.InvalidArgumentException.require;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.sinkq.SinkPolicy;

/**
 * The sink tokens of one sequence: for every tracked KV head which tokens live in dense slots and
 * which of those form the pool.
 *
 * <p>A slot is free, or holds a pool token, or a spill token. A token keeps its slot for life:
 * leaving the pool only changes its kind, so a selection never moves or overwrites a committed row,
 * and undoing one is a matter of indices.
 *
 * <pre>
 *   head 0: slot 0 .. P+A-1   position, score, kind    frozenAt
 *   head 1: ...
 * </pre>
 *
 * <p>The smaller a token's score, the more of a sink it is. Scores are exact, in any order of
 * summation: the sum over channels of |fp16 key| in units of 2^-24, or where a policy goes by
 * attention {@link #NO_MASS} minus the mass in the same units.
 */
public final class SinkTable {
  /** Value of {@link #position} for a free slot. */
  public static final int FREE = -1;

  /** Score of a token without attention mass; every unit of mass lowers it by one. */
  public static final long NO_MASS = 1L << 62;

  /** Units of score in one probability. */
  public static final float MASS_UNITS = 0x1p24f;

  private static final byte KIND_FREE = 0;
  private static final byte KIND_POOL = 1;
  private static final byte KIND_SPILL = 2;
  private static final int NOT_FROZEN = -1;

  private final SinkPolicy policy;
  private final int heads;
  private final int slots;
  private final int[] position;
  private final long[] score;
  private final byte[] kind;
  private final int[] frozenAt;
  private long version;

  /** An empty table for {@code heads} tracked KV heads. */
  public SinkTable(SinkPolicy policy, int heads) {
    this.policy = policy;
    this.heads = heads;
    slots = policy.slots();
    position = new int[heads * slots];
    score = new long[heads * slots];
    kind = new byte[heads * slots];
    frozenAt = new int[heads];
    clear();
  }

  /** Bytes that a table takes. */
  public static long byteSize(SinkPolicy policy, int heads) {
    return (long) heads * (policy.slots() * (Integer.BYTES + Long.BYTES + 1L) + Integer.BYTES);
  }

  /** Bytes of one head as {@link #write} lays it out. */
  public static int imageLength(int slots) {
    return align(scoresOffset(slots) + slots * (Long.BYTES + 1));
  }

  private static int scoresOffset(int slots) {
    return align(Integer.BYTES + slots * Integer.BYTES);
  }

  private static int align(int length) {
    return (length + Long.BYTES - 1) / Long.BYTES * Long.BYTES;
  }

  /**
   * Changes whenever the content may have changed, so that an engine which keeps a copy in its own
   * memory knows when to renew it.
   */
  public long version() {
    return version;
  }

  /**
   * Writes one head for an engine that selects sinks in its own memory.
   *
   * <pre>
   *   frozenAt | position [slots] | pad to 8 | score [slots] | kind [slots] | pad to 8
   * </pre>
   *
   * @param to {@link #imageLength} bytes from its position on, in the order of the engine
   */
  public void write(int head, ByteBuffer to) {
    int start = to.position();
    to.putInt(start, frozenAt[head]);
    for (int s = 0; s < slots; s++) {
      int at = head * slots + s;
      to.putInt(start + (1 + s) * Integer.BYTES, position[at]);
      to.putLong(start + scoresOffset(slots) + s * Long.BYTES, score[at]);
      to.put(start + scoresOffset(slots) + slots * Long.BYTES + s, kind[at]);
    }
    to.position(start + imageLength(slots));
  }

  /** Takes over one head from such an engine; the counterpart of {@link #write}. */
  public void read(int head, ByteBuffer from) {
    version++;
    int start = from.position();
    frozenAt[head] = from.getInt(start);
    for (int s = 0; s < slots; s++) {
      int at = head * slots + s;
      position[at] = from.getInt(start + (1 + s) * Integer.BYTES);
      score[at] = from.getLong(start + scoresOffset(slots) + s * Long.BYTES);
      kind[at] = from.get(start + scoresOffset(slots) + slots * Long.BYTES + s);
    }
    from.position(start + imageLength(slots));
  }

  /**
   * Checks a table that comes from outside.
   *
   * @param flushed tokens of the sequence that live in pages, pool or spill
   * @throws org.sinkq.InvalidArgumentException naming what no table of such a sequence holds
   */
  public void requireConsistent(int flushed) {
    for (int h = 0; h < heads; h++) {
      require(
          frozenAt[h] >= NOT_FROZEN && frozenAt[h] < flushed,
          "frozenAt=%d of tracked head %d, expected -1 to %d",
          frozenAt[h],
          h,
          flushed - 1);
      require(
          poolSize(h) <= policy.poolTokens() && spillSize(h) <= policy.spillTokens(),
          "pool=%d, spill=%d of tracked head %d, expected at most %d and %d",
          poolSize(h),
          spillSize(h),
          h,
          policy.poolTokens(),
          policy.spillTokens());
      for (int s = 0; s < slots; s++) {
        int at = h * slots + s;
        boolean free = position[at] == FREE && kind[at] == KIND_FREE;
        boolean used = kind[at] == KIND_POOL || kind[at] == KIND_SPILL;
        require(
            free
                || (used
                    && position[at] >= 0
                    && position[at] < flushed
                    && slotOf(h, position[at]) == s),
            "position=%d of kind %d in sink slot %d of tracked head %d, expected a free slot or a"
                + " token below %d that is in no other",
            position[at],
            kind[at],
            s,
            h,
            flushed);
      }
    }
  }

  /** Forgets everything. */
  public void clear() {
    version++;
    Arrays.fill(position, FREE);
    Arrays.fill(kind, KIND_FREE);
    Arrays.fill(frozenAt, NOT_FROZEN);
  }

  /** Takes over the content of another table of the same size. */
  public void copyFrom(SinkTable other) {
    version++;
    System.arraycopy(other.position, 0, position, 0, position.length);
    System.arraycopy(other.score, 0, score, 0, score.length);
    System.arraycopy(other.kind, 0, kind, 0, kind.length);
    System.arraycopy(other.frozenAt, 0, frozenAt, 0, heads);
  }

  /** Dense slots of a head, P + A. */
  public int slots() {
    return slots;
  }

  /** Tracked KV heads. */
  public int heads() {
    return heads;
  }

  /** Position of the token in a slot, or {@link #FREE}. */
  public int position(int head, int slot) {
    return position[head * slots + slot];
  }

  /** Score of the token in a slot. */
  public long score(int head, int slot) {
    return score[head * slots + slot];
  }

  /** Whether the token in a slot is in the pool. */
  public boolean inPool(int head, int slot) {
    return kind[head * slots + slot] == KIND_POOL;
  }

  /** Whether the pool of a head takes part in no further selection. */
  public boolean isFrozen(int head) {
    return frozenAt[head] != NOT_FROZEN;
  }

  /** Tokens in the pool of a head. */
  public int poolSize(int head) {
    return count(head, KIND_POOL);
  }

  /** Tokens in the spill area of a head. */
  public int spillSize(int head) {
    return count(head, KIND_SPILL);
  }

  private int count(int head, byte wanted) {
    int n = 0;
    for (int i = head * slots; i < (head + 1) * slots; i++) {
      n += kind[i] == wanted ? 1 : 0;
    }
    return n;
  }

  /** Slots from the first to the last one that any head uses. */
  public int slotsInUse() {
    int last = -1;
    for (int i = 0; i < position.length; i++) {
      last = position[i] == FREE ? last : Math.max(last, i % slots);
    }
    return last + 1;
  }

  /** Slot that holds a position, or -1. */
  public int slotOf(int head, int wantedPosition) {
    for (int s = 0; s < slots; s++) {
      if (position[head * slots + s] == wantedPosition) {
        return s;
      }
    }
    return -1;
  }

  /** Positions in pool and spill of a head, ascending. */
  public int[] positions(int head) {
    return Arrays.stream(position, head * slots, (head + 1) * slots)
        .filter(p -> p != FREE)
        .sorted()
        .toArray();
  }

  /**
   * One flush of a head: of its pool and the tokens of the flushed groups, the P with the smallest
   * scores form the new pool, ties going to the older position. What leaves the pool becomes spill;
   * if the spill area cannot take it, the head freezes and nothing changes.
   *
   * @param head tracked KV head
   * @param base position of the first flushed token
   * @param scores [count] scores of the flushed tokens, ascending positions
   * @param count flushed tokens
   * @param journal where the state before a change is recorded
   * @param picks receives which flushed tokens enter the pool, and their slots
   */
  public void select(
      int head, int base, long[] scores, int count, SinkJournal journal, SinkPicks picks) {
    picks.clear();
    if (isFrozen(head)) {
      return;
    }
    boolean byPosition = policy.selection() == SinkPolicy.Selection.FIRST_TOKENS;
    int pool = collectPool(head, picks);
    for (int i = 0; i < count; i++) {
      pool = offer(picks, pool, i, byPosition ? base + i : scores[i]);
    }
    int leaving = poolSize(head);
    for (int i = 0; i < pool; i++) {
      leaving -= picks.candidate[i] < 0 ? 1 : 0;
    }
    journal.record(this, head);
    version++;
    if (leaving > policy.spillTokens() - spillSize(head)) {
      frozenAt[head] = base;
      return;
    }
    retireLosers(head, picks, pool);
    for (int i = 0; i < pool; i++) {
      if (picks.candidate[i] >= 0) {
        int slot = slotOf(head, FREE);
        set(head, slot, base + picks.candidate[i], picks.score[i], KIND_POOL);
        picks.add(picks.candidate[i], slot);
      }
    }
  }

  /**
   * Loads the pool into the candidate list, sorted by (score, position); a member is coded as -1 -
   * slot.
   */
  private int collectPool(int head, SinkPicks picks) {
    int size = 0;
    for (int s = 0; s < slots; s++) {
      int at = head * slots + s;
      if (kind[at] != KIND_POOL) {
        continue;
      }
      int i = size++;
      while (i > 0 && precedes(at, head * slots + (-1 - picks.candidate[i - 1]))) {
        picks.shift(i--);
      }
      picks.put(i, -1 - s, score[at]);
    }
    return size;
  }

  /**
   * Inserts a flushed token if it beats the worst candidate. All earlier candidates are older, so
   * only a smaller score wins.
   */
  private int offer(SinkPicks picks, int size, int candidate, long value) {
    int i = size;
    if (size == policy.poolTokens()) {
      if (value >= picks.score[size - 1]) {
        return size;
      }
      i--;
    }
    while (i > 0 && picks.score[i - 1] > value) {
      picks.shift(i--);
    }
    picks.put(i, candidate, value);
    return Math.min(size + 1, policy.poolTokens());
  }

  private void retireLosers(int head, SinkPicks picks, int pool) {
    for (int s = 0; s < slots; s++) {
      if (inPool(head, s) && !picks.contains(-1 - s, pool)) {
        kind[head * slots + s] = KIND_SPILL;
      }
    }
  }

  private void set(int head, int slot, int newPosition, long newScore, byte newKind) {
    int at = head * slots + slot;
    position[at] = newPosition;
    score[at] = newScore;
    kind[at] = newKind;
  }

  /**
   * Frees the slots of all tokens from {@code length} on, thaws heads that froze there or later,
   * and lets spilled tokens return to the places that became free in the pool. Cut at a flush
   * boundary, a table is again as it was then: every token that was in the pool is still in a slot.
   */
  public void truncate(int length) {
    version++;
    for (int i = 0; i < position.length; i++) {
      if (position[i] >= length) {
        position[i] = FREE;
        kind[i] = KIND_FREE;
      }
    }
    for (int h = 0; h < heads; h++) {
      if (frozenAt[h] >= length) {
        frozenAt[h] = NOT_FROZEN;
      }
      for (int free = policy.poolTokens() - poolSize(h); free > 0 && !isFrozen(h); free--) {
        promoteSmallestSpill(h);
      }
    }
  }

  private void promoteSmallestSpill(int head) {
    int best = -1;
    for (int i = head * slots; i < (head + 1) * slots; i++) {
      if (kind[i] == KIND_SPILL && (best < 0 || precedes(i, best))) {
        best = i;
      }
    }
    if (best >= 0) {
      kind[best] = KIND_POOL;
    }
  }

  /** The order of the pool: smaller score first, then older position. */
  private boolean precedes(int at, int other) {
    return score[at] < score[other]
        || (score[at] == score[other] && position[at] < position[other]);
  }

  /** A copy of one head's state, to be put back by {@link Saved#restore}. */
  Saved save(int head) {
    int from = head * slots;
    int to = from + slots;
    return new Saved(
        this,
        head,
        Arrays.copyOfRange(position, from, to),
        Arrays.copyOfRange(score, from, to),
        Arrays.copyOfRange(kind, from, to),
        frozenAt[head]);
  }

  /** State of one head before a selection. */
  record Saved(SinkTable table, int head, int[] position, long[] score, byte[] kind, int frozenAt) {
    void restore() {
      table.version++;
      int at = head * table.slots;
      System.arraycopy(position, 0, table.position, at, position.length);
      System.arraycopy(score, 0, table.score, at, score.length);
      System.arraycopy(kind, 0, table.kind, at, kind.length);
      table.frozenAt[head] = frozenAt;
    }
  }
}
