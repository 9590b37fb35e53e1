package org.sinkq.engine;

import org.sinkq.KvCodec;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;
import org.sinkq.layout.CacheGeometry;

/**
 * The order of a layer's dense rows outside an engine.
 *
 * <pre>
 *   head 0: window rows, oldest first | rows of the sink slots in use, ascending     head 1: ...
 *   row     key [headDim] | value [headDim], little-endian fp16, or fp32 for codec FP32
 * </pre>
 */
public final class RowOrder {
  /** Told where each row lies. */
  public interface Visitor {
    /** A row of the window; {@code offset} in bytes. */
    void window(int head, int position, long offset);

    /** A row of pool or spill; {@code offset} in bytes. */
    void sink(int head, int slot, long offset);
  }

  private RowOrder() {}

  /** Bytes of a stored element of a layer's rows. */
  public static int elementBytes(CacheGeometry geometry, int layer) {
    return geometry.layer(layer).codec() == KvCodec.FP32 ? Float.BYTES : Short.BYTES;
  }

  private static long rowBytes(CacheGeometry geometry, int layer) {
    return 2L * geometry.shape().headDim() * elementBytes(geometry, layer);
  }

  /** Bytes of all rows of a layer. */
  public static long bytes(CacheGeometry geometry, int layer, SequenceState sequence) {
    int heads = geometry.shape().numKvHeads();
    long rows = (long) heads * sequence.windowLength();
    for (int head = 0; head < heads; head++) {
      int tracked = geometry.trackedHead(layer, head);
      if (tracked >= 0) {
        rows += sequence.sinks().poolSize(tracked) + sequence.sinks().spillSize(tracked);
      }
    }
    return rows * rowBytes(geometry, layer);
  }

  /** Visits the rows of a layer in order. */
  public static void visit(
      CacheGeometry geometry, int layer, SequenceState sequence, Visitor visitor) {
    long row = rowBytes(geometry, layer);
    SinkTable sinks = sequence.sinks();
    long offset = 0;
    for (int head = 0; head < geometry.shape().numKvHeads(); head++) {
      for (int p = sequence.flushedTokens(); p < sequence.length(); p++) {
        visitor.window(head, p, offset);
        offset += row;
      }
      int tracked = geometry.trackedHead(layer, head);
      for (int slot = 0; tracked >= 0 && slot < sinks.slots(); slot++) {
        if (sinks.position(tracked, slot) != SinkTable.FREE) {
          visitor.sink(head, slot, offset);
          offset += row;
        }
      }
    }
  }
}
