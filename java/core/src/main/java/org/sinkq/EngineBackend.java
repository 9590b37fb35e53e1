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
import org.sinkq.cache.IndexPool;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkTable;
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
 * <p>One lock guards all indices; it is held for microseconds. Another one serializes the engine's
 * work; who needs both takes the engine's first, so nobody waits for an engine while holding the
 * indices. A sequence in an open plan belongs to the plan: marking it so, under the first lock, is
 * what keeps everybody else away from its indices and rows.
 */
final class EngineBackend implements AttentionBackend {
  private static final int[] NO_PAGES = {};

  private final BackendConfig config;
  private final EngineStatus status;
  private final CacheGeometry geometry;
  private final Capacity capacity;
  private final PageMasks masks;
  private final Engine engine;
  private final SequenceTransfer transfer;
  private final IndexPool pages;
  private final IndexPool slots;
  private final Set<EngineSequence> sequences = ConcurrentHashMap.newKeySet();
  final ReentrantLock lock = new ReentrantLock();
  final ReentrantLock engineLock = new ReentrantLock();
  private int openPlans;
  private final Set<EngineDecodeGraph> graphs = ConcurrentHashMap.newKeySet();
  private long tokens;
  private boolean closed;

  private EngineBackend(BackendConfig config, EngineProvider provider, EngineStatus status) {
    this.config = config;
    this.status = status;
    config.cache().requireLayersBelow(config.shape().numLayers());
    geometry = new CacheGeometry(config.shape(), config.cache());
    capacity = Capacity.of(geometry, config.cache(), provider.footprint(geometry));
    try {
      masks = new PageMasks(geometry.trackedHeads(), capacity.pages(), geometry.pageTokens());
      pages = new IndexPool(capacity.pages());
    } catch (OutOfMemoryError e) {
      throw new DeviceException(
          0,
          "OUT_OF_MEMORY",
          "no heap for the indices of "
              + capacity.pages()
              + " pages; lower the capacity or raise -Xmx",
          e);
    }
    slots = new IndexPool(capacity.sequences());
    PageFormat pageFormat = provider.pageFormat(geometry);
    int threads =
        config.threads() == 0 ? Runtime.getRuntime().availableProcessors() : config.threads();
    engine =
        provider.open(
            new CacheMemory(
                geometry, capacity.pages(), capacity.sequences(), masks, config.device()),
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

  CacheGeometry geometry() {
    return geometry;
  }

  /** The engine; calls come under its lock. */
  Engine bytes() {
    return engine;
  }

  /** The slot masks. */
  PageMasks masks() {
    return masks;
  }

  @Override
  public KvSequence newSequence() {
    lock.lock();
    try {
      return register(allocate());
    } finally {
      lock.unlock();
    }
  }

  private SequenceState allocate() {
    require(!closed, "backend=closed, expected an open one");
    if (slots.free() == 0) {
      throw new CapacityExhaustedException(CapacityExhaustedException.Resource.SEQUENCES, 1, 0);
    }
    SinkTable sinks = new SinkTable(geometry.sinks(), geometry.trackedHeads());
    return new SequenceState(slots.acquire(), geometry.pageTokens(), sinks);
  }

  private EngineSequence register(SequenceState state) {
    EngineSequence sequence = new EngineSequence(this, state);
    sequences.add(sequence);
    return sequence;
  }

  /** Takes an idle sequence out of everybody else's reach, as an open plan does. */
  SequenceState claim(EngineSequence sequence) {
    engineLock.lock();
    lock.lock();
    try {
      sequence.requireIdle();
      engine.settle();
      sequence.setPlanned(true);
      openPlans++;
      return sequence.state();
    } finally {
      lock.unlock();
      engineLock.unlock();
    }
  }

  void unclaim(EngineSequence sequence) {
    lock.lock();
    try {
      sequence.setPlanned(false);
      openPlans--;
    } finally {
      lock.unlock();
    }
  }

  /** Indices of a sequence whose bytes are still to come; nobody else knows it. */
  SequenceState reserve(int length, int pageCount) {
    lock.lock();
    try {
      require(!closed, "backend=closed, expected an open one");
      if (pageCount > pages.free()) {
        throw new CapacityExhaustedException(
            CapacityExhaustedException.Resource.PAGES, pageCount, pages.free());
      }
      SequenceState state = allocate();
      int[] own = new int[pageCount];
      for (int i = 0; i < pageCount; i++) {
        own[i] = pages.acquire();
      }
      state.advance(length, own);
      openPlans++;
      return state;
    } finally {
      lock.unlock();
    }
  }

  /** Takes back what {@link #reserve} gave. */
  void abandon(SequenceState state) {
    lock.lock();
    try {
      free(state);
      openPlans--;
    } finally {
      lock.unlock();
    }
  }

  /** Makes a reserved sequence, whose bytes have come, one like any other. */
  KvSequence adopt(SequenceState state) {
    lock.lock();
    try {
      tokens += state.length();
      openPlans--;
      return register(state);
    } finally {
      lock.unlock();
    }
  }

  KvSequence fork(EngineSequence parent) {
    engineLock.lock();
    lock.lock();
    try {
      parent.requireIdle();
      engine.settle();
      SequenceState copy = allocate();
      SequenceState state = parent.state();
      boolean copied = false;
      try {
        engine.copyRows(state, copy);
        copied = true;
      } finally {
        if (!copied) {
          slots.release(copy.slot());
        }
      }
      copy.copyFrom(state);
      for (int i = 0; i < state.pageCount(); i++) {
        pages.retain(state.page(i));
      }
      tokens += copy.length();
      return register(copy);
    } finally {
      lock.unlock();
      engineLock.unlock();
    }
  }

  void truncate(EngineSequence sequence, int length) {
    engineLock.lock();
    lock.lock();
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
      for (int i = keptPages; i < state.pageCount(); i++) {
        pages.release(state.page(i));
      }
      tokens -= state.length() - length;
      state.truncate(length, keptPages);
    } finally {
      lock.unlock();
      engineLock.unlock();
    }
  }

  void close(EngineSequence sequence) {
    lock.lock();
    try {
      if (sequence.isClosed()) {
        return;
      }
      sequence.requireIdle();
      release(sequence);
    } finally {
      lock.unlock();
    }
  }

  private void free(SequenceState state) {
    for (int i = 0; i < state.pageCount(); i++) {
      pages.release(state.page(i));
    }
    slots.release(state.slot());
  }

  private void release(EngineSequence sequence) {
    SequenceState state = sequence.state();
    free(state);
    tokens -= state.length();
    sequences.remove(sequence);
    sequence.markClosed();
  }

  @Override
  public AttentionPlan plan(AttentionMetadata metadata) {
    List<EngineSequence> members = new ArrayList<>(metadata.sequences().size());
    StepPlan step = reserve(metadata, members);
    boolean begun = false;
    engineLock.lock();
    try {
      EngineStep engineStep = engine.begin(step);
      begun = true;
      return new EnginePlan(this, members, step, engineStep);
    } finally {
      engineLock.unlock();
      if (!begun) {
        rollback(members, step);
      }
    }
  }

  @Override
  public DecodeGraph record(int batch, Consumer<RecordedStep> body) {
    require(batch > 0, "batch=%d, expected 1 or more", batch);
    engineLock.lock();
    try {
      require(!closed, "backend=closed, expected an open one");
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
    StepPlan step = reserve(metadata, members);
    boolean done = false;
    engineLock.lock();
    try {
      graph.replay(step);
      done = true;
    } finally {
      engineLock.unlock();
      if (!done) {
        rollback(members, step);
      }
    }
    commit(members, step);
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

  /**
   * Refuses what cannot be planned, without touching anything; returns the pages that the step
   * fills.
   */
  private int check(AttentionMetadata metadata) {
    int needed = 0;
    int count = metadata.sequences().size();
    int checked = 0;
    try {
      for (; checked < count; checked++) {
        EngineSequence sequence = own(metadata.sequences().get(checked));
        sequence.requireIdle();
        sequence.setPlanned(true);
        int rows = metadata.rows(checked);
        SequenceState state = sequence.state();
        require(
            rows <= Integer.MAX_VALUE - state.length() - geometry.flushTokens(),
            "rows=%d for a sequence of %d tokens, expected fewer than 2^31 in all",
            rows,
            state.length());
        needed = Math.addExact(needed, geometry.flushedPages(state.windowLength(), rows));
      }
      return needed;
    } finally {
      // Marking while checking finds a sequence that occurs twice; the marks come off again,
      // reserve() sets them for good.
      for (int i = 0; i < checked; i++) {
        ((EngineSequence) metadata.sequences().get(i)).setPlanned(false);
      }
    }
  }

  private EngineSequence own(KvSequence sequence) {
    require(
        sequence instanceof EngineSequence s && s.backend() == this,
        "sequence=%s, expected one of this backend",
        sequence);
    return (EngineSequence) sequence;
  }

  /** Takes the pages of a step and marks its sequences, or throws and takes nothing. */
  private StepPlan reserve(AttentionMetadata metadata, List<EngineSequence> members) {
    lock.lock();
    try {
      require(!closed, "backend=closed, expected an open one");
      int needed = check(metadata);
      if (needed > pages.free()) {
        throw new CapacityExhaustedException(
            CapacityExhaustedException.Resource.PAGES, needed, pages.free());
      }
      int count = metadata.sequences().size();
      List<SequenceStep> steps = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        EngineSequence sequence = (EngineSequence) metadata.sequences().get(i);
        int rows = metadata.rows(i);
        int flushes = geometry.flushedPages(sequence.state().windowLength(), rows);
        int[] newPages = flushes == 0 ? NO_PAGES : new int[flushes];
        for (int p = 0; p < flushes; p++) {
          newPages[p] = pages.acquire();
        }
        sequence.setPlanned(true);
        steps.add(new SequenceStep(sequence.state(), metadata.firstRow(i), rows, newPages));
        members.add(sequence);
      }
      openPlans++;
      return new StepPlan(steps, metadata.totalTokens(), new SinkJournal());
    } finally {
      lock.unlock();
    }
  }

  /** Returns what {@link #reserve} took. */
  private void undo(List<EngineSequence> members, StepPlan step) {
    step.journal().rollback();
    for (int i = 0; i < members.size(); i++) {
      for (int page : step.sequences().get(i).newPages()) {
        pages.release(page);
      }
      members.get(i).setPlanned(false);
    }
  }

  void commit(List<EngineSequence> members, StepPlan step) {
    lock.lock();
    try {
      for (int i = 0; i < members.size(); i++) {
        SequenceStep share = step.sequences().get(i);
        share.state().advance(share.rows(), share.newPages());
        members.get(i).setPlanned(false);
      }
      tokens += step.totalRows();
      openPlans--;
    } finally {
      lock.unlock();
    }
  }

  void rollback(List<EngineSequence> members, StepPlan step) {
    lock.lock();
    try {
      undo(members, step);
      openPlans--;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public BackendStats stats() {
    settle();
    List<SinkTable> tables;
    int usedSlots;
    int usedPages;
    long committed;
    lock.lock();
    try {
      require(!closed, "backend=closed, expected an open one");
      tables = sequences.stream().map(sequence -> sequence.state().sinks()).toList();
      usedSlots = slots.used();
      usedPages = pages.used();
      committed = tokens;
    } finally {
      lock.unlock();
    }
    // Thousands of tables take milliseconds; nobody has to wait for that.
    long sinks = 0;
    long spilled = 0;
    int frozen = 0;
    for (SinkTable table : tables) {
      for (int h = 0; h < table.heads(); h++) {
        sinks += table.poolSize(h);
        spilled += table.spillSize(h);
        frozen += table.isFrozen(h) ? 1 : 0;
      }
    }
    return new BackendStats(
        usedSlots,
        slots.capacity(),
        usedPages,
        pages.capacity(),
        committed,
        capacity.allocatedBytes(),
        usedPages * capacity.pageBytes() + usedSlots * capacity.sequenceBytes(),
        committed * geometry.shape().fp16BytesPerToken(),
        sinks,
        spilled,
        frozen);
  }

  @Override
  public void close() {
    engineLock.lock();
    lock.lock();
    try {
      if (closed) {
        return;
      }
      require(openPlans == 0, "openPlans=%d, expected 0 when the backend is closed", openPlans);
      closed = true;
      graphs.forEach(EngineDecodeGraph::discard);
      graphs.clear();
      List.copyOf(sequences).forEach(this::release);
      engine.close();
    } finally {
      lock.unlock();
      engineLock.unlock();
    }
  }
}
