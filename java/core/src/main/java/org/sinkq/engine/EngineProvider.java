package org.sinkq.engine;

import org.sinkq.EngineStatus;
import org.sinkq.layout.CacheGeometry;

/** Makes engines of one kind; found through {@link java.util.ServiceLoader}. */
public interface EngineProvider {
  /** Name to ask for the engine by. */
  String name();

  /** Of the engines that can run, the one with the highest priority is chosen automatically. */
  int priority();

  /** Looks whether the engine can run here. Never throws. */
  EngineStatus probe();

  /** Sizes of the engine's memory for a geometry. */
  Footprint footprint(CacheGeometry geometry);

  /**
   * The byte order of the engine's pages.
   *
   * @throws org.sinkq.InvalidArgumentException if the engine lacks what the geometry asks for
   */
  PageFormat pageFormat(CacheGeometry geometry);

  /**
   * Allocates the memory and starts the engine.
   *
   * @param threads threads of a host engine, the calling one included
   */
  Engine open(CacheMemory memory, int threads);
}
