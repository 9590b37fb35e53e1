package org.sinkq.cli.throughput;

import java.util.Optional;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.cli.plan.Gpu;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaHost;

/**
 * The device of an engine, as it is before a run.
 *
 * @param device it stays open as long as the process
 * @param freeBytes what can be allocated
 * @param totalBytes what it has
 */
public record Target(CudaDevice device, long freeBytes, long totalBytes) {
  private static final int PAGE = 32;

  /**
   * Looks at an engine's device through the smallest of all caches.
   *
   * @throws org.sinkq.EngineUnavailableException if the engine cannot run here
   * @throws InvalidArgumentException if it has no device
   */
  public static Target of(String engine) {
    try (AttentionBackend backend = smallest(ModelShape.of(1, 1, 1, 64), engine)) {
      CudaHost host = backend.engineAs(CudaHost.class).orElse(null);
      InvalidArgumentException.require(host != null, "engine=%s, expected cuda", engine);
      CudaDevice.MemoryInfo memory = host.device().memory();
      return new Target(host.device(), memory.freeBytes(), memory.totalBytes());
    }
  }

  /** A backend with next to no cache. */
  static AttentionBackend smallest(ModelShape shape, String engine) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .codec(KvCodec.FP16)
            .sinks(SinkPolicy.NONE)
            .pageTokens(PAGE)
            .capacityTokens(PAGE)
            .build();
    return AttentionBackends.open(BackendConfig.of(shape, spec).withEngine(engine));
  }

  /** Marketing name. */
  public String name() {
    return device.facts().name();
  }

  /** Newest CUDA version that the driver supports. */
  public String driver() {
    int version = device.facts().driverVersion();
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** What the planner knows of the device; empty if nothing. */
  public Optional<Gpu> gpu() {
    return Gpu.ofDevice(name(), totalBytes);
  }

  /** Device memory that has been allocated since. */
  long allocatedBytes() {
    return freeBytes - device.memory().freeBytes();
  }
}
