package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineGraph;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.EngineStep;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/**
 * The one implementation of {@link AttentionBackend}: bookkeeping here, bytes in an engine.
 *
 * <p>{@link CacheIndices} has a lock of its own. Another one serializes the engine's work; who
 * needs both takes the engine's first, so nobody waits for an engine while holding the indices.
 */
final class EngineBackend implements AttentionBackend {
  private final BackendConfig config;
  private final EngineStatus status;
  private final CacheGeometry geometry;
  private final Engine engine;
  private final SequenceTransfer transfer;
  private final CacheIndices indices;
  final ReentrantLock engineLock = new ReentrantLock();
  private final Set<EngineDecodeGraph> graphs = ConcurrentHashMap.newKeySet();

  private EngineBackend(BackendConfig config, EngineProvider provider, EngineStatus status) {
    this.config = config;
    this.status = status;
    config.cache().requireLayersBelow(config.shape().numLayers());
    geometry = new CacheGeometry(config.shape(), config.cache());
    Capacity capacity = Capacity.of(geometry, config.cache(), provider.footprint(geometry));
    indices = new CacheIndices(this, geometry, capacity);
    PageFormat pageFormat = provider.pageFormat(geometry);
    int threads =
        config.threads() == 0 ? Runtime.getRuntime().availableProcessors() : config.threads();
    engine =
        provider.open(
            new CacheMemory(
                geometry, capacity.pages(), capacity.sequences(), indices.masks(), config.device()),
            threads);
    transfer = new SequenceTransfer(this, pageFormat);
  }

  static EngineBackend open(BackendConfig config, EngineProvider provider, EngineStatus status) {
    return new EngineBackend(config, provider, status);
  }

  @Override
  public BackendConfig config() {
    return config;
  }

  @Override
  public EngineStatus engine() {
    return status;
  }

  @Override
  public <T> Optional<T> engineAs(Class<T> type) {
    return type.isInstance(engine) ? Optional.of(type.cast(engine)) : Optional.empty();
  }

  SequenceTransfer transfer() {
    return transfer;
  }

  @Override
  public KvSequence restore(ReadableByteChannel from) throws IOException {
    return transfer.restore(from);
  }

  /** Who has what. */
  CacheIndices indices() {
    return indices;
  }

  CacheGeometry geometry() {
    return geometry;
  }

  /** The engine; calls come under its lock. */
  Engine bytes() {
    return engine;
  }

  /** The slot masks. */
  PageMasks masks() {
    return indices.masks();
  }

  @Override
  public KvSequence newSequence() {
    return indices.open();
  }

  /** Takes an idle sequence out of everybody else's reach, its tables up to date. */
  SequenceState claim(EngineSequence sequence) {
    SequenceState state = indices.claim(sequence);
    boolean settled = false;
    try {
      settle();
      settled = true;
      return state;
    } finally {
      if (!settled) {
        indices.unclaim(sequence);
      }
    }
  }

  KvSequence fork(EngineSequence parent) {
    engineLock.lock();
    indices.lock.lock();
    try {
      parent.requireIdle();
      engine.settle();
      SequenceState copy = indices.allocate();
      SequenceState state = parent.state();
      boolean copied = false;
      try {
        engine.copyRows(state, copy);
        copied = true;
      } finally {
        if (!copied) {
          indices.free(copy);
        }
      }
      indices.share(state, copy);
      return indices.register(copy, copy.length());
    } finally {
      indices.lock.unlock();
      engineLock.unlock();
    }
  }

  void truncate(EngineSequence sequence, int length) {
    engineLock.lock();
    indices.lock.lock();
    try {
      sequence.requireIdle();
      SequenceState state = sequence.state();
      require(
          length >= 0 && length <= state.length(),
          "length=%d, expected 0 to the sequence's length %d",
          length,
          state.length());
      engine.settle();
      int keptPages = Math.min(state.pageCount(), length / geometry.pageTokens());
      int reopened = length - keptPages * geometry.pageTokens();
      if (keptPages < state.pageCount() && reopened > 0) {
        engine.reopen(state, keptPages, reopened);
      }
      indices.truncate(state, length, keptPages);
    } finally {
      indices.lock.unlock();
      engineLock.unlock();
    }
  }

  @Override
  public AttentionPlan plan(AttentionMetadata metadata) {
    List<EngineSequence> members = new ArrayList<>(metadata.sequences().size());
    StepPlan step = indices.reserve(metadata, members);
    boolean begun = false;
    engineLock.lock();
    try {
      EngineStep engineStep = engine.begin(step);
      begun = true;
      return new EnginePlan(this, members, step, engineStep);
    } finally {
      engineLock.unlock();
      if (!begun) {
        indices.rollback(members, step);
      }
    }
  }

  @Override
  public DecodeGraph record(int batch, Consumer<RecordedStep> body) {
    require(batch > 0, "batch=%d, expected 1 or more", batch);
    engineLock.lock();
    try {
      indices.requireOpen();
      EngineDecodeGraph graph = new EngineDecodeGraph(this, batch, body);
      graphs.add(graph);
      return graph;
    } finally {
      engineLock.unlock();
    }
  }

  /** Runs and commits a recorded step. */
  void replay(EngineGraph graph, AttentionMetadata metadata) {
    List<EngineSequence> members = new ArrayList<>(metadata.sequences().size());
    StepPlan step = indices.reserve(metadata, members);
    boolean done = false;
    engineLock.lock();
    try {
      graph.replay(step);
      done = true;
    } finally {
      engineLock.unlock();
      if (!done) {
        indices.rollback(members, step);
      }
    }
    indices.commit(members, step);
  }

  void close(EngineDecodeGraph graph) {
    engineLock.lock();
    try {
      if (graphs.remove(graph)) {
        graph.discard();
      }
    } finally {
      engineLock.unlock();
    }
  }

  /** Lets the engine bring sink tables up to date; without recorded steps they always are. */
  void settle() {
    if (graphs.isEmpty()) {
      return;
    }
    engineLock.lock();
    try {
      engine.settle();
    } finally {
      engineLock.unlock();
    }
  }

  @Override
  public BackendStats stats() {
    settle();
    return indices.stats();
  }

  @Override
  public void close() {
    engineLock.lock();
    try {
      if (indices.close()) {
        graphs.forEach(EngineDecodeGraph::discard);
        graphs.clear();
        engine.close();
      }
    } finally {
      engineLock.unlock();
    }
  }
}
