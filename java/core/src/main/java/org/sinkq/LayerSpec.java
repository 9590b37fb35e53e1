package org.sinkq;

/**
 * How one layer is cached.
 *
 * @param codec storage of full pages
 * @param sinks sink tracking; {@link SinkPolicy#NONE} for dense codecs, where it would change
 *     nothing
 */
public record LayerSpec(KvCodec codec, SinkPolicy sinks) {
  /** Switches tracking off where pages are dense. */
  public LayerSpec {
    if (!codec.isQuantized()) {
      sinks = SinkPolicy.NONE;
    }
  }
}
