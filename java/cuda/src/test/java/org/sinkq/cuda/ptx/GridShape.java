package org.sinkq.cuda.ptx;

/**
 * The shape of a launch.
 *
 * @param dynamicShared dynamic shared memory of a block, in bytes
 */
record GridShape(
    int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ, int dynamicShared) {
  int blocks() {
    return Math.multiplyExact(Math.multiplyExact(gridX, gridY), gridZ);
  }

  int threads() {
    return blockX * blockY * blockZ;
  }

  int warps() {
    return (threads() + Lanes.WARP - 1) / Lanes.WARP;
  }
}
