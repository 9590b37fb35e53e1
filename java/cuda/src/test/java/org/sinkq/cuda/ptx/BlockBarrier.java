package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** One of a block's sixteen barriers. */
final class BlockBarrier {
  private final Block block;
  private final List<Waiter> waiters = new ArrayList<>();
  private int[] published;
  private int[] arrivedLanes;
  private int arrivedThreads;
  private int expectedThreads;
  private boolean used;
  private int popc;

  /** What happens to a waiting group when the barrier completes; the count is the reduction's. */
  @FunctionalInterface
  interface Completion {
    void complete(int trueLanes, int allLanes);
  }

  private record Waiter(Warp warp, int mask, Completion completion) {}

  private int lanes;

  BlockBarrier(Block block) {
    this.block = block;
  }

  void reset() {
    waiters.clear();
    published = block.clocks().empty();
    arrivedLanes = new int[block.clocks().actors()];
    arrivedThreads = 0;
    expectedThreads = 0;
    used = false;
    popc = 0;
    lanes = 0;
  }

  /**
   * Lanes arrive.
   *
   * @param threads that the barrier waits for; 0 for all of the block
   * @param predicate of a reduction, per lane
   * @param completion of those that wait, or null for an arrival alone
   */
  void arrive(Warp warp, int mask, int threads, int predicate, Completion completion) {
    if (threads % Lanes.WARP != 0) {
      throw new Fault(
          Fault.Kind.ARGUMENT, -1, "threads=" + threads + ", expected a multiple of 32");
    }
    if (used && threads != expectedThreads) {
      throw new Fault(
          Fault.Kind.DIVERGENCE,
          -1,
          "threads=%d, but the barrier was begun for %d".formatted(threads, expectedThreads));
    }
    used = true;
    expectedThreads = threads;
    arrivedLanes[warp.index()] |= mask;
    arrivedThreads += mask == warp.live() ? Lanes.WARP : Integer.bitCount(mask);
    popc += Integer.bitCount(predicate & mask);
    lanes += Integer.bitCount(mask);
    block.clocks().release(warp.index(), published);
    if (completion != null) {
      waiters.add(new Waiter(warp, mask, completion));
      warp.parkAtBarrier();
    }
    completeIfFull();
  }

  void completeIfFull() {
    if (!used || !full()) {
      return;
    }
    if (expectedThreads > 0 && arrivedThreads > expectedThreads) {
      throw new Fault(
          Fault.Kind.DIVERGENCE,
          -1,
          "%d threads arrived at a barrier for %d".formatted(arrivedThreads, expectedThreads));
    }
    List<Waiter> released = List.copyOf(waiters);
    int[] clock = published;
    int count = popc;
    int all = lanes;
    reset();
    block.grid().progress();
    for (Waiter waiter : released) {
      block.clocks().acquire(waiter.warp(), waiter.mask(), clock);
      waiter.completion().complete(count, all);
      waiter.warp().unpark(waiter.mask());
    }
  }

  private boolean full() {
    if (expectedThreads > 0) {
      return arrivedThreads >= expectedThreads;
    }
    return Arrays.stream(block.warps()).allMatch(w -> (w.live() & ~arrivedLanes[w.index()]) == 0);
  }
}
