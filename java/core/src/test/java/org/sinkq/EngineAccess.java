package org.sinkq;

import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.layout.CacheGeometry;

/** The tests' door behind the API: indices and bytes of a backend. */
public final class EngineAccess {
  private EngineAccess() {}

  /** Opens a backend on a provider that need not be registered. */
  public static AttentionBackend open(BackendConfig config, EngineProvider provider) {
    return EngineBackend.open(config, provider, provider.probe());
  }

  /** The engine of a backend. */
  public static Engine engine(AttentionBackend backend) {
    return ((EngineBackend) backend).bytes();
  }

  /** The counts of a backend. */
  public static CacheGeometry geometry(AttentionBackend backend) {
    return ((EngineBackend) backend).geometry();
  }

  /** The slot masks of a backend. */
  public static PageMasks masks(AttentionBackend backend) {
    return ((EngineBackend) backend).masks();
  }

  /** The indices of a sequence. */
  public static SequenceState state(KvSequence sequence) {
    return ((EngineSequence) sequence).state();
  }
}
