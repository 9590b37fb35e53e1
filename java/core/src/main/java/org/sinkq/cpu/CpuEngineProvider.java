package org.sinkq.cpu;

import org.sinkq.EngineStatus;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.engine.VectorSupport;
import org.sinkq.layout.CacheGeometry;

/** The engine that always runs. */
public final class CpuEngineProvider implements EngineProvider {
  /** Name to ask for. */
  public static final String NAME = "cpu";

  private static final int PRIORITY = 10;

  /** For {@link java.util.ServiceLoader}. */
  public CpuEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int priority() {
    return PRIORITY;
  }

  @Override
  public EngineStatus probe() {
    if (!VectorSupport.allowed()) {
      return status(
          "vector kernels are switched off", "remove -D" + VectorSupport.PROPERTY + "=off");
    }
    if (!VectorSupport.present()) {
      return status(
          "the module jdk.incubator.vector is missing",
          "start java with --add-modules jdk.incubator.vector");
    }
    return status("", "");
  }

  private static EngineStatus status(String reason, String remedy) {
    return new EngineStatus(NAME, true, kernels().description(), reason, remedy);
  }

  static Kernels kernels() {
    return VectorSupport.usable() ? new VectorKernels() : new ScalarKernels();
  }

  /** Bytes of all pages and rows. */
  static long bytes(CacheMemory memory) {
    Footprint footprint = footprintOf(memory.geometry());
    return memory.pages() * footprint.perPage() + memory.sequences() * footprint.perSequence();
  }

  @Override
  public Footprint footprint(CacheGeometry geometry) {
    return footprintOf(geometry);
  }

  private static Footprint footprintOf(CacheGeometry geometry) {
    long page = 0;
    long sequence = 0;
    int heads = geometry.shape().numKvHeads();
    for (int layer = 0; layer < geometry.shape().numLayers(); layer++) {
      page += (long) heads * new CpuLayout(geometry, layer).pageLength;
      sequence += heads * DenseRows.bytesPerHead(geometry, layer);
    }
    return new Footprint(page, sequence);
  }

  @Override
  public PageFormat pageFormat(CacheGeometry geometry) {
    return new CpuPages(geometry);
  }

  @Override
  public Engine open(CacheMemory memory, int threads) {
    return new CpuEngine(memory, threads, kernels());
  }
}
