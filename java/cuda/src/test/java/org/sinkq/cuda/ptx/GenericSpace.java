package org.sinkq.cuda.ptx;

/** Generic addresses: windows onto the other spaces, and global memory everywhere else. */
final class GenericSpace extends Space {
  static final long SHARED_WINDOW = 0x7f01_0000_0000L;
  static final long LOCAL_WINDOW = 0x7f02_0000_0000L;
  static final long PARAM_WINDOW = 0x7f03_0000_0000L;
  private static final long WINDOW = 0x1_0000_0000L;

  /** Where the access that was located last lies. */
  private Space last;

  /** Where the window of a space begins; 0 for global and constant memory. */
  static long window(String space) {
    return switch (space) {
      case "shared", "shared::cta", "shared::cluster" -> SHARED_WINDOW;
      case "local" -> LOCAL_WINDOW;
      case "param" -> PARAM_WINDOW;
      case "global", "const" -> 0;
      default -> throw new IllegalArgumentException("space=" + space + ", expected a state space");
    };
  }

  /** The space that a generic address lies in. */
  static String space(long address) {
    if (address < SHARED_WINDOW || address >= PARAM_WINDOW + WINDOW) {
      return "global";
    }
    return address < LOCAL_WINDOW ? "shared" : address < PARAM_WINDOW ? "local" : "param";
  }

  @Override
  int locate(Warp warp, int lane, long address, int size, Access access) {
    String name = space(address);
    Space space = warp.space(name);
    int at = space.locate(warp, lane, address - window(name), size, access);
    bytes = space.bytes;
    last = space;
    return at;
  }

  @Override
  void settle(int lane, long address, int size) {
    last.settle(lane, address - window(space(address)), size);
  }

  @Override
  boolean locateAll(Warp warp, int mask, long[] addresses, int size, Access access) {
    // Lanes may point into different spaces.
    return false;
  }
}
