package org.sinkq.engine;

import java.lang.foreign.MemorySegment;

/**
 * An engine's byte order of pages, for pages that are on no engine: those of saved sequences. Needs
 * no device.
 */
public interface PageFormat {
  /** What saved sequences call it, up to 16 ASCII characters; another name if the bytes change. */
  String name();

  /** Bytes of the page of one KV head of a layer. */
  int pageBytes(int layer);

  /** Reads a page. */
  PageImage read(int layer, MemorySegment page);

  /**
   * Writes a page that an engine of another format has filled.
   *
   * @param masked [tokens] those that live in pool or spill
   * @throws org.sinkq.InvalidArgumentException for a codec that only one engine has
   */
  void write(int layer, PageImage page, boolean[] masked, MemorySegment to);
}
