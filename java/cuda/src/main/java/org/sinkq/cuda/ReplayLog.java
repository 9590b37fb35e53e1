package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.sinkq.InvalidArgumentException;
import org.sinkq.cache.SequenceStep;

/**
 * The last few replayed steps: each with page-locked memory for what goes up and what comes back,
 * and an event behind its work. Nobody waits for a step before its memory is needed again or the
 * host wants to know what it has found.
 *
 * <pre>
 *   host memory of a step: error codes [layers] | sink tables it has written | plan
 * </pre>
 */
final class ReplayLog {
  /** How many steps the host may be ahead of the device. */
  private static final int DEPTH = 4;

  /** One step's place. */
  final class Entry {
    private final CudaDevice.Event end = device.createEvent();
    private MemorySegment host = MemorySegment.NULL;
    private long planOffset;
    private int[] lengths = {};
    private List<SinkMirror.Written> written = List.of();
    private boolean underWay;

    /** Where the plan is prepared. */
    MemorySegment plan() {
      return host.asSlice(planOffset);
    }
  }

  private final CudaEngine engine;
  private final CudaDevice device;
  private final long errors;
  private final long errorBytes;
  private final List<Entry> entries = new ArrayList<>();
  private int next;
  private InvalidArgumentException late;

  ReplayLog(CudaEngine engine) {
    this.engine = engine;
    device = engine.device;
    errorBytes = (long) engine.layouts.length * Long.BYTES;
    errors = engine.buffers.allocate(errorBytes);
    clearErrors();
  }

  /** Address of a layer's error code. */
  long error(int layer) {
    return errors + (long) layer * Long.BYTES;
  }

  private void clearErrors() {
    device.fill(errors, (byte) 0xFF, errorBytes, engine.stream);
  }

  /** A place for a step; waits only if the step that had it is still under way. */
  Entry begin(List<SequenceStep> sequences, long planBytes) {
    if (entries.size() < DEPTH) {
      entries.add(next, new Entry());
    }
    Entry entry = entries.get(next);
    settle(entry);
    entry.planOffset = errorBytes + engine.sinks.fetchBytes(sequences);
    long bytes = entry.planOffset + planBytes;
    if (entry.host.byteSize() < bytes) {
      if (entry.host.byteSize() > 0) {
        engine.buffers.freePinned(entry.host);
        entry.host = MemorySegment.NULL;
      }
      entry.host = engine.buffers.pinned(2 * bytes);
    }
    return entry;
  }

  /**
   * The step's work is queued: queues what comes back, and makes its sink tables the present ones.
   */
  void commit(Entry entry, List<SequenceStep> sequences) {
    device.copyToHost(entry.host.asSlice(0, errorBytes), errors, engine.stream);
    engine.sinks.fetch(sequences, entry.host.asSlice(errorBytes));
    device.record(entry.end, engine.stream);
    entry.lengths = new int[sequences.size()];
    for (int i = 0; i < entry.lengths.length; i++) {
      entry.lengths[i] = sequences.get(i).state().length();
    }
    entry.written = engine.sinks.switchSides(sequences);
    entry.underWay = true;
    next = (next + 1) % DEPTH;
  }

  /** Waits for all steps and takes over what they have written. */
  void settle() {
    for (int i = 0; i < entries.size(); i++) {
      settle(entries.get((next + i) % entries.size()));
    }
  }

  private void settle(Entry entry) {
    if (!entry.underWay) {
      return;
    }
    device.awaitOnHost(entry.end);
    entry.underWay = false;
    engine.sinks.read(entry.written, entry.host.asSlice(errorBytes));
    // Codes stay until they are cleared, so later steps carry them too.
    if (late == null) {
      judge(entry);
    }
  }

  private void judge(Entry entry) {
    for (int layer = 0; layer < engine.layouts.length && late == null; layer++) {
      long code = entry.host.get(JAVA_LONG, (long) layer * Long.BYTES);
      if (code != BadElement.NONE) {
        BadElement bad = BadElement.decode(code);
        late =
            new InvalidArgumentException(
                String.format(
                    Locale.ROOT,
                    "%s=not finite at layer %d, head %d, position %d, channel %d of sequence %d of"
                        + " a replayed step, expected a finite number within the fp16 range; stored"
                        + " as 0, truncate the sequence to take it back",
                    bad.name(),
                    layer,
                    bad.head(),
                    entry.lengths[bad.sequence()] + bad.row(),
                    bad.channel(),
                    bad.sequence()));
      }
    }
  }

  /** Throws what a finished step has found, without waiting for others. */
  void report() {
    for (int i = 0; i < entries.size(); i++) {
      Entry entry = entries.get((next + i) % entries.size());
      if (entry.underWay) {
        if (!device.isDone(entry.end)) {
          break;
        }
        settle(entry);
      }
    }
    if (late != null) {
      // Whatever is under way carries the same codes; nothing else is lost but other bad elements.
      settle();
      clearErrors();
      InvalidArgumentException found = late;
      late = null;
      throw found;
    }
  }

  /** Gives the events up; the buffers free the rest. */
  void close() {
    entries.forEach(entry -> device.destroy(entry.end));
  }
}
