package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.List;

/** A block: its warps, its shared memory, its barriers. Used again for one block after another. */
final class Block {
  private static final int BARRIERS = 16;

  private final Grid grid;
  private final Clocks clocks;
  private final SharedSpace shared;
  private final Warp[] warps;
  private final BlockBarrier[] barriers = new BlockBarrier[BARRIERS];
  private final Mbarriers mbarriers;
  private int index;
  private int running;

  Block(Grid grid) {
    this.grid = grid;
    GridShape shape = grid.shape();
    clocks = new Clocks(shape.warps(), grid.stamps());
    shared = new SharedSpace(grid.program().sharedBytes(), shape.dynamicShared(), clocks);
    mbarriers = new Mbarriers(this);
    warps = new Warp[shape.warps()];
    for (int w = 0; w < warps.length; w++) {
      warps[w] = new Warp(this, w);
    }
    for (int b = 0; b < BARRIERS; b++) {
      barriers[b] = new BlockBarrier(this);
    }
  }

  /** Becomes the block with an index in the grid. */
  void start(int newIndex) {
    index = newIndex;
    running = warps.length;
    clocks.reset();
    shared.reset();
    mbarriers.reset();
    for (BlockBarrier barrier : barriers) {
      barrier.reset();
    }
    for (Warp warp : warps) {
      warp.reset();
    }
  }

  boolean done() {
    return running == 0;
  }

  /** A warp's last lane has exited. */
  void warpDone() {
    running--;
    recheckBarriers();
    if (running == 0) {
      mbarriers.checkDone();
    }
  }

  /** Lanes have exited: a barrier may have been waiting for them only. */
  void recheckBarriers() {
    for (BlockBarrier barrier : barriers) {
      barrier.completeIfFull();
    }
  }

  BlockBarrier barrier(int id) {
    if (id < 0 || id >= BARRIERS) {
      throw new Fault(Fault.Kind.ARGUMENT, -1, "barrier=" + id + ", expected 0..15");
    }
    return barriers[id];
  }

  Grid grid() {
    return grid;
  }

  Clocks clocks() {
    return clocks;
  }

  SharedSpace shared() {
    return shared;
  }

  Mbarriers mbarriers() {
    return mbarriers;
  }

  Warp[] warps() {
    return warps;
  }

  int x() {
    return index % grid.shape().gridX();
  }

  int y() {
    return index / grid.shape().gridX() % grid.shape().gridY();
  }

  int z() {
    return index / grid.shape().gridX() / grid.shape().gridY();
  }

  /** Where the warps are that have not exited, for a report. */
  List<String> where() {
    List<String> result = new ArrayList<>();
    for (Warp warp : warps) {
      if (warp.live() != 0) {
        result.add("block=" + this + " warp=" + warp.index() + ": " + warp.where());
      }
    }
    return result;
  }

  @Override
  public String toString() {
    return "(" + x() + "," + y() + "," + z() + ")";
  }
}
