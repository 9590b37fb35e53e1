package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * An mbarrier object: a phase ends when all expected arrivals and all expected bytes have come.
 * What it waits for asynchronously lands as late as the rules allow, that is, when somebody tests
 * the barrier, and not always at the first test.
 */
final class Mbarrier {
  private final Block block;
  private final List<Landing> outstanding = new ArrayList<>();
  private final int[] published;
  private int expected;
  private int pending;
  private long bytes;
  private int phase;

  /** A copy or an arrival that is still to come. */
  @FunctionalInterface
  interface Landing {
    /** Makes it happen, at a stamp of the clocks. */
    void land(int stamp);
  }

  Mbarrier(Block block, int expected) {
    this.block = block;
    this.expected = expected;
    pending = expected;
    published = block.clocks().empty();
  }

  /** The token that an arrival returns. */
  long state() {
    return (long) pending << 32 | phase;
  }

  void arrive(Warp warp, int lane, int count) {
    block.clocks().release(warp.index(), published);
    arrive(lane, count);
  }

  void arrive(int lane, int count) {
    pending -= count;
    if (pending < 0) {
      throw new Fault(
          Fault.Kind.DIVERGENCE,
          lane,
          "arrivals=%d, but the mbarrier expects %d a phase"
              .formatted(expected - pending, expected));
    }
    endPhase();
  }

  /** Fewer arrivals from the next phase on. */
  void drop(int count) {
    expected -= count;
  }

  /** One more arrival in this phase. */
  void expectArrival() {
    pending++;
  }

  void expectBytes(long count) {
    bytes += count;
    endPhase();
  }

  private void completeBytes(long count) {
    bytes -= count;
    endPhase();
  }

  private void endPhase() {
    block.grid().progress();
    if (pending == 0 && bytes == 0) {
      phase++;
      pending = expected;
    }
  }

  /** Adds a copy of some bytes that is still to land. */
  void awaitCopy(int count, Landing landing) {
    outstanding.add(
        stamp -> {
          landing.land(stamp);
          completeBytes(count);
        });
  }

  /** Adds an arrival that is still to come. */
  void awaitArrival(Landing landing) {
    outstanding.add(landing);
  }

  /** Whether nothing is still to land. */
  boolean quiet() {
    return outstanding.isEmpty();
  }

  /** Tests whether the phase of a token has ended. */
  boolean test(Warp warp, int lane, int tokenPhase) {
    return test(warp, lane, () -> phase != tokenPhase);
  }

  /** Tests whether the phase of a parity, this one or the one before, has ended. */
  boolean testParity(Warp warp, int lane, int parity) {
    return test(warp, lane, () -> (phase & 1) != (parity & 1));
  }

  private boolean test(Warp warp, int lane, java.util.function.BooleanSupplier ended) {
    if (!ended.getAsBoolean()) {
      RandomGenerator random = block.grid().random();
      if (outstanding.isEmpty() || random.nextInt(3) != 0) {
        return false;
      }
      landAll(random);
      if (!ended.getAsBoolean()) {
        return false;
      }
    }
    block.clocks().acquire(warp, 1 << lane, published);
    return true;
  }

  private void landAll(RandomGenerator random) {
    int stamp = block.clocks().tick();
    published[published.length - 1] = stamp;
    while (!outstanding.isEmpty()) {
      outstanding.remove(random.nextInt(outstanding.size())).land(stamp);
    }
  }
}
