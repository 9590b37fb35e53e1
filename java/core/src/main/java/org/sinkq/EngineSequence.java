package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.io.IOException;
import java.nio.channels.WritableByteChannel;
import org.sinkq.cache.SequenceState;
import org.sinkq.layout.CacheGeometry;

/** A sequence of an {@link EngineBackend}; the backend's lock guards its fields. */
final class EngineSequence implements KvSequence {
  private final EngineBackend backend;
  private final SequenceState state;
  private boolean planned;
  private volatile boolean closed;

  EngineSequence(EngineBackend backend, SequenceState state) {
    this.backend = backend;
    this.state = state;
  }

  EngineBackend backend() {
    return backend;
  }

  SequenceState state() {
    return state;
  }

  void setPlanned(boolean value) {
    planned = value;
  }

  void markClosed() {
    closed = true;
  }

  void requireIdle() {
    require(!closed, "sequence=closed, expected an open one");
    require(
        !planned,
        "sequence=part of an open plan (or twice in one), expected an idle one; commit or close that plan first");
  }

  @Override
  public int length() {
    backend.indices().lock.lock();
    try {
      require(!closed, "sequence=closed, expected an open one");
      return state.length();
    } finally {
      backend.indices().lock.unlock();
    }
  }

  @Override
  public KvSequence fork() {
    return backend.fork(this);
  }

  @Override
  public void truncate(int length) {
    backend.truncate(this, length);
  }

  @Override
  public int[] sinkPositions(int layer, int head) {
    CacheGeometry geometry = backend.geometry();
    int layers = geometry.shape().numLayers();
    int heads = geometry.shape().numKvHeads();
    require(layer >= 0 && layer < layers, "layer=%d, expected 0 to %d", layer, layers - 1);
    require(head >= 0 && head < heads, "head=%d, expected 0 to %d", head, heads - 1);
    int tracked = geometry.trackedHead(layer, head);
    backend.settle();
    backend.indices().lock.lock();
    try {
      requireIdle();
      return tracked < 0 ? new int[0] : state.sinks().positions(tracked);
    } finally {
      backend.indices().lock.unlock();
    }
  }

  @Override
  public void save(WritableByteChannel to) throws IOException {
    backend.transfer().save(this, to);
  }

  @Override
  public boolean isClosed() {
    return closed;
  }

  @Override
  public void close() {
    backend.indices().close(this);
  }
}
