package org.sinkq;

/**
 * The cache has too few free units for what was asked. Nothing was reserved; close, truncate or
 * finish other sequences and try again.
 */
public final class CapacityExhaustedException extends SinkQException {
  private static final long serialVersionUID = 1L;

  /** What ran out. */
  public enum Resource {
    /** Pages of quantized tokens. */
    PAGES,
    /** Sequence slots: window, pool and spill rows. */
    SEQUENCES
  }

  private final Resource resource;
  private final int needed;
  private final int free;

  /** Creates the error from the two counts. */
  public CapacityExhaustedException(Resource resource, int needed, int free) {
    super(
        resource.name().toLowerCase(java.util.Locale.ROOT)
            + " exhausted: needed="
            + needed
            + ", free="
            + free
            + "; close or truncate sequences, or open the backend with more capacity",
        null);
    this.resource = resource;
    this.needed = needed;
    this.free = free;
  }

  /** What ran out. */
  public Resource resource() {
    return resource;
  }

  /** Units the call needed. */
  public int needed() {
    return needed;
  }

  /** Units that were free. */
  public int free() {
    return free;
  }
}
