package org.sinkq.cuda.ptx;

/**
 * Finds hazards in shared memory. Each word remembers its last write and each actor's last read of
 * it: when (a stamp), by which lane, by which bytes, at which line. An access conflicts with an
 * earlier one of another actor unless a chain of barriers lies between them, which the vector
 * clocks of {@link Clocks} tell, and with one of another lane of its warp unless a barrier of the
 * warp or of the block does: PTX orders memory between lanes at nothing else, not at shfl, vote,
 * match, redux, ldmatrix or mma.
 *
 * <pre>
 *   what a word remembers of one access, a long
 *   63 .. 36 | 35 .. 18 |   17  |   16   | 15 .. 12 | 11 .. 6 |    5    | 4 .. 0
 *    stamp   |   line   | mixed | atomic |   bytes  |  actor  | several |  lane
 * </pre>
 *
 * <p>"Several" is a read by this lane and by others. "Mixed" is an entry whose bytes are not all of
 * the same lanes: those of each byte lie in an array of their own. Where some lanes of a warp
 * passed barriers without the others, the others of a "several" are not looked at; nothing is
 * reported that is in order.
 */
final class RaceShadow {
  private static final int LANE_MASK = 0x1f;
  private static final int SEVERAL = 0x20;
  private static final int CODE_MASK = LANE_MASK | SEVERAL;
  private static final int ACTOR_SHIFT = 6;
  private static final int ACTOR_MASK = 0x3f;
  private static final int BYTES_SHIFT = 12;
  private static final int ALL_BYTES = 0xf << BYTES_SHIFT;
  private static final int ATOMIC = 1 << 16;
  private static final int MIXED = 1 << 17;

  /** What an entry of one lane alone has of it. */
  private static final int WHO = MIXED | (ACTOR_MASK << ACTOR_SHIFT) | CODE_MASK;

  private static final int LINE_SHIFT = 18;
  private static final int LINE_MASK = (1 << 18) - 1;
  private static final int STAMP_SHIFT = 36;

  /** Of a byte: all lanes are ordered behind its access. */
  private static final byte NOBODY = CODE_MASK + 1;

  private static final int WORD = 4;

  private final Clocks clocks;
  private final int actors;
  private final long[] writes;

  /** What all actors read of a word, side by side. */
  private final long[] reads;

  /** Lanes of each byte of a mixed entry of {@link #writes}; null before there is one. */
  private byte[] writers;

  private byte[] readers;

  /** The lane, with others or not, that the last conflict between lanes was found with. */
  private int culprit;

  /** The write of another lane that {@link #checkWrites} found in the way of a write. */
  private long rival;

  RaceShadow(int words, Clocks clocks) {
    this.clocks = clocks;
    actors = clocks.actors();
    writes = new long[words];
    reads = new long[words * actors];
  }

  /** What a warp's plain access leaves behind, but for its bytes and its lane. */
  long access(int actor, int line) {
    return entry(actor, clocks.now(actor), line);
  }

  /** What an asynchronous copy that landed at a stamp leaves behind. */
  long copied(int stamp, int line) {
    return entry(actors - 1, stamp, line);
  }

  private static long entry(int by, int stamp, int line) {
    return (long) stamp << STAMP_SHIFT
        | (long) Math.min(line, LINE_MASK) << LINE_SHIFT
        | by << ACTOR_SHIFT;
  }

  private static int stamp(long entry) {
    return (int) (entry >>> STAMP_SHIFT);
  }

  private static int actor(long entry) {
    return (int) entry >>> ACTOR_SHIFT & ACTOR_MASK;
  }

  /** The bytes of a word that an access touches, in their place in an entry. */
  private static int bytesOf(int at, int size) {
    return size >= WORD ? ALL_BYTES : ((1 << size) - 1) << (at & 3) << BYTES_SHIFT;
  }

