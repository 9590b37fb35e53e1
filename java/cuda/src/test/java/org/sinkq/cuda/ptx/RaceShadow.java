package org.sinkq.cuda.ptx;

/**
 * Finds hazards in shared memory. Each word remembers its last write and each actor's last read of
 * it: when (a stamp), by which bytes, at which line. An access conflicts with an earlier one of
 * another actor unless a chain of barriers lies between them, which the vector clocks of {@link
 * Clocks} tell.
 *
 * <pre>
 *   what a word remembers of one access, a long
 *   63 ......... 32 | 31 ....... 11 | 10 ... 7 |   6    | 5 ... 0
 *        stamp      |     line      |  bytes   | atomic |  actor
 * </pre>
 */
final class RaceShadow {
  private static final int ATOMIC = 0x40;
  private static final int ACTOR_MASK = 0x3f;
  private static final int BYTES_SHIFT = 7;
  private static final int ALL_BYTES = 0xf << BYTES_SHIFT;
  private static final int LINE_SHIFT = 11;
  private static final int STAMP_SHIFT = 32;

  private final Clocks clocks;
  private final int actors;
  private final long[] writes;

  /** What all actors read of a word, side by side. */
  private final long[] reads;

  RaceShadow(int words, Clocks clocks) {
    this.clocks = clocks;
    actors = clocks.actors();
    writes = new long[words];
    reads = new long[words * actors];
  }

  /** What a warp's plain access leaves behind, but for its bytes. */
  long access(int actor, int line) {
    return entry(actor, clocks.now(actor), line);
  }

  private static long entry(int by, int stamp, int line) {
    return (long) stamp << STAMP_SHIFT | (long) line << LINE_SHIFT | by;
  }

  private static int stamp(long entry) {
    return (int) (entry >>> STAMP_SHIFT);
  }

  /** The bytes of a word that an access touches, in their place in an entry. */
  private static int bytesOf(int at, int size) {
    return size >= 4 ? ALL_BYTES : ((1 << size) - 1) << (at & 3) << BYTES_SHIFT;
  }

  /** Checks a read and notes it; {@code entry} is what {@link #access} gave. */
  void read(int actor, int lane, long address, int at, int size, Space.Access access, long entry) {
    checkWrites(actor, lane, address, at, size, access);
    int bytes = bytesOf(at, size);
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      int k = word * actors + actor;
      boolean more = bytes != ALL_BYTES && stamp(reads[k]) == stamp(entry);
      reads[k] = entry | bytes | (more ? reads[k] & ALL_BYTES : 0);
    }
  }

  /** Checks a write and notes it. */
  void write(int actor, int lane, long address, int at, int size, Space.Access access, long entry) {
    checkWrites(actor, lane, address, at, size, access);
    checkReads(actor, lane, address, at, size, access);
    noteWrite(access == Space.Access.WRITE ? entry : entry | ATOMIC, at, size);
  }

  private void noteWrite(long entry, int at, int size) {
    int bytes = bytesOf(at, size);
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      long last = writes[word];
      boolean more =
          bytes != ALL_BYTES
              && stamp(last) == stamp(entry)
              && ((last ^ entry) & (ATOMIC | ACTOR_MASK)) == 0;
      writes[word] = entry | bytes | (more ? last & ALL_BYTES : 0);
    }
  }

  /** Notes that an asynchronous copy of whole words landed at a stamp. */
  void noteCopy(int at, int size, int stamp, int line) {
    noteWrite(entry(actors - 1, stamp, line), at, size);
  }

  /** Finds a write that no barrier orders before an access. */
  void checkWrites(int actor, int lane, long address, int at, int size, Space.Access access) {
    int[] seen = clocks.seen(actor);
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      long last = writes[word];
      // An actor has seen all that it did itself.
      if (stamp(last) > seen[(int) last & ACTOR_MASK]
          && (last & bytesOf(at, size)) != 0
          && (access == Space.Access.READ
              || access == Space.Access.WRITE
              || (last & ATOMIC) == 0)) {
        throw hazard(lane, address, size, access, "write", last);
      }
    }
  }

  /** Finds a read that no barrier orders before a write. */
  void checkReads(int actor, int lane, long address, int at, int size, Space.Access access) {
    int[] seen = clocks.seen(actor);
    int end = (at + size - 1) >> 2;
    for (int word = at >> 2; word <= end; word++) {
      for (int by = 0; by < actors; by++) {
        long last = reads[word * actors + by];
        if (stamp(last) > seen[by] && (last & bytesOf(at, size)) != 0) {
          throw hazard(lane, address, size, access, "read", last);
        }
      }
    }
  }

  private Fault hazard(
      int lane, long address, int size, Space.Access access, String other, long last) {
    int by = (int) last & ACTOR_MASK;
    String who = by == actors - 1 ? "an asynchronous copy" : "warp " + by;
    return new Fault(
        Fault.Kind.RACE,
        lane,
        "%s of %d bytes at shared address=%s races with a %s by %s at line %d: no barrier between"
            .formatted(
                Space.verb(access),
                size,
                Fault.hex(address),
                other,
                who,
                (int) last >>> LINE_SHIFT));
  }
}
