package org.sinkq.engine;

import org.sinkq.BackendConfig;
import org.sinkq.cache.PageMasks;
import org.sinkq.layout.CacheGeometry;

/**
 * The memory an engine has to provide.
 *
 * @param geometry counts of the cache
 * @param pages pages of each layer and KV head
 * @param sequences slots of dense rows
 * @param masks slot masks, shared with the bookkeeping; the engine writes those of the pages it
 *     fills
 * @param device number of the device that has it, or {@link BackendConfig#DEFAULT_DEVICE}
 */
public record CacheMemory(
    CacheGeometry geometry, int pages, int sequences, PageMasks masks, int device) {
  /** Memory of the default device. */
  public CacheMemory(CacheGeometry geometry, int pages, int sequences, PageMasks masks) {
    this(geometry, pages, sequences, masks, BackendConfig.DEFAULT_DEVICE);
  }
}
