package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * A launch. Some blocks are resident at a time; a random one of their warps runs for a random
 * number of instructions, then another. Everything random comes from one seed.
 */
final class Grid {
  /** Instructions without a store, an arrival or an exit after which the warps are called stuck. */
  private static final long STUCK_INSTRUCTIONS = 4_000_000;

  private static final int MAX_RESIDENT = 4;
  private static final int LONG_SLICE = 20_000;

  private final Program program;
  private final GridShape shape;
  private final DeviceMemory memory;
  private final ParamSpace params;
  private final SplittableRandom random;
  private final int[] stamps = new int[1];
  private boolean progressed;
  private long instructions;

  Grid(Program program, GridShape shape, DeviceMemory memory, byte[] params, long seed) {
    this.program = program;
    this.shape = shape;
    this.memory = memory;
    this.params = new ParamSpace(params);
    random = new SplittableRandom(seed);
  }

  /**
   * Runs the launch to its end.
   *
   * @return the warp instructions that were run
   * @throws KernelFault with the sanitizer's finding
   */
  long run() {
    int[] order = blockOrder();
    int next = 0;
    List<Block> resident = new ArrayList<>();
    List<Block> free = new ArrayList<>();
    int slots = Math.min(order.length, 1 + random.nextInt(MAX_RESIDENT));
    for (int i = 0; i < slots; i++) {
      free.add(new Block(this));
    }
    long sinceProgress = 0;
    while (true) {
      while (!free.isEmpty() && next < order.length) {
        Block block = free.removeLast();
        block.start(order[next++]);
        resident.add(block);
      }
      if (resident.isEmpty()) {
        return instructions;
      }
      Warp warp = runnable(resident);
      progressed = false;
      int ran = slice(warp);
      instructions += ran;
      sinceProgress = progressed ? 0 : sinceProgress + ran;
      if (sinceProgress > STUCK_INSTRUCTIONS) {
        throw stuck("no progress in " + STUCK_INSTRUCTIONS + " instructions", resident);
      }
      if (warp.block().done()) {
        resident.remove(warp.block());
        free.add(warp.block());
      }
    }
  }

  private int slice(Warp warp) {
    int budget = random.nextInt(8) == 0 ? LONG_SLICE : 1 + random.nextInt(200);
    boolean shuffled = random.nextInt(4) == 0;
    if (shuffled) {
      warp.shuffleGroups(random);
    }
    int ran = warp.run(budget);
    if (shuffled) {
      warp.orderGroups();
    }
    return ran;
  }

  /** The order in which blocks become resident: as numbered, or any other. */
  private int[] blockOrder() {
    int[] order = new int[shape.blocks()];
    boolean shuffle = random.nextBoolean();
    for (int i = 0; i < order.length; i++) {
      int j = shuffle ? random.nextInt(i + 1) : i;
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }

  private Warp runnable(List<Block> resident) {
    int perBlock = shape.warps();
    int count = resident.size() * perBlock;
    int first = random.nextInt(count);
    for (int i = 0; i < count; i++) {
      int k = (first + i) % count;
      Warp warp = resident.get(k / perBlock).warps()[k % perBlock];
      if (warp.runnable()) {
        return warp;
      }
    }
    throw stuck("deadlock: every warp waits", resident);
  }

  private KernelFault stuck(String what, List<Block> resident) {
    StringBuilder text =
        new StringBuilder("kernel=").append(program.name()).append(": ").append(what);
    for (Block block : resident) {
      block.where().forEach(line -> text.append("\n  ").append(line));
    }
    return new KernelFault(Fault.Kind.DEADLOCK, text.toString());
  }

  /** Notes that something changed that a waiting warp might wait for. */
  void progress() {
    progressed = true;
  }

  /** What the clocks show: the instructions of the launch so far. */
  long clock() {
    return instructions;
  }

  Program program() {
    return program;
  }

  GridShape shape() {
    return shape;
  }

  DeviceMemory memory() {
    return memory;
  }

  ParamSpace params() {
    return params;
  }

  RandomGenerator random() {
    return random;
  }

  int[] stamps() {
    return stamps;
  }
}
