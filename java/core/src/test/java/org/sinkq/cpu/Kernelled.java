package org.sinkq.cpu;

import java.util.List;
import org.sinkq.EngineStatus;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/**
 * The CPU engine on kernels of the test's choice, so that both kinds run in one virtual machine.
 */
record Kernelled(Kernels kernels) implements EngineProvider {
  /** Both implementations. The vector kernels run whatever {@code sinkq.simd} says. */
  static List<Kernelled> both() {
    return List.of(new Kernelled(new VectorKernels()), new Kernelled(new ScalarKernels()));
  }

  @Override
  public String name() {
    return kernels.description();
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public EngineStatus probe() {
    return new EngineStatus(name(), true, name(), "", "");
  }

  @Override
  public Footprint footprint(CacheGeometry geometry) {
    return new CpuEngineProvider().footprint(geometry);
  }

  @Override
  public PageFormat pageFormat(CacheGeometry geometry) {
    return new CpuPages(geometry);
  }

  @Override
  public Engine open(CacheMemory memory, int threads) {
    return new CpuEngine(memory, threads, kernels);
  }
}
