package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.sinkq.cache.IndexPool;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkTable;
import org.sinkq.cache.StepPlan;
import org.sinkq.layout.CacheGeometry;

/**
 * The indices of an {@link EngineBackend}: which pages and slots are free, who has the others, and
 * which sequences belong to an open plan or a transfer. One lock guards all of them; every method
 * takes it, for microseconds. Marking a sequence as planned is what keeps everybody else away from
 * its own indices and rows.
 */
final class CacheIndices {
  private static final int[] NO_PAGES = {};

  /** For who needs several calls to be one. */
  final ReentrantLock lock = new ReentrantLock();

  private final EngineBackend backend;
  private final CacheGeometry geometry;
  private final Capacity capacity;
  private final PageMasks masks;
  private final IndexPool pages;
  private final IndexPool slots;
  private final Set<EngineSequence> sequences = ConcurrentHashMap.newKeySet();
  private int openPlans;
  private long tokens;
  private volatile boolean closed;

  CacheIndices(EngineBackend backend, CacheGeometry geometry, Capacity capacity) {
    this.backend = backend;
    this.geometry = geometry;
    this.capacity = capacity;
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
  }

  PageMasks masks() {
    return masks;
  }

  void requireOpen() {
    require(!closed, "backend=closed, expected an open one");
  }

  /** An empty sequence. */
  EngineSequence open() {
    lock.lock();
    try {
      return register(allocate(), 0);
    } finally {
      lock.unlock();
    }
  }

  /** A slot and an empty table; nobody knows the sequence yet. */
  SequenceState allocate() {
    lock.lock();
    try {
      requireOpen();
      if (slots.free() == 0) {
        throw new CapacityExhaustedException(CapacityExhaustedException.Resource.SEQUENCES, 1, 0);
      }
      SinkTable sinks = new SinkTable(geometry.sinks(), geometry.trackedHeads());
      return new SequenceState(slots.acquire(), geometry.pageTokens(), sinks);
    } finally {
      lock.unlock();
    }
  }

  /** Makes a state a sequence that everybody may use, with tokens that are not counted yet. */
  EngineSequence register(SequenceState state, int newTokens) {
    EngineSequence sequence = new EngineSequence(backend, state);
    lock.lock();
    try {
      tokens += newTokens;
      sequences.add(sequence);
    } finally {
      lock.unlock();
    }
    return sequence;
  }

  /** Takes an idle sequence out of everybody else's reach, as an open plan does. */
  SequenceState claim(EngineSequence sequence) {
    lock.lock();
    try {
      sequence.requireIdle();
      sequence.setPlanned(true);
      openPlans++;
      return sequence.state();
    } finally {
      lock.unlock();
    }
  }

  /** The counterpart of {@link #claim}. */
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
      requireOpen();
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
      openPlans--;
      return register(state, state.length());
    } finally {
      lock.unlock();
    }
  }

  /** Lets an empty sequence have all that another one has. */
  void share(SequenceState from, SequenceState to) {
    lock.lock();
    try {
      to.copyFrom(from);
      for (int i = 0; i < from.pageCount(); i++) {
        pages.retain(from.page(i));
      }
    } finally {
      lock.unlock();
    }
  }

  /** Cuts a sequence behind so many tokens and full pages. */
  void truncate(SequenceState state, int length, int keptPages) {
    lock.lock();
    try {
      for (int i = keptPages; i < state.pageCount(); i++) {
        pages.release(state.page(i));
      }
      tokens -= state.length() - length;
      state.truncate(length, keptPages);
    } finally {
      lock.unlock();
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

  /** Gives pages and slot back. */
  void free(SequenceState state) {
    lock.lock();
    try {
      for (int i = 0; i < state.pageCount(); i++) {
        pages.release(state.page(i));
      }
      slots.release(state.slot());
    } finally {
      lock.unlock();
    }
  }

  private void release(EngineSequence sequence) {
    SequenceState state = sequence.state();
    free(state);
    tokens -= state.length();
    sequences.remove(sequence);
    sequence.markClosed();
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
        sequence instanceof EngineSequence s && s.backend() == backend,
        "sequence=%s, expected one of this backend",
        sequence);
    return (EngineSequence) sequence;
  }

  /** Takes the pages of a step and marks its sequences, or throws and takes nothing. */
  StepPlan reserve(AttentionMetadata metadata, List<EngineSequence> members) {
    lock.lock();
    try {
      requireOpen();
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

  /** Makes a step's indices permanent. */
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

  /** Forgets a step. */
  void rollback(List<EngineSequence> members, StepPlan step) {
    lock.lock();
    try {
      undo(members, step);
      openPlans--;
    } finally {
      lock.unlock();
    }
  }

  /** Counts of the moment; sink tables as they are. */
  BackendStats stats() {
    List<SinkTable> tables;
    int usedSlots;
    int usedPages;
    long committed;
    lock.lock();
    try {
      requireOpen();
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

  /**
   * Ends everything, unless that has been done.
   *
   * @return whether it had not
   */
  boolean close() {
    lock.lock();
    try {
      if (closed) {
        return false;
      }
      require(openPlans == 0, "openPlans=%d, expected 0 when the backend is closed", openPlans);
      closed = true;
      List.copyOf(sequences).forEach(this::release);
      return true;
    } finally {
      lock.unlock();
    }
  }
}
