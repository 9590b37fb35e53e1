package org.sinkq.cuda.ptx;

import java.lang.foreign.ValueLayout;
import org.sinkq.cuda.CudaDevice;

/**
 * A decoded entry with its limits: those of an SM of compute capability 9.0, whatever it runs on.
 */
final class LoadedEntry implements CudaDevice.Function {
  private static final int DEFAULT_DYNAMIC_SHARED = 48 << 10;
  private static final int MAX_BLOCK_THREADS = 1024;
  private static final int RESERVED_SHARED = 1 << 10;
  private static final int SM_SHARED = 228 << 10;
  private static final int SM_THREADS = 2048;
  private static final int SM_BLOCKS = 32;
  private static final int SM_REGISTERS = 64 << 10;

  /** ptxas decides how many registers a kernel takes; here it is as many as kernels may. */
  private static final int REGISTERS = 128;

  /** Bytes of shared memory that a block may have. */
  static final int MOST_SHARED = SM_SHARED - RESERVED_SHARED;

  private final Program program;
  private final int maxThreads;
  private int maxDynamicShared = DEFAULT_DYNAMIC_SHARED;

  LoadedEntry(Program program, int maxThreads) {
    this.program = program;
    this.maxThreads = maxThreads == 0 ? MAX_BLOCK_THREADS : maxThreads;
  }

  Program program() {
    return program;
  }

  CudaDevice.FunctionFacts facts() {
    return new CudaDevice.FunctionFacts(REGISTERS, program.sharedBytes(), program.localBytes());
  }

  void allowDynamicShared(int bytes, int most) {
    if (bytes + program.sharedBytes() > most) {
      throw DeviceErrors.invalidValue(
          "allowing %d bytes of dynamic shared memory, expected at most %d"
              .formatted(bytes, most - program.sharedBytes()));
    }
    maxDynamicShared = bytes;
  }

  int blocksPerMultiprocessor(int blockThreads, int dynamicSharedBytes) {
    int shared = program.sharedBytes() + dynamicSharedBytes + RESERVED_SHARED;
    int byThreads = Math.min(SM_THREADS, SM_REGISTERS / REGISTERS) / blockThreads;
    return Math.min(SM_BLOCKS, Math.min(byThreads, SM_SHARED / shared));
  }

  /** The shape of a launch, checked. */
  GridShape shape(CudaDevice.Launch launch) {
    GridShape shape =
        new GridShape(
            launch.gridX(),
            launch.gridY(),
            launch.gridZ(),
            launch.blockThreads(),
            1,
            1,
            launch.dynamicSharedBytes());
    check(shape);
    return shape;
  }

  private void check(GridShape shape) {
    boolean grid =
        shape.gridX() > 0
            && shape.gridY() > 0
            && shape.gridZ() > 0
            && shape.gridY() < 1 << 16
            && shape.gridZ() < 1 << 16;
    if (!grid || shape.threads() <= 0 || shape.threads() > maxThreads) {
      throw DeviceErrors.invalidValue(
          "launching %s, grid=(%d,%d,%d), threads=%d, expected a grid from 1 and threads in 1..%d"
              .formatted(
                  program.name(),
                  shape.gridX(),
                  shape.gridY(),
                  shape.gridZ(),
                  shape.threads(),
                  maxThreads));
    }
    if (shape.dynamicShared() > maxDynamicShared) {
      throw DeviceErrors.invalidValue(
          "launching %s with %d bytes of dynamic shared memory, allowed are %d"
              .formatted(program.name(), shape.dynamicShared(), maxDynamicShared));
    }
  }

  /** The bytes of a launch's parameter. */
  byte[] parameters(CudaDevice.Launch launch) {
    if (launch.parameter().byteSize() < program.paramBytes()) {
      throw DeviceErrors.invalidValue(
          "launching %s with a parameter of %d bytes, expected %d"
              .formatted(program.name(), launch.parameter().byteSize(), program.paramBytes()));
    }
    return launch.parameter().asSlice(0, program.paramBytes()).toArray(ValueLayout.JAVA_BYTE);
  }
}
