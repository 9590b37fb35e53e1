package org.sinkq.cuda.ptx;

/**
 * The shared memory of a block: bounds, what was written, what copies are in flight, and a {@link
 * RaceShadow} that finds hazards. Asynchronous copies are one more warp to it, or writes of the
 * lane that waited for them.
 *
 * <p>Static variables begin at {@link #BASE}, dynamic memory at {@link #DYNAMIC_BASE}.
 */
final class SharedSpace extends Space {
  /** Never 0, so that a null pointer is noticed. */
  static final int BASE = 0x400;

  static final int DYNAMIC_BASE = 0x10_0000;

  /** The longest access of an instruction, in bytes. */
  private static final int MAX_ACCESS = 32;

  private final int staticBytes;
  private final int dynamicBytes;
  private final Clocks clocks;
  private final RaceShadow shadow;
  private final InitBits init;
  private final InitBits inFlight;
  private int copiesInFlight;

  /** Bytes, from the first word of a write, that another lane wrote; see {@link #settle}. */
  private int overlap;

  /** What a write with an overlap found. */
  private final byte[] before = new byte[MAX_ACCESS];

  SharedSpace(int staticBytes, int dynamicBytes, Clocks clocks) {
    this.staticBytes = (staticBytes + 63) / 64 * 64;
    this.dynamicBytes = dynamicBytes;
    this.clocks = clocks;
    int size = this.staticBytes + dynamicBytes;
    bytes = new byte[size];
    init = new InitBits(size);
    inFlight = new InitBits(size);
    shadow = new RaceShadow((size + 3) / 4, clocks);
  }

  /** Makes the memory that of a new block. */
  void reset() {
    init.clear();
    inFlight.clear();
    copiesInFlight = 0;
  }

  @Override
  int locate(Warp warp, int lane, long address, int size, Access access) {
    long entry = shadow.access(warp.index(), warp.line());
    int at = touch(warp.index(), lane, address, size, access, entry);
    if (at < 0) {
      at = ~at;
      System.arraycopy(bytes, at, before, 0, size);
      noteWrite(lane, at, size, access, entry);
    }
    if (access != Access.READ && access != Access.WRITE) {
      clocks.synchronise(warp, lane, at >> 2);
    }
    return at;
  }

  @Override
  void settle(int lane, long address, int size) {
    if (overlap == 0) {
      return;
    }
    int at = index(lane, address, size, Access.WRITE);
    for (int i = 0; i < size; i++) {
      if ((overlap >>> ((at & 3) + i) & 1) != 0 && bytes[at + i] != before[i]) {
        throw shadow.overwrite(lane, address, size);
      }
    }
    overlap = 0;
  }

  @Override
  boolean locateAll(Warp warp, int mask, long[] addresses, int size, Access access) {
    if (access != Access.READ && access != Access.WRITE) {
      return super.locateAll(warp, mask, addresses, size, access);
    }
    int actor = warp.index();
    long entry = shadow.access(actor, warp.line());
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      int found = touch(actor, lane, addresses[lane], size, access, entry);
      if (found < 0) {
        // Each lane has to write by itself, to tell whether one changes what another wrote.
        return false;
      }
      at[lane] = found;
    }
    return true;
  }

  /** {@link #locate}, except that an atomic access orders nothing: mbarriers do that themselves. */
  int touch(Warp warp, int lane, long address, int size, Access access) {
    long entry = shadow.access(warp.index(), warp.line());
    int at = touch(warp.index(), lane, address, size, access, entry);
    if (at < 0) {
      throw shadow.overwrite(lane, address, size);
    }
    return at;
  }

  /**
   * Checks an access and notes it.
   *
   * @return its index in {@link #bytes}; the complement of that, and nothing noted, for a write
   *     that races with another lane's unless it writes the same: {@link #overlap} says where
   */
  private int touch(int actor, int lane, long address, int size, Access access, long entry) {
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
      shadow.read(actor, lane, address, at, size, access, entry);
    } else {
      overlap = shadow.checkWrites(actor, lane, address, at, size, access);
      shadow.checkReads(actor, lane, address, at, size, access);
      if (overlap != 0) {
        return ~at;
      }
      noteWrite(lane, at, size, access, entry);
    }
    return at;
  }

  private void noteWrite(int lane, int at, int size, Access access, long entry) {
    shadow.noteWrite(entry, lane, at, size, access);
    init.set(at, size);
  }

  private int index(int lane, long address, long size, Access access) {
    if (address >= DYNAMIC_BASE && address - DYNAMIC_BASE <= dynamicBytes - size) {
      return staticBytes + (int) (address - DYNAMIC_BASE);
    }
    if (address >= BASE && address - BASE <= staticBytes - size) {
      return (int) (address - BASE);
    }
    throw outside(lane, address, size, access);
  }

  private Fault outside(int lane, long address, long size, Access access) {
    return new Fault(
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

  /** Begins a copy into shared memory: from here on its bytes are nobody's. */
  int beginCopy(Warp warp, int lane, long address, int size) {
    int at = index(lane, address, size, Access.WRITE);
    if (shadow.checkWrites(warp.index(), lane, address, at, size, Access.WRITE) != 0) {
      throw shadow.overwrite(lane, address, size);
    }
    shadow.checkReads(warp.index(), lane, address, at, size, Access.WRITE);
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

  /** Ends a copy for everybody behind a stamp; {@code from} is null for zeros. */
  void land(int at, int size, DeviceMemory.Range from, int stamp, int line) {
    land(at, size, from);
    shadow.noteWrite(shadow.copied(stamp, line), 0, at, size, Access.WRITE);
  }

  /** Ends a copy that a lane waited for: from here on it is a write of that lane. */
  void land(int at, int size, DeviceMemory.Range from, Warp warp, int lane, int line) {
    land(at, size, from);
    shadow.noteWrite(shadow.access(warp.index(), line), lane, at, size, Access.WRITE);
  }

  private void land(int at, int size, DeviceMemory.Range from) {
    inFlight.set(at, size, false);
    copiesInFlight--;
    if (from == null) {
      java.util.Arrays.fill(bytes, at, at + size, (byte) 0);
      init.set(at, size, true);
    } else {
      System.arraycopy(from.allocation().data, from.offset(), bytes, at, size);
      init.copy(at, from.allocation().init, from.offset(), size);
    }
  }

  /** Replaces the first bytes of a copy that landed as zeros. */
  void overwrite(int at, int size, DeviceMemory.Range from) {
    System.arraycopy(from.allocation().data, from.offset(), bytes, at, size);
    init.copy(at, from.allocation().init, from.offset(), size);
  }
}
