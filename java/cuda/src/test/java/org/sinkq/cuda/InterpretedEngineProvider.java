package org.sinkq.cuda;

import org.sinkq.EngineStatus;
import org.sinkq.cuda.ptx.InterpretedDevice;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/**
 * The CUDA engine on a device that interprets the PTX of the jar: no GPU needed. It has two SMs, so
 * that blocks have much to do and grids stay small; {@link LikeH100} has as many as a large GPU.
 */
public class InterpretedEngineProvider implements EngineProvider {
  static final String NAME = "cuda-interpreted";

  private static final CudaDevice.Facts FACTS =
      new CudaDevice.Facts("PTX interpreter", 8, 0, 13000, 2, 160 << 10, 1 << 20);

  private static final long MEMORY = 1L << 30;

  private static final long SEED = 25;

  private static final ThreadLocal<CudaEngineProvider> TWO_SMS = devices(FACTS);

  private final String name;
  private final ThreadLocal<CudaEngineProvider> cuda;

  /** For {@link java.util.ServiceLoader}. */
  public InterpretedEngineProvider() {
    this(NAME, TWO_SMS);
  }

  private InterpretedEngineProvider(String name, ThreadLocal<CudaEngineProvider> cuda) {
    this.name = name;
    this.cuda = cuda;
  }

  /**
   * A device for each thread, so that tests may run side by side, and the same for all providers
   * that a thread loads.
   */
  private static ThreadLocal<CudaEngineProvider> devices(CudaDevice.Facts facts) {
    return ThreadLocal.withInitial(
        () ->
            new CudaEngineProvider(
                new OneDevice(() -> new InterpretedDevice(facts, MEMORY, SEED))));
  }

  /** With an H100's SMs work is cut into as many ranges as there, of which some are empty. */
  public static final class LikeH100 extends InterpretedEngineProvider {
    static final String NAME = "cuda-interpreted-h100";

    private static final ThreadLocal<CudaEngineProvider> MANY_SMS =
        devices(new CudaDevice.Facts("PTX interpreter", 9, 0, 13000, 132, 227 << 10, 50 << 20));

    /** For {@link java.util.ServiceLoader}. */
    public LikeH100() {
      super(NAME, MANY_SMS);
    }
  }

  /** A device of its own. */
  static CudaDevice device() {
    return new InterpretedDevice(FACTS, MEMORY, SEED);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public EngineStatus probe() {
    EngineStatus status = cuda.get().probe();
    return new EngineStatus(
        name, status.available(), status.description(), status.reason(), status.remedy());
  }

  @Override
  public Footprint footprint(CacheGeometry geometry) {
    return cuda.get().footprint(geometry);
  }

  @Override
  public PageFormat pageFormat(CacheGeometry geometry) {
    return cuda.get().pageFormat(geometry);
  }

  @Override
  public Engine open(CacheMemory memory, int threads) {
    return cuda.get().open(memory, threads);
  }
}
