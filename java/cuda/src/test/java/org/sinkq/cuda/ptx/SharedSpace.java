package org.sinkq.cuda.ptx;

/**
 * The shared memory of a block, with a shadow that finds hazards. Each word remembers its last
 * write and each warp's last read: when (a stamp), by which bytes, at which line. An access
 * conflicts with an earlier one of another warp unless a chain of barriers lies between them, which
 * the vector clocks of {@link Clocks} tell. Asynchronous copies are one more warp.
 *
 * <p>Static variables begin at {@link #BASE}, dynamic memory at {@link #DYNAMIC_BASE}.
 */
final class SharedSpace extends Space {
  /** Never 0, so that a null pointer is noticed. */
  static final int BASE = 0x400;

  static final int DYNAMIC_BASE = 0x10_0000;

  private static final int ATOMIC_WRITE = 0x40;

  private final int staticBytes;
  private final int dynamicBytes;
  private final int words;
  private final Clocks clocks;
  private final InitBits init;
  private final InitBits inFlight;
  private int copiesInFlight;
  private final int[] writeStamp;
  private final int[] writeLine;
  private final byte[] writer;
  private final byte[] writeBytes;
  private final int[] readStamp;
  private final int[] readLine;
  private final byte[] readBytes;

  SharedSpace(int staticBytes, int dynamicBytes, Clocks clocks) {
    this.staticBytes = (staticBytes + 63) / 64 * 64;
    this.dynamicBytes = dynamicBytes;
    this.clocks = clocks;
    int size = this.staticBytes + dynamicBytes;
    words = (size + 3) / 4;
    bytes = new byte[size];
    init = new InitBits(size);
    inFlight = new InitBits(size);
    writeStamp = new int[words];
    writeLine = new int[words];
    writer = new byte[words];
    writeBytes = new byte[words];
    readStamp = new int[words * clocks.actors()];
    readLine = new int[words * clocks.actors()];
    readBytes = new byte[words * clocks.actors()];
  }

  /** Makes the memory that of a new block. */
  void reset() {
    init.clear();
    inFlight.clear();
    copiesInFlight = 0;
  }

  @Override
  int locate(Warp warp, int lane, long address, int size, Access access) {
    int at = touch(warp, lane, address, size, access);
    if (access != Access.READ && access != Access.WRITE) {
      clocks.synchronise(warp.index(), at >> 2);
    }
    return at;
  }

  /** {@link #locate}, except that an atomic access orders nothing: mbarriers do that themselves. */
  int touch(Warp warp, int lane, long address, int size, Access access) {
    int at = index(lane, address, size, access);
    if ((address & (size - 1)) != 0) {
      throw misaligned(lane, "shared", address, size);
    }
    if (copiesInFlight > 0 && inFlight.any(at, size)) {
      throw new Fault(
          Fault.Kind.RACE,
          lane,
          "%s of shared address=%s while an asynchronous copy of it is in flight"
              .formatted(verb(access), Fault.hex(address)));
    }
    boolean reads = access != Access.WRITE && access != Access.STRONG_WRITE;
    if (reads && !init.all(at, size)) {
      throw new Fault(
          Fault.Kind.UNINITIALISED,
          lane,
          "%s of %d bytes at uninitialised shared address=%s"
              .formatted(verb(access), size, Fault.hex(address)));
    }
    if (access == Access.READ || access == Access.STRONG_READ) {
      checkWriter(warp.index(), lane, address, at, size, access);
      noteRead(warp.index(), at, size, warp.line());
    } else {
      checkWriter(warp.index(), lane, address, at, size, access);
      checkReaders(warp.index(), lane, address, at, size, access);
      int by = warp.index() | (access == Access.WRITE ? 0 : ATOMIC_WRITE);
      noteWrite(by, clocks.now(warp.index()), at, size, warp.line());
      init.set(at, size);
    }
    return at;
  }

  private int index(int lane, long address, long size, Access access) {
    if (address >= DYNAMIC_BASE && address - DYNAMIC_BASE <= dynamicBytes - size) {
      return staticBytes + (int) (address - DYNAMIC_BASE);
    }
    if (address >= BASE && address - BASE <= staticBytes - size) {
      return (int) (address - BASE);
    }
    throw new Fault(
        Fault.Kind.ADDRESS,
        lane,
        "out-of-bounds %s of %d bytes at shared address=%s, expected static [%s, %s) or dynamic [%s, %s)"
            .formatted(
                verb(access),
                size,
                Fault.hex(address),
                Fault.hex(BASE),
                Fault.hex(BASE + staticBytes),
                Fault.hex(DYNAMIC_BASE),
                Fault.hex(DYNAMIC_BASE + (long) dynamicBytes)));
  }

