package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.RowOrder;
import org.sinkq.layout.CacheGeometry;

/**
 * Pages and dense rows on their way out of the device and back, through one piece of page-locked
 * memory. Neighbouring pages travel together.
 */
final class SequenceCopies {
  private static final long PINNED_BYTES = 8 << 20;

  private final CudaDevice device;
  private final DeviceBuffers buffers;
  private final CudaDevice.Stream stream;
  private MemorySegment pinned = MemorySegment.NULL;

  SequenceCopies(CudaDevice device, DeviceBuffers buffers, CudaDevice.Stream stream) {
    this.device = device;
    this.buffers = buffers;
    this.stream = stream;
  }

  private void require(long bytes) {
    if (pinned.byteSize() < bytes) {
      if (pinned.byteSize() > 0) {
        buffers.freePinned(pinned);
        pinned = MemorySegment.NULL;
      }
      pinned = buffers.pinned(Math.max(PINNED_BYTES, bytes));
    }
  }

  /**
   * Copies pages out or in.
   *
   * @param base address of a layer's pages
   * @param stride bytes from a page to the next
   * @param outside [pages.length] pages of {@code stride} bytes
   */
  void pages(long base, long stride, int[] pages, MemorySegment outside, boolean out) {
    require(stride);
    int most = (int) (pinned.byteSize() / stride);
    for (int first = 0; first < pages.length; first += most) {
      int end = Math.min(pages.length, first + most);
      long at = first * stride;
      long bytes = (end - first) * stride;
      if (!out) {
        MemorySegment.copy(outside, at, pinned, 0, bytes);
      }
      queue(base, stride, pages, first, end, out);
      device.synchronize(stream);
      if (out) {
        MemorySegment.copy(pinned, 0, outside, at, bytes);
      }
    }
  }

  private void queue(long base, long stride, int[] pages, int first, int end, boolean out) {
    for (int i = first; i < end; ) {
      int run = i + 1;
      while (run < end && pages[run] == pages[run - 1] + 1) {
        run++;
      }
      MemorySegment part = pinned.asSlice((i - first) * stride, (run - i) * stride);
      if (out) {
        device.copyToHost(part, base + pages[i] * stride, stream);
      } else {
        device.copyToDevice(base + pages[i] * stride, part, stream);
      }
      i = run;
    }
  }

  /**
   * Copies the dense rows of a layer out.
   *
   * @param address of the layer's rows of the sequence
   */
  void readRows(
      CacheGeometry geometry,
      int layer,
      CudaLayout layout,
      SequenceState sequence,
      long address,
      MemorySegment to) {
    long bytes = geometry.shape().numKvHeads() * layout.headBytes;
    require(bytes);
    device.copyToHost(pinned.asSlice(0, bytes), address, stream);
    device.synchronize(stream);
    RowOrder.visit(geometry, layer, sequence, new Rows(layout, to, true));
  }

  /** The counterpart of {@link #readRows}. */
  void writeRows(
      CacheGeometry geometry,
      int layer,
      CudaLayout layout,
      SequenceState sequence,
      long address,
      MemorySegment from) {
    long bytes = geometry.shape().numKvHeads() * layout.headBytes;
    require(bytes);
    // Unused slots of a block take part in products with weight 0, so they have to be finite.
    pinned.asSlice(0, bytes).fill((byte) 0);
    RowOrder.visit(geometry, layer, sequence, new Rows(layout, from, false));
    device.copyToDevice(address, pinned.asSlice(0, bytes), stream);
    device.synchronize(stream);
  }

  /** Rows between the tiles in page-locked memory and the order outside. */
  private final class Rows implements RowOrder.Visitor {
    private final CudaLayout layout;
    private final MemorySegment outside;
    private final boolean out;

    Rows(CudaLayout layout, MemorySegment outside, boolean out) {
      this.layout = layout;
      this.outside = outside;
      this.out = out;
    }

    @Override
    public void window(int head, int position, long offset) {
      int slot = position % layout.ringTokens;
      copy(head * layout.headBytes, slot, offset);
      if (!out && layout.sinkSlots > 0) {
        long at = head * layout.headBytes + layout.scoreOffset() + (long) slot * Long.BYTES;
        if (layout.tracksMass) {
          pinned.set(JAVA_LONG, at, SinkTable.NO_MASS);
          pinned.set(JAVA_LONG, at + layout.scoreBytes(), SinkTable.NO_MASS);
        } else {
          pinned.set(JAVA_LONG, at, score(offset));
        }
      }
    }

    @Override
    public void sink(int head, int slot, long offset) {
      copy(head * layout.headBytes + layout.sinkOffset(), slot, offset);
    }

    private void copy(long blocks, int slot, long offset) {
      long block = blocks + slot / CudaLayout.TILE * (long) layout.denseBlock;
      long values = offset + (long) layout.headDim * Short.BYTES;
      for (int d = 0; d < layout.headDim; d++) {
        move(block + CudaLayout.denseKeyOffset(slot, d), offset + (long) d * Short.BYTES);
        move(block + layout.denseValueOffset(slot, d), values + (long) d * Short.BYTES);
      }
    }

    private void move(long inside, long at) {
      if (out) {
        outside.set(JAVA_SHORT_UNALIGNED, at, pinned.get(JAVA_SHORT, inside));
      } else {
        pinned.set(JAVA_SHORT, inside, outside.get(JAVA_SHORT_UNALIGNED, at));
      }
    }

    /** Sum of |key| in units of 2^-24, exact. */
    private long score(long offset) {
      long sum = 0;
      for (int d = 0; d < layout.headDim; d++) {
        short half = outside.get(JAVA_SHORT_UNALIGNED, offset + (long) d * Short.BYTES);
        sum += (long) (Math.abs(Float.float16ToFloat(half)) * 0x1p24f);
      }
      return sum;
    }
  }
}
