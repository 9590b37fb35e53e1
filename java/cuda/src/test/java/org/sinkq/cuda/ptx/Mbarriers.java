package org.sinkq.cuda.ptx;

import java.util.HashMap;
import java.util.Map;

/** The mbarrier objects of a block, by their place in shared memory. */
final class Mbarriers {
  private static final int BYTES = 8;

  private final Block block;
  private final Map<Integer, Mbarrier> objects = new HashMap<>();

  Mbarriers(Block block) {
    this.block = block;
  }

  void reset() {
    objects.clear();
  }

  void init(Warp warp, int lane, long address, int count) {
    if (count <= 0) {
      throw new Fault(Fault.Kind.ARGUMENT, lane, "count=" + count + ", expected at least 1");
    }
    int at = block.shared().touch(warp, lane, address, BYTES, Space.Access.WRITE);
    objects.put(at, new Mbarrier(block, count));
  }

  void invalidate(Warp warp, int lane, long address) {
    at(warp, lane, address);
    objects.remove(block.shared().touch(warp, lane, address, BYTES, Space.Access.WRITE));
  }

  Mbarrier at(Warp warp, int lane, long address) {
    int at = block.shared().touch(warp, lane, address, BYTES, Space.Access.ATOMIC);
    Mbarrier found = objects.get(at);
    if (found == null) {
      throw new Fault(
          Fault.Kind.ARGUMENT,
          lane,
          "no mbarrier was initialised at shared address=" + Fault.hex(address));
    }
    return found;
  }

  /** At the end of a block no copy may be in flight. */
  void checkDone() {
    for (Mbarrier mbarrier : objects.values()) {
      if (!mbarrier.quiet()) {
        throw new Fault(
            Fault.Kind.RACE, -1, "the block ends while a bulk copy into it is in flight");
      }
    }
  }
}
