package org.sinkq.cuda.ptx;

/**
 * The shared memory of a block: bounds, what was written, what copies are in flight, and a {@link
 * RaceShadow} that finds hazards. Asynchronous copies are one more warp to it.
 *
 * <p>Static variables begin at {@link #BASE}, dynamic memory at {@link #DYNAMIC_BASE}.
 */
final class SharedSpace extends Space {
  /** Never 0, so that a null pointer is noticed. */
  static final int BASE = 0x400;

  static final int DYNAMIC_BASE = 0x10_0000;

  private final int staticBytes;
  private final int dynamicBytes;
  private final Clocks clocks;
  private final RaceShadow shadow;
  private final InitBits init;
  private final InitBits inFlight;
  private int copiesInFlight;

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
    int at = touch(warp, lane, address, size, access);
    if (access != Access.READ && access != Access.WRITE) {
      clocks.synchronise(warp.index(), at >> 2);
    }
    return at;
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
      at[lane] = touch(actor, lane, addresses[lane], size, access, entry);
    }
    return true;
  }

  /** {@link #locate}, except that an atomic access orders nothing: mbarriers do that themselves. */
  int touch(Warp warp, int lane, long address, int size, Access access) {
    long entry = shadow.access(warp.index(), warp.line());
    return touch(warp.index(), lane, address, size, access, entry);
  }

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
      shadow.write(actor, lane, address, at, size, access, entry);
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
    shadow.checkWrites(warp.index(), lane, address, at, size, Access.WRITE);
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
    shadow.noteCopy(at, size, stamp, line);
  }

  /** Replaces the first bytes of a copy that landed as zeros. */
  void overwrite(int at, int size, DeviceMemory.Range from) {
    System.arraycopy(from.allocation().data, from.offset(), bytes, at, size);
    init.copy(at, from.allocation().init, from.offset(), size);
  }

  /** Begins a copy out of shared memory: the bytes may be read until it ends. */
  int beginRead(Warp warp, int lane, long address, int size) {
    int at = index(lane, address, size, Access.READ);
    shadow.checkWrites(warp.index(), lane, address, at, size, Access.READ);
    return at;
  }
}
