package org.sinkq.cuda.ptx;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The vector clocks of a block: {@code clock[a][b]} is the latest stamp of actor b that actor a is
 * ordered behind. Actors are the warps and, last, the asynchronous copies. Stamps never come again
 * during a launch, so the shadow need not be cleared between blocks: whatever is older than the
 * block is ordered before all of it.
 */
final class Clocks {
  private final int[][] clock;
  private final Map<Integer, int[]> words = new HashMap<>();
  private final int[] counter;

  /**
   * Creates clocks.
   *
   * @param counter the launch's source of stamps, one element
   */
  Clocks(int warps, int[] counter) {
    clock = new int[warps + 1][warps + 1];
    this.counter = counter;
  }

  int actors() {
    return clock.length;
  }

  /** Begins a new block. */
  void reset() {
    int start = ++counter[0];
    words.clear();
    for (int[] row : clock) {
      Arrays.fill(row, start);
    }
    for (int a = 0; a < clock.length; a++) {
      clock[a][a] = ++counter[0];
    }
  }

  /** The stamp of what an actor does now. */
  int now(int actor) {
    return clock[actor][actor];
  }

  /** A stamp for a copy that ends now. */
  int tick() {
    return ++counter[0];
  }

  /**
   * The latest stamp of each actor that one is ordered behind, itself included: what another did
   * later may run at the same time.
   */
  int[] seen(int actor) {
    return clock[actor];
  }

  /** An empty clock, for a barrier. */
  int[] empty() {
    return new int[clock.length];
  }

  /** Publishes all that an actor has done, and begins a new stamp for it. */
  void release(int actor, int[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] = Math.max(into[i], clock[actor][i]);
    }
    clock[actor][actor] = ++counter[0];
  }

  /** Orders an actor behind all that was published. */
  void acquire(int actor, int[] from) {
    for (int i = 0; i < from.length; i++) {
      if (i != actor) {
        clock[actor][i] = Math.max(clock[actor][i], from[i]);
      }
    }
  }

  /** Orders an actor behind a copy that ended. */
  void acquireCopy(int actor, int stamp) {
    int copies = clock.length - 1;
    clock[actor][copies] = Math.max(clock[actor][copies], stamp);
  }

  /** A strong access of a word: it sees what earlier ones published, and publishes in turn. */
  void synchronise(int actor, int word) {
    int[] published = words.computeIfAbsent(word, w -> empty());
    acquire(actor, published);
    release(actor, published);
  }
}
