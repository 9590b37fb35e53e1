package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * The {@code cp.async} copies of a warp. A copy lands as late as the rules allow: when its thread
 * waits for the group that it was committed to; copies that land together do so in any order.
 */
final class CopyQueue {
  /** No stamp: a copy that its thread waited for is visible to that thread alone. */
  private static final int OWN = -1;

  private final Warp warp;
  private final RandomGenerator random;
  private final List<Copy> copies = new ArrayList<>();
  private final int[] committed = new int[Lanes.WARP];

  /**
   * A copy in flight.
   *
   * @param bytes read; the rest up to {@code size} becomes zero
   * @param from where they are; null if there are none
   */
  private record Copy(
      int lane, int group, int to, int size, DeviceMemory.Range from, int bytes, int line) {}

  CopyQueue(Warp warp, RandomGenerator random) {
    this.warp = warp;
    this.random = random;
  }

  void reset() {
    copies.clear();
    java.util.Arrays.fill(committed, 0);
  }

  void issue(int lane, long to, int size, long from, int bytes) {
    if ((to & (size - 1)) != 0) {
      throw Space.misaligned(lane, "shared", to, size);
    }
    if ((from & (size - 1)) != 0) {
      throw Space.misaligned(lane, "global", from, size);
    }
    int at = warp.block().shared().beginCopy(warp, lane, to, size);
    DeviceMemory memory = warp.block().grid().memory();
    DeviceMemory.Range source =
        bytes > 0 ? memory.range(lane, from, bytes, Space.Access.READ) : null;
    copies.add(new Copy(lane, committed[lane], at, size, source, bytes, warp.line()));
  }

  void commit(int mask) {
    for (int m = mask; m != 0; m &= m - 1) {
      committed[Integer.numberOfTrailingZeros(m)]++;
    }
  }

  /** Waits until at most {@code pending} of the latest groups are in flight. */
  void waitGroup(int mask, int pending) {
    land(mask, pending, OWN);
  }

  /** Waits for all copies, committed or not. */
  void waitAll(int mask) {
    land(mask, -1, OWN);
  }

  /** Ends the copies of a lane that an mbarrier waits for, at a stamp. */
  void landFor(int lane, int stamp) {
    land(1 << lane, -1, stamp);
  }

  /** Ends what is still in flight when the warp exits. */
  void landAll() {
    if (!copies.isEmpty()) {
      land(-1, -1, OWN);
    }
  }

  private void land(int mask, int pending, int stamp) {
    List<Copy> landing = new ArrayList<>();
    int kept = 0;
    for (Copy copy : copies) {
      if ((mask >>> copy.lane() & 1) != 0 && copy.group() < committed[copy.lane()] - pending) {
        landing.add(copy);
      } else {
        copies.set(kept++, copy);
      }
    }
    copies.subList(kept, copies.size()).clear();
    while (!landing.isEmpty()) {
      int choice = random.nextInt(landing.size());
      Copy copy = landing.get(choice);
      landing.set(choice, landing.getLast());
      landing.removeLast();
      land(copy, stamp);
    }
  }

  private void land(Copy copy, int stamp) {
    SharedSpace shared = warp.block().shared();
    boolean whole = copy.bytes() == copy.size();
    DeviceMemory.Range from = whole ? copy.from() : null;
    if (stamp == OWN) {
      shared.land(copy.to(), copy.size(), from, warp, copy.lane(), copy.line());
    } else {
      shared.land(copy.to(), copy.size(), from, stamp, copy.line());
    }
    if (!whole && copy.bytes() > 0) {
      shared.overwrite(copy.to(), copy.bytes(), copy.from());
    }
  }
}
