package org.sinkq.reference;

import org.sinkq.EngineStatus;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/** Offers the reference by name; any real engine is preferred to it. */
public final class ReferenceEngineProvider implements EngineProvider {
  /** Name to ask for. */
  public static final String NAME = "reference";

  /** For {@link java.util.ServiceLoader}. */
  public ReferenceEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int priority() {
    return -1;
  }

  @Override
  public EngineStatus probe() {
    return new EngineStatus(NAME, true, "scalar, fp64", "", "");
  }

  /** Nominal: a float for every key and value, and nothing for codes and scales. */
  @Override
  public Footprint footprint(CacheGeometry geometry) {
    long token =
        2L
            * Float.BYTES
            * geometry.shape().headDim()
            * geometry.shape().numKvHeads()
            * geometry.shape().numLayers();
    return new Footprint(
        token * geometry.pageTokens(), token * (geometry.flushTokens() + geometry.sinks().slots()));
  }

  @Override
  public PageFormat pageFormat(CacheGeometry geometry) {
    return new ReferencePages(geometry);
  }

  @Override
  public Engine open(CacheMemory memory, int threads) {
    return new ReferenceEngine(memory);
  }
}
