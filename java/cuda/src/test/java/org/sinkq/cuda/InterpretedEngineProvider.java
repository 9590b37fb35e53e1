package org.sinkq.cuda;

import org.sinkq.EngineStatus;
import org.sinkq.cuda.ptx.InterpretedDevice;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/** The CUDA engine on a device that interprets the PTX of the jar: no GPU needed. */
public final class InterpretedEngineProvider implements EngineProvider {
  static final String NAME = "cuda-interpreted";

  /** Two SMs, so that work is split and grids stay small. */
  private static final CudaDevice.Facts FACTS =
      new CudaDevice.Facts("PTX interpreter", 8, 0, 13000, 2, 160 << 10, 1 << 20);

  private static final long MEMORY = 1L << 30;

  private static final long SEED = 25;

  /** Each thread has its own, so that tests may run side by side: the device is for one thread. */
  private static final ThreadLocal<CudaEngineProvider> CUDA =
      ThreadLocal.withInitial(
          () -> new CudaEngineProvider(new OneDevice(InterpretedEngineProvider::device)));

  /** A device of its own. */
  static CudaDevice device() {
    return new InterpretedDevice(FACTS, MEMORY, SEED);
  }

  /** For {@link java.util.ServiceLoader}. */
  public InterpretedEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public EngineStatus probe() {
    EngineStatus status = CUDA.get().probe();
    return new EngineStatus(
        NAME, status.available(), status.description(), status.reason(), status.remedy());
  }

  @Override
  public Footprint footprint(CacheGeometry geometry) {
    return CUDA.get().footprint(geometry);
  }

  @Override
  public PageFormat pageFormat(CacheGeometry geometry) {
    return CUDA.get().pageFormat(geometry);
  }

  @Override
  public Engine open(CacheMemory memory, int threads) {
    return CUDA.get().open(memory, threads);
  }
}
