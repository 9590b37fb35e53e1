package org.sinkq.cpu;

import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkTable;

/** Writes the rows of a step into blocks, refusing what fp16 cannot hold, and scores their keys. */
final class Appender {
  /** Scores count in units of the smallest fp16 number, 2^-24. */
  private static final float SCORE_UNIT = 0x1p24f;

  private Appender() {}

  /**
   * Sum over channels of |key| in the stored precision; exact, as every fp16 number is a multiple
   * of the unit.
   */
  private static long score(DenseBlocks blocks, float[] key) {
    long sum = 0;
    for (float x : key) {
      sum += (long) (Math.abs(blocks.round(x)) * SCORE_UNIT);
    }
    return sum;
  }

  /** Score of a token that has just entered the window. */
  static long firstScore(CpuLayer layer, float[] key) {
    return layer.rows.tracksMass() ? SinkTable.NO_MASS : score(layer.blocks, key);
  }

  /**
   * Appends a head's rows.
   *
   * @param base of the block area
   * @param slots token slots of the area; row i goes to slot (firstSlot + i) mod slots
   * @param scores receives the scores by slot, or null
   */
  static void append(
      CpuLayer layer,
      int head,
      SequenceStep step,
      TensorView k,
      TensorView v,
      MemorySegment to,
      long base,
      int firstSlot,
      int slots,
      long[] scores) {
    float[] key = new float[layer.layout.headDim];
    float[] value = new float[layer.layout.headDim];
    for (int i = 0; i < step.rows(); i++) {
      Elements.read(k, step.firstRow() + i, head, key, 0);
      Elements.read(v, step.firstRow() + i, head, value, 0);
      int position = step.state().length() + i;
      check("key", layer, head, position, key);
      check("value", layer, head, position, value);
      int slot = (firstSlot + i) % slots;
      layer.blocks.write(to, base, slot, key, value);
      if (scores != null) {
        scores[slot] = firstScore(layer, key);
      }
    }
  }

  private static void check(String what, CpuLayer layer, int head, int position, float[] row) {
    for (int d = 0; d < row.length; d++) {
      if (!Float.isFinite(layer.blocks.round(row[d]))) {
        require(
            false,
            "%s=%s at layer %d, head %d, position %d, channel %d, expected a finite number within"
                + " the fp16 range",
            what,
            row[d],
            layer.index,
            head,
            position,
            d);
      }
    }
  }
}
