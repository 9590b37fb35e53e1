package org.sinkq.cuda.ptx;

import java.util.Arrays;

/**
 * How far each lane of a warp is ordered behind each other lane, where some are further than
 * others: after a {@code bar.warp.sync} of some lanes, or when a lane alone saw a barrier's phase
 * end. What all lanes are ordered behind is a floor that {@link Clocks} keeps.
 */
final class LaneClocks {
  /** {@code seen[a][b]} is the latest stamp of lane b that lane a is ordered behind. */
  private int[][] seen;

  private int latest;

  /** Forgets all that lies at or below a floor. */
  void raise(int floor) {
    if (latest <= floor) {
      latest = 0;
    }
  }

  /** Whether lanes differ in what they are ordered behind. */
  boolean uneven() {
    return latest != 0;
  }

  /** Whether a lane is ordered behind what another did at a stamp above the floor. */
  boolean ordered(int lane, int by, int stamp) {
    return latest != 0 && stamp <= seen[lane][by];
  }

  /** Orders the lanes of a mask behind all that they did up to a stamp, and what they had seen. */
  void join(int members, int stamp) {
    begin(stamp);
    int[] joined = new int[Lanes.WARP];
    for (int m = members; m != 0; m &= m - 1) {
      int[] row = seen[Integer.numberOfTrailingZeros(m)];
      for (int by = 0; by < Lanes.WARP; by++) {
        joined[by] = (members >>> by & 1) != 0 ? stamp : Math.max(joined[by], row[by]);
      }
    }
    for (int m = members; m != 0; m &= m - 1) {
      System.arraycopy(joined, 0, seen[Integer.numberOfTrailingZeros(m)], 0, Lanes.WARP);
    }
  }

  /** Orders the lanes of a mask behind all that the warp did up to a stamp. */
  void follow(int mask, int stamp) {
    begin(stamp);
    for (int m = mask; m != 0; m &= m - 1) {
      int[] row = seen[Integer.numberOfTrailingZeros(m)];
      for (int by = 0; by < Lanes.WARP; by++) {
        row[by] = Math.max(row[by], stamp);
      }
    }
  }

  private void begin(int stamp) {
    if (seen == null) {
      seen = new int[Lanes.WARP][Lanes.WARP];
    } else if (latest == 0) {
      for (int[] row : seen) {
        Arrays.fill(row, 0);
      }
    }
    latest = Math.max(latest, stamp);
  }
}
