package org.sinkq.cuda.ptx;

import java.util.Set;

/** Special registers that are constant while a block runs; {@code %clock} and its like are not. */
final class Specials {
  private static final Set<String> NAMES =
      Set.of(
          "%tid.x",
          "%tid.y",
          "%tid.z",
          "%ntid.x",
          "%ntid.y",
          "%ntid.z",
          "%ctaid.x",
          "%ctaid.y",
          "%ctaid.z",
          "%nctaid.x",
          "%nctaid.y",
          "%nctaid.z",
          "%laneid",
          "%warpid",
          "%nwarpid",
          "%smid",
          "%nsmid",
          "%lanemask_eq",
          "%lanemask_le",
          "%lanemask_lt",
          "%lanemask_ge",
          "%lanemask_gt",
          "%dynamic_smem_size",
          "%total_smem_size",
          "%cluster_ctarank",
          "%cluster_nctarank");

  private Specials() {}

  static boolean known(String name) {
    return NAMES.contains(name);
  }

  /** The value that a lane reads. */
  static int value(String name, Block block, int warp, int lane) {
    int thread = warp * Lanes.WARP + lane;
    GridShape shape = block.grid().shape();
    return switch (name) {
      case "%tid.x" -> thread % shape.blockX();
      case "%tid.y" -> thread / shape.blockX() % shape.blockY();
      case "%tid.z" -> thread / shape.blockX() / shape.blockY();
      case "%ntid.x" -> shape.blockX();
      case "%ntid.y" -> shape.blockY();
      case "%ntid.z" -> shape.blockZ();
      case "%ctaid.x" -> block.x();
      case "%ctaid.y" -> block.y();
      case "%ctaid.z" -> block.z();
      case "%nctaid.x" -> shape.gridX();
      case "%nctaid.y" -> shape.gridY();
      case "%nctaid.z" -> shape.gridZ();
      case "%laneid" -> lane;
      case "%warpid" -> warp;
      case "%nwarpid" -> shape.warps();
      case "%smid", "%cluster_ctarank" -> 0;
      case "%nsmid", "%cluster_nctarank" -> 1;
      case "%lanemask_eq" -> 1 << lane;
      case "%lanemask_lt" -> (1 << lane) - 1;
      case "%lanemask_le" -> (1 << lane) | ((1 << lane) - 1);
      case "%lanemask_ge" -> -1 << lane;
      case "%lanemask_gt" -> (-1 << lane) & ~(1 << lane);
      case "%dynamic_smem_size" -> shape.dynamicShared();
      case "%total_smem_size" -> shape.dynamicShared() + block.grid().program().sharedBytes();
      default -> throw new IllegalArgumentException("register=" + name + ", expected a known one");
    };
  }
}
