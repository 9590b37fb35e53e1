package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import org.sinkq.KvCodec;

/**
 * Access to single rows in the block format of {@link CpuLayout}: a key is a column of its block, a
 * value a row. Numbers are rounded to the block's element type on the way in.
 */
final class DenseBlocks {
  /** The largest fp16 number. */
  private static final float LARGEST_HALF = 65504f;

  private final CpuLayout layout;
  private final boolean wide;

  DenseBlocks(CpuLayout layout) {
    this.layout = layout;
    wide = layout.codec == KvCodec.FP32;
  }

  /** Rounds to the element type; an fp16 overflow gives an infinity, which the caller refuses. */
  float round(float value) {
    return wide ? value : Float.float16ToFloat(Float.floatToFloat16(value));
  }

  /**
   * Brings a dequantized row back into the element type's range: a scale that was rounded up can
   * put a code's value a little beyond the largest fp16 number.
   */
  void clamp(float[] row) {
    for (int d = 0; !wide && d < row.length; d++) {
      row[d] = Math.clamp(row[d], -LARGEST_HALF, LARGEST_HALF);
    }
  }

  /** Writes the row of a slot of the block area that starts at {@code base}. */
  void write(MemorySegment to, long base, int slot, float[] key, float[] value) {
    long block = base + (long) (slot / CpuLayout.BLOCK) * layout.denseBlockLength;
    int lane = slot % CpuLayout.BLOCK;
    for (int d = 0; d < layout.headDim; d++) {
      long keyAt = block + ((long) d * CpuLayout.BLOCK + lane) * layout.elementLength;
      put(to, keyAt, key[d]);
      put(to, block + layout.denseValueOffset(lane, d), value[d]);
    }
  }

  private void put(MemorySegment to, long at, float value) {
    if (wide) {
      to.set(JAVA_FLOAT_UNALIGNED, at, value);
    } else {
      to.set(JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(value));
    }
  }

  private float get(MemorySegment from, long at) {
    return wide
        ? from.get(JAVA_FLOAT_UNALIGNED, at)
        : Float.float16ToFloat(from.get(JAVA_SHORT_UNALIGNED, at));
  }

  /** Writes numbers one after the other. */
  void putRow(MemorySegment to, long at, float[] row) {
    for (int d = 0; d < row.length; d++) {
      put(to, at + (long) d * layout.elementLength, row[d]);
    }
  }

  /** Reads numbers one after the other. */
  void getRow(MemorySegment from, long at, float[] row) {
    for (int d = 0; d < row.length; d++) {
      row[d] = get(from, at + (long) d * layout.elementLength);
    }
  }

  /** Reads the row of a slot. */
  void read(MemorySegment from, long base, int slot, float[] key, float[] value) {
    long block = base + (long) (slot / CpuLayout.BLOCK) * layout.denseBlockLength;
    int lane = slot % CpuLayout.BLOCK;
    for (int d = 0; d < layout.headDim; d++) {
      key[d] = get(from, block + ((long) d * CpuLayout.BLOCK + lane) * layout.elementLength);
      value[d] = get(from, block + layout.denseValueOffset(lane, d));
    }
  }
}
