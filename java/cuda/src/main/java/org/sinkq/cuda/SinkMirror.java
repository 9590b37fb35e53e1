package org.sinkq.cuda;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.CacheMemory;
import org.sinkq.layout.CacheGeometry;

/**
 * The sink tables on the device. Selections happen there, on the side that is not committed; the
 * host takes the result over when the step commits. What the host changes by itself (truncation,
 * forks) goes up before the sequence's next step.
 *
 * <pre>
 *   sequence slot 0: side 0 [tracked heads] | side 1 [tracked heads]     slot 1: ...
 * </pre>
 *
 * Attention masses have two sides too, in the dense rows. They change sides in every step, the
 * tables only where a page fills.
 */
final class SinkMirror {
  private final CudaDevice device;
  private final DeviceBuffers buffers;
  private final CudaDevice.Stream stream;
  private final SinkPolicy policy;
  private final PageMasks masks;
  private final int sideBytes;
  private final long address;
  private final byte[] sides;
  private final byte[] scoreSides;
  private final boolean tracksMass;
  private final SinkTable[] mirrored;
  private final long[] versions;
  private final int[] slotsInUse;
  private final int[] pagesUnread;

  SinkMirror(
      CudaDevice device, DeviceBuffers buffers, CudaDevice.Stream stream, CacheMemory memory) {
    this.device = device;
    this.buffers = buffers;
    this.stream = stream;
    CacheGeometry geometry = memory.geometry();
    policy = geometry.sinks();
    masks = memory.masks();
    sideBytes = geometry.trackedHeads() * CudaLayout.sinkHeadBytes(geometry.sinks().slots());
    address = buffers.allocate(2L * sideBytes * memory.sequences());
    // Nobody writes the padding, but it is copied back with the rest.
    device.fill(address, (byte) 0, Math.max(1, 2L * sideBytes * memory.sequences()), stream);
    sides = new byte[memory.sequences()];
    scoreSides = new byte[memory.sequences()];
    tracksMass = geometry.tracksMass();
    mirrored = new SinkTable[memory.sequences()];
    versions = new long[memory.sequences()];
    slotsInUse = new int[memory.sequences()];
    pagesUnread = new int[memory.sequences()];
  }

  static long bytesPerSequence(CacheGeometry geometry) {
    return 2L * geometry.trackedHeads() * CudaLayout.sinkHeadBytes(geometry.sinks().slots());
  }

  long address() {
    return address;
  }

  /** Bytes from one sequence slot to the next. */
  long stride() {
    return 2L * sideBytes;
  }

  /** Which side of each slot is committed. */
  byte[] sides() {
    return sides;
  }

  /** Which side of a sequence's masses is committed; 0 if there are none. */
  int scoreSide(SequenceState state) {
    return scoreSides[state.slot()];
  }

  /** A fork has its parent's rows, both sides of the masses included. */
  void copyScoreSide(SequenceState from, SequenceState to) {
    scoreSides[to.slot()] = scoreSides[from.slot()];
  }

  private long address(int slot, int side) {
    return address + slot * stride() + (long) side * sideBytes;
  }

  /**
   * How many sink slots of a sequence any head uses at most: what the host knows, and what pages
   * whose selection it has not read yet can have added.
   */
  int slotsInUse(SequenceState state) {
    int slot = state.slot();
    return Math.min(slotsInUse[slot] + policy.poolTokens() * pagesUnread[slot], policy.slots());
  }

  /** Sends the host's table up if the device does not have it. */
  void refresh(SequenceState state) {
    SinkTable table = state.sinks();
    int slot = state.slot();
    if (sideBytes == 0 || (mirrored[slot] == table && versions[slot] == table.version())) {
      return;
    }
    DeviceBuffers.Mirrored buffer = buffers.mirrored(sideBytes);
    ByteBuffer image = image(buffer.host().asSlice(0, sideBytes));
    for (int h = 0; h < table.heads(); h++) {
      table.write(h, image);
    }
    device.copyToDevice(address(slot, sides[slot]), buffer.host().asSlice(0, sideBytes), stream);
    device.synchronize(stream);
    buffers.giveBack(buffer);
    mirrored[slot] = table;
    versions[slot] = table.version();
    slotsInUse[slot] = table.slotsInUse();
    pagesUnread[slot] = 0;
  }

  private static ByteBuffer image(MemorySegment bytes) {
    return bytes.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Bytes that {@link #fetch} needs. */
  long fetchBytes(List<SequenceStep> sequences) {
    return sequences.stream().filter(s -> s.newPages().length > 0).count() * sideBytes;
  }

  /** Queues copies of the tables that a step has written. */
  void fetch(List<SequenceStep> sequences, MemorySegment to) {
    long at = 0;
    for (SequenceStep step : sequences) {
      if (step.newPages().length > 0 && sideBytes > 0) {
        int slot = step.state().slot();
        device.copyToHost(to.asSlice(at, sideBytes), address(slot, 1 - sides[slot]), stream);
        at += sideBytes;
      }
    }
  }

  /**
   * A table that a step has written and that the host has not read.
   *
   * @param flushed position of the first token of its new pages
   * @param newPages that the step has filled
   */
  record Written(SequenceState state, int flushed, int[] newPages) {}

  /**
   * The step commits on the device: what it has written are the sequences' tables from here on.
   *
   * @return what to {@link #read}, before the host looks at those tables or changes them
   */
  List<Written> switchSides(List<SequenceStep> sequences) {
    if (sideBytes == 0) {
      return List.of();
    }
    List<Written> written = new ArrayList<>();
    for (SequenceStep step : sequences) {
      scoreSides[step.state().slot()] ^= (byte) (tracksMass ? 1 : 0);
      if (step.newPages().length > 0) {
        SequenceState state = step.state();
        sides[state.slot()] ^= 1;
        pagesUnread[state.slot()] += step.newPages().length;
        written.add(new Written(state, state.flushedTokens(), step.newPages()));
      }
    }
    return written;
  }

  /** Takes over tables that {@link #fetch} has brought, and the masks that follow from them. */
  void read(List<Written> written, MemorySegment from) {
    long at = 0;
    for (Written one : written) {
      SinkTable table = one.state.sinks();
      ByteBuffer image = image(from.asSlice(at, sideBytes));
      at += sideBytes;
      for (int h = 0; h < table.heads(); h++) {
        table.read(h, image);
        // A masked token of a new page is one that has just become a sink.
        masks.derive(h, one.flushed, one.newPages, table);
      }
      int slot = one.state.slot();
      if (mirrored[slot] == table) {
        versions[slot] = table.version();
        slotsInUse[slot] = table.slotsInUse();
        pagesUnread[slot] -= one.newPages.length;
      }
    }
  }
}