  private void checkWriter(int actor, int lane, long address, int at, int size, Access access) {
    for (int word = at >> 2; word <= (at + size - 1) >> 2; word++) {
      int by = writer[word] & ~ATOMIC_WRITE;
      if (by != actor
          && !clocks.ordered(actor, by, writeStamp[word])
          && (writeBytes[word] & bytesOf(word, at, size)) != 0
          && (access == Access.READ
              || access == Access.WRITE
              || (writer[word] & ATOMIC_WRITE) == 0)) {
        throw hazard(lane, address, size, access, "write", by, writeLine[word]);
      }
    }
  }

  private void checkReaders(int actor, int lane, long address, int at, int size, Access access) {
    for (int word = at >> 2; word <= (at + size - 1) >> 2; word++) {
      int mask = bytesOf(word, at, size);
      for (int by = 0, k = word; by < clocks.actors(); by++, k += words) {
        if (by != actor && !clocks.ordered(actor, by, readStamp[k]) && (readBytes[k] & mask) != 0) {
          throw hazard(lane, address, size, access, "read", by, readLine[k]);
        }
      }
    }
  }

  private Fault hazard(
      int lane, long address, int size, Access access, String other, int by, int line) {
    String who = by == clocks.actors() - 1 ? "an asynchronous copy" : "warp " + by;
    return new Fault(
        Fault.Kind.RACE,
        lane,
        "%s of %d bytes at shared address=%s races with a %s by %s at line %d: no barrier between"
            .formatted(verb(access), size, Fault.hex(address), other, who, line));
  }

  private static int bytesOf(int word, int at, int size) {
    int from = Math.max(0, at - word * 4);
    int to = Math.min(4, at + size - word * 4);
    return (1 << to) - (1 << from);
  }

  private void noteRead(int actor, int at, int size, int line) {
    int stamp = clocks.now(actor);
    for (int word = at >> 2; word <= (at + size - 1) >> 2; word++) {
      int k = actor * words + word;
      int mask = bytesOf(word, at, size);
      readBytes[k] = (byte) (readStamp[k] == stamp ? readBytes[k] | mask : mask);
      readStamp[k] = stamp;
      readLine[k] = line;
    }
  }

  private void noteWrite(int by, int stamp, int at, int size, int line) {
    for (int word = at >> 2; word <= (at + size - 1) >> 2; word++) {
      int mask = bytesOf(word, at, size);
      boolean same = writeStamp[word] == stamp && writer[word] == by;
      writeBytes[word] = (byte) (same ? writeBytes[word] | mask : mask);
      writeStamp[word] = stamp;
      writer[word] = (byte) by;
      writeLine[word] = line;
    }
  }

  /** Begins a copy into shared memory: from here on its bytes are nobody's. */
  int beginCopy(Warp warp, int lane, long address, int size) {
    int at = index(lane, address, size, Access.WRITE);
    checkWriter(warp.index(), lane, address, at, size, Access.WRITE);
    checkReaders(warp.index(), lane, address, at, size, Access.WRITE);
    if (copiesInFlight > 0 && inFlight.anyOf(at, size)) {
      throw new Fault(
          Fault.Kind.RACE,
          lane,
          "copy to shared address=%s while another copy of it is in flight"
              .formatted(Fault.hex(address)));
    }
    inFlight.set(at, size, true);
    copiesInFlight++;
    return at;
  }

  /** Ends a copy; {@code from} is null for zeros. */
  void land(int at, int size, DeviceMemory.Range from, int stamp, int line) {
    inFlight.set(at, size, false);
    copiesInFlight--;
    if (from == null) {
      java.util.Arrays.fill(bytes, at, at + size, (byte) 0);
      init.set(at, size, true);
    } else {
      System.arraycopy(from.allocation().data, from.offset(), bytes, at, size);
      init.copy(at, from.allocation().init, from.offset(), size);
    }
    noteWrite(clocks.actors() - 1, stamp, at, size, line);
  }

  /** Replaces the first bytes of a copy that landed as zeros. */
  void overwrite(int at, int size, DeviceMemory.Range from) {
    System.arraycopy(from.allocation().data, from.offset(), bytes, at, size);
    init.copy(at, from.allocation().init, from.offset(), size);
  }

  /** Begins a copy out of shared memory: the bytes may be read until it ends. */
  int beginRead(Warp warp, int lane, long address, int size) {
    int at = index(lane, address, size, Access.READ);
    checkWriter(warp.index(), lane, address, at, size, Access.READ);
    return at;
  }
}
