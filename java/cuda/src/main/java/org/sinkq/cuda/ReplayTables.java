package org.sinkq.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The plan of a recorded step: what {@link StepTables} has, at places that do not move and with
 * room for any step of so many sequences. Unused items have no columns, unused pages sequence -1;
 * blocks of the kernels that find one of these leave.
 *
 * <pre>
 *   sequences [batch][16] | items [most][28] for each kind of layer | pages to be filled [batch][2]
 *   positions [batch] | page ids
 * </pre>
 */
final class ReplayTables {
  private static final int LENGTH = 1;
  private static final int PAGE_TABLE = 6;
  private static final int NEW_PAGE_TABLE = 8;
  private static final int LIST_INTS = 2;
  private static final int NONE = -1;

  /** One kind of layer: how its items are cut, and where they lie. */
  private record Slot(StepTables.Kind kind, int offset, int most) {}

  private final int batch;
  private final List<Slot> slots = new ArrayList<>();
  private final int[] slotOf;
  private final int pageList;
  private final int positions;
  private final int pageIds;
  private final int[] fixed;

  /** Lays the tables of a decode step out: one row for each of {@code batch} sequences. */
  ReplayTables(CudaEngine engine, int batch) {
    this.batch = batch;
    int group = engine.geometry.shape().groupSize();
    slotOf = new int[engine.layouts.length];
    int at = batch * StepTables.SEQUENCE_INTS;
    for (int layer = 0; layer < slotOf.length; layer++) {
      CudaLayout layout = engine.layouts[layer];
      int columns = engine.kernels.columns(layout, group);
      StepTables.Kind kind = StepTables.kind(layout, columns, engine.waveBlocks(layout, columns));
      int slot = 0;
      while (slot < slots.size() && !slots.get(slot).kind.equals(kind)) {
        slot++;
      }
      slotOf[layer] = slot;
      if (slot == slots.size()) {
        // A wave, or where even that is too little a block for each row's columns of a head.
        int rows = batch * engine.geometry.shape().numKvHeads();
        int most = Math.max(kind.waveBlocks(), rows * CudaLayout.ceilDiv(group, columns));
        slots.add(new Slot(kind, at, most));
        at += most * StepTables.ITEM_INTS;
      }
    }
    pageList = at;
    positions = at + LIST_INTS * batch;
    pageIds = positions + batch;
    fixed = new int[pageIds];
  }

  /** Columns of a layer's items. */
  int columns(int layer) {
    return slots.get(slotOf[layer]).kind.columns();
  }

  /** Index of a layer's items. */
  int items(int layer) {
    return slots.get(slotOf[layer]).offset;
  }

  /** Items of a layer, used or not. */
  int itemCount(int layer) {
    return slots.get(slotOf[layer]).most;
  }

  /** Index of the list of pages to be filled. */
  int pageList() {
    return pageList;
  }

  /** Index of the positions of the rows. */
  int positions() {
    return positions;
  }

  /** Ints of a plan with so many page ids. */
  long length(int ids) {
    return (long) pageIds + ids;
  }

  /** Page ids in a step's tables. */
  int idCount(StepTables tables, int sequences) {
    return tables.pageList() - sequences * StepTables.SEQUENCE_INTS;
  }

  /** Writes a step of up to {@code batch} sequences with one row each. */
  void write(StepTables tables, int sequences, MemorySegment to) {
    int[] words = tables.words();
    int used = sequences * StepTables.SEQUENCE_INTS;
    System.arraycopy(words, 0, fixed, 0, used);
    for (int at = 0; at < used; at += StepTables.SEQUENCE_INTS) {
      fixed[at + PAGE_TABLE] += pageIds - used;
      fixed[at + NEW_PAGE_TABLE] += pageIds - used;
    }
    Arrays.fill(fixed, used, batch * StepTables.SEQUENCE_INTS, 0);
    for (Slot slot : slots) {
      StepTables.Items items = tables.items(slot.kind);
      int ints = items.count() * StepTables.ITEM_INTS;
      // Cutting items may have moved the array.
      System.arraycopy(tables.words(), items.offset(), fixed, slot.offset, ints);
      for (int at = slot.offset; at < slot.offset + ints; at += StepTables.ITEM_INTS) {
        fixed[at + StepTables.ITEM_SEQUENCE + PAGE_TABLE] += pageIds - used;
        fixed[at + StepTables.ITEM_SEQUENCE + NEW_PAGE_TABLE] += pageIds - used;
      }
      int end = slot.offset + slot.most * StepTables.ITEM_INTS;
      Arrays.fill(fixed, slot.offset + ints, end, 0);
    }
    int listed = LIST_INTS * tables.newPages();
    System.arraycopy(words, tables.pageList(), fixed, pageList, listed);
    Arrays.fill(fixed, pageList + listed, positions, NONE);
    for (int i = 0; i < batch; i++) {
      fixed[positions + i] = fixed[i * StepTables.SEQUENCE_INTS + LENGTH];
    }
    MemorySegment.copy(fixed, 0, to, ValueLayout.JAVA_INT, 0, pageIds);
    MemorySegment.copy(
        words,
        used,
        to,
        ValueLayout.JAVA_INT,
        (long) pageIds * Integer.BYTES,
        idCount(tables, sequences));
  }
}
