package org.sinkq.cpu;

import java.lang.foreign.MemorySegment;
import org.sinkq.cache.SequenceState;
import org.sinkq.engine.RowOrder;

/** Copies the dense rows of a sequence out of a layer, or into it with the scores of their keys. */
final class RowCopy implements RowOrder.Visitor {
  private final CpuLayer layer;
  private final SequenceState sequence;
  private final MemorySegment outside;
  private final boolean out;
  private final float[] key;
  private final float[] value;

  RowCopy(CpuLayer layer, SequenceState sequence, MemorySegment outside, boolean out) {
    this.layer = layer;
    this.sequence = sequence;
    this.outside = outside;
    this.out = out;
    key = new float[layer.layout.headDim];
    value = new float[layer.layout.headDim];
  }

  @Override
  public void window(int head, int position, long offset) {
    DenseRows rows = layer.rows;
    int slot = position % rows.ringTokens;
    copy(rows.ringBase(sequence, head), slot, offset);
    if (!out && rows.isTracked()) {
      rows.scores(sequence, head)[slot] = Appender.firstScore(layer, key);
    }
  }

  @Override
  public void sink(int head, int slot, long offset) {
    copy(layer.rows.sinkBase(sequence, head), slot, offset);
  }

  private void copy(long base, int slot, long offset) {
    long valueOffset = offset + (long) key.length * layer.layout.elementLength;
    if (out) {
      layer.blocks.read(layer.rows.segment, base, slot, key, value);
      layer.blocks.putRow(outside, offset, key);
      layer.blocks.putRow(outside, valueOffset, value);
    } else {
      layer.blocks.getRow(outside, offset, key);
      layer.blocks.getRow(outside, valueOffset, value);
      layer.blocks.write(layer.rows.segment, base, slot, key, value);
    }
  }
}
