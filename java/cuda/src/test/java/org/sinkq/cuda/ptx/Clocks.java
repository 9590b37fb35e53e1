package org.sinkq.cuda.ptx;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The vector clocks of a block: {@code clock[a][b]} is the latest stamp of actor b that actor a is
 * ordered behind. Actors are the warps and, last, the asynchronous copies. {@code clock[a][a]} is
 * what all lanes of warp a are ordered behind; where single lanes are further, {@link LaneClocks}
 * tell. Stamps never come again during a launch, so the shadow need not be cleared between blocks:
 * whatever is older than the block is ordered before all of it.
 */
final class Clocks {
  /** The largest stamp that {@link RaceShadow} has room for. */
  static final int MAX_STAMP = (1 << 28) - 1;

  private final int[][] clock;
  private final int[] now;
  private final int[] released;
  private final LaneClocks[] lanes;
  private final Map<Integer, int[]> words = new HashMap<>();
  private final int[] counter;

  /**
   * Creates clocks.
   *
   * @param counter the launch's source of stamps, one element
   */
  Clocks(int warps, int[] counter) {
    clock = new int[warps + 1][warps + 1];
    now = new int[warps + 1];
    released = new int[warps + 1];
    lanes = new LaneClocks[warps];
    Arrays.setAll(lanes, w -> new LaneClocks());
    this.counter = counter;
  }

  int actors() {
    return clock.length;
  }

  /** Begins a new block. */
  void reset() {
    int start = tick();
    words.clear();
    for (int a = 0; a < clock.length; a++) {
      Arrays.fill(clock[a], start);
      released[a] = start;
      now[a] = tick();
    }
    for (LaneClocks warp : lanes) {
      warp.raise(start);
    }
  }

  /** The stamp of what an actor does now. */
  int now(int actor) {
    return now[actor];
  }

  /** The latest stamp of an actor that somebody else may be ordered behind. */
  int released(int actor) {
    return released[actor];
  }

  /** A stamp for what begins, or for a copy that ends, now. */
  int tick() {
    if (counter[0] == MAX_STAMP) {
      throw new IllegalStateException("a launch has more than " + MAX_STAMP + " barriers");
    }
    return ++counter[0];
  }

  /**
   * The latest stamp of each actor that one is ordered behind, its own lanes behind each other:
   * what was done later may happen at the same time.
   */
  int[] seen(int actor) {
    return clock[actor];
  }

  /** How far single lanes of a warp are beyond what {@link #seen} tells of it. */
  LaneClocks lanes(int actor) {
    return lanes[actor];
  }

  /** An empty clock, for a barrier. */
  int[] empty() {
    return new int[clock.length];
  }

  /** Publishes all that an actor has done, and begins a new stamp for it. */
  void release(int actor, int[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] = Math.max(into[i], i == actor ? now[actor] : clock[actor][i]);
    }
    released[actor] = now[actor];
    now[actor] = tick();
  }

  /** Orders lanes of a warp, and the warp, behind all that was published. */
  void acquire(Warp warp, int mask, int[] from) {
    int[] row = clock[warp.index()];
    int own = row[warp.index()];
    for (int i = 0; i < row.length; i++) {
      row[i] = Math.max(row[i], from[i]);
    }
    int published = row[warp.index()];
    if (published > own && (warp.live() & ~mask) != 0) {
      row[warp.index()] = own;
      lanes[warp.index()].follow(mask, published);
    } else {
      lanes[warp.index()].raise(published);
    }
  }

  /** bar.warp.sync: orders lanes of a warp behind each other. */
  void synchroniseLanes(Warp warp, int members) {
    int actor = warp.index();
    if ((warp.live() & ~members) == 0) {
      clock[actor][actor] = now[actor];
      lanes[actor].raise(now[actor]);
    } else {
      lanes[actor].join(members, now[actor]);
    }
    now[actor] = tick();
  }

  /** A strong access of a word by a lane: it sees what earlier ones published, and publishes. */
  void synchronise(Warp warp, int lane, int word) {
    int[] published = words.computeIfAbsent(word, w -> empty());
    acquire(warp, 1 << lane, published);
    release(warp.index(), published);
  }
}