  /** Checks a read and notes it; {@code access} is what {@link #access} gave. */
  void read(int actor, int lane, long address, int at, int size, Space.Access kind, long access) {
    int[] seen = clocks.seen(actor);
    int bytes = bytesOf(at, size);
    int self = (actor << ACTOR_SHIFT) | lane;
    long entry = access | bytes | lane;
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      long write = writes[word];
      if (isInTheWay(write, seen, bytes, self)) {
        checkWrite(write, actor, lane, address, at, size, kind, word);
      }
      int k = word * actors + actor;
      long last = reads[k];
      boolean fresh = bytes == ALL_BYTES && stamp(last) != stamp(entry);
      reads[k] = fresh ? entry : again(last, entry, k, actor);
    }
  }

  /** What is left of two reads of a word by an actor. */
  private long again(long last, long entry, int k, int actor) {
    long other = last ^ entry;
    if (stamp(other) == 0 && (other & (ALL_BYTES | MIXED)) == 0) {
      return entry | (last & SEVERAL) | ((other & LANE_MASK) == 0 ? 0 : SEVERAL);
    }
    if (stamp(last) <= clocks.released(actor)) {
      return entry;
    }
    readers = readers == null ? new byte[reads.length * WORD] : readers;
    return combine(last, entry, readers, k, SEVERAL);
  }

  /** Notes a write; {@code access} is what {@link #access} or {@link #copied} gave. */
  void noteWrite(long access, int lane, int at, int size, Space.Access kind) {
    int bytes = bytesOf(at, size);
    long entry = access | bytes | lane | (kind == Space.Access.WRITE ? 0 : ATOMIC);
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      long last = writes[word];
      if (bytes != ALL_BYTES
          && ((last ^ entry) & (ATOMIC | ACTOR_MASK << ACTOR_SHIFT)) == 0
          && stamp(last) > clocks.released(actor(entry))) {
        writers = writers == null ? new byte[writes.length * WORD] : writers;
        writes[word] = combine(last, entry, writers, word, 0);
      } else {
        writes[word] = entry;
      }
    }
  }

  /**
   * One entry for two accesses of an actor to bytes of a word.
   *
   * @param codes lanes of the bytes of entries, four each
   * @param several what a byte that both touched is marked with if their lanes differ
   */
  private static long combine(long last, long entry, byte[] codes, int k, int several) {
    boolean mixed = false;
    int lane = (int) entry & LANE_MASK;
    int common = -1;
    for (int b = 0; b < WORD; b++) {
      int bit = 1 << (BYTES_SHIFT + b);
      if (((last | entry) & bit) == 0) {
        continue;
      }
      int code = NOBODY;
      if ((last & bit) != 0 && stamp(last) == stamp(entry)) {
        code = (last & MIXED) != 0 ? codes[k * WORD + b] : (int) last & CODE_MASK;
      }
      if ((entry & bit) != 0) {
        boolean shared = code != NOBODY && code != lane;
        code = shared ? lane | several : lane;
      }
      codes[k * WORD + b] = (byte) code;
      mixed |= code == NOBODY || (common >= 0 && code != common);
      common = code;
    }
    return entry | (last & ALL_BYTES) | (mixed ? MIXED : common & SEVERAL);
  }

  /**
   * Finds a write that no barrier orders before an access.
   *
   * @return bytes that another lane of the warp wrote, counted from the access's first word, where
   *     the access is a plain write: it races with that one if it changes them
   */
  int checkWrites(int actor, int lane, long address, int at, int size, Space.Access kind) {
    int[] seen = clocks.seen(actor);
    int bytes = bytesOf(at, size);
    int self = (actor << ACTOR_SHIFT) | lane;
    int overlap = 0;
    int first = at >> 2;
    int end = (at + size - 1) >> 2;
    for (int word = first; word <= end; word++) {
      long last = writes[word];
      if (isInTheWay(last, seen, bytes, self)) {
        int hit = checkWrite(last, actor, lane, address, at, size, kind, word);
        overlap |= hit << ((word - first) * WORD);
      }
    }
    return overlap;
  }

  /** Whether another one wrote some of the bytes, later than what {@code seen} is of its actor. */
  private static boolean isInTheWay(long write, int[] seen, int bytes, int self) {
    return stamp(write) > seen[actor(write)] && (write & bytes) != 0 && ((int) write & WHO) != self;
  }

  private int checkWrite(
      long last, int actor, int lane, long address, int at, int size, Space.Access kind, int word) {
    boolean atomic = (last & ATOMIC) != 0;
    if (atomic && kind != Space.Access.READ && kind != Space.Access.WRITE) {
      return 0;
    }
    int hit = 0;
    if (actor(last) == actor) {
      hit = conflict(last, writers, word, bytesOf(at, size), actor, lane);
      if (hit == 0) {
        return 0;
      }
    }
    if (hit == 0 || atomic || kind != Space.Access.WRITE) {
      throw hazard(actor, lane, address, size, kind, "write", last);
    }
    rival = (last & ~CODE_MASK) | culprit;
    return hit >> BYTES_SHIFT;
  }

  /** Finds a read that no barrier orders before a write. */
  void checkReads(int actor, int lane, long address, int at, int size, Space.Access kind) {
    int[] seen = clocks.seen(actor);
    int self = (actor << ACTOR_SHIFT) | lane;
    int bytes = bytesOf(at, size);
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      for (int by = 0; by < actors; by++) {
        int k = word * actors + by;
        long last = reads[k];
        if (stamp(last) > seen[by]
            && (last & bytes) != 0
            && (by != actor
                || (((int) last & WHO) != self
                    && conflict(last, readers, k, bytes, actor, lane) != 0))) {
          throw hazard(actor, lane, address, size, kind, "read", last);
        }
      }
    }
  }

  /**
   * The bytes of an entry of the own warp that lanes touched which a lane is not ordered behind.
   */
  private int conflict(long last, byte[] codes, int k, int bytes, int actor, int lane) {
    int hit = (int) last & bytes;
    if ((last & MIXED) == 0) {
      int code = (int) last & CODE_MASK;
      return code != lane && races(code, actor, lane, stamp(last)) ? hit : 0;
    }
    int found = 0;
    for (int b = WORD - 1; b >= 0; b--) {
      int bit = 1 << (BYTES_SHIFT + b);
      int code = codes[k * WORD + b];
      if ((hit & bit) != 0 && code != NOBODY && races(code, actor, lane, stamp(last))) {
        found |= bit;
      }
    }
    return found;
  }

  private boolean races(int code, int actor, int lane, int stamp) {
    int by = code & LANE_MASK;
    LaneClocks lanes = clocks.lanes(actor);
    boolean found = lanes.uneven() ? by != lane && !lanes.ordered(lane, by, stamp) : code != lane;
    culprit = found ? code : culprit;
    return found;
  }

  private Fault hazard(
      int actor, int lane, long address, int size, Space.Access kind, String other, long last) {
    int by = actor(last);
    if (by == actor) {
      return hazard(lane, address, size, kind, other + " by " + lane(lane), last, "bar.warp.sync");
    }
    String who = by == actors - 1 ? "an asynchronous copy" : "warp " + by;
    return hazard(lane, address, size, kind, other + " by " + who, last, "barrier");
  }

  /** The lane that a conflict was found with. */
  private String lane(int self) {
    int by = culprit & LANE_MASK;
    return by == self ? "another lane" : "lane " + by;
  }

  /** The write of a lane over what {@link #checkWrites} found. */
  Fault overwrite(int lane, long address, int size) {
    culprit = (int) rival & CODE_MASK;
    String other = "write of another value by " + lane(lane);
    return hazard(lane, address, size, Space.Access.WRITE, other, rival, "bar.warp.sync");
  }

  private static Fault hazard(
      int lane, long address, int size, Space.Access kind, String other, long last, String need) {
    return new Fault(
        Fault.Kind.RACE,
        lane,
        "%s of %d bytes at shared address=%s races with a %s at line %d: no %s between"
            .formatted(
                Space.verb(kind),
                size,
                Fault.hex(address),
                other,
                (int) (last >>> LINE_SHIFT) & LINE_MASK,
                need));
  }
}
