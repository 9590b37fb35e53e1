package org.sinkq.cuda.ptx;

/** The local memory of a warp's threads, one after the other; call parameters live there too. */
final class LocalSpace extends Space {
  static final int BASE = 0x10;

  private final int frame;

  LocalSpace(int frame) {
    this.frame = frame;
    bytes = new byte[Lanes.WARP * frame];
  }

  @Override
  int locate(Warp warp, int lane, long address, int size, Access access) {
    long offset = address - BASE;
    if (offset < 0 || offset > frame - size) {
      throw new Fault(
          Fault.Kind.ADDRESS,
          lane,
          "out-of-bounds %s of %d bytes at local address=%s, expected [%s, %s)"
              .formatted(
                  verb(access),
                  size,
                  Fault.hex(address),
                  Fault.hex(BASE),
                  Fault.hex(BASE + (long) frame)));
    }
    if ((address & (size - 1)) != 0) {
      throw misaligned(lane, "local", address, size);
    }
    return lane * frame + (int) offset;
  }
}
