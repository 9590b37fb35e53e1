package org.sinkq.cpu;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import org.sinkq.TensorView;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceStep;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.layout.CacheGeometry;

/**
 * Attention of one layer over all sequences of a step.
 *
 * <p>An item of work is a tile of query rows with all query heads of one KV head, over a range of
 * pages; the last range of a tile also takes pool, spill and window. How a sequence is divided
 * depends on that sequence alone, never on threads or on its neighbours, and partial results are
 * merged in order: the same call gives the same bits.
 */
final class Attention {
  /** Columns (query rows times heads of a group) that a tile aims for. */
  private static final int TILE_COLUMNS = 32;

  /** Tokens of a range of pages. */
  private static final int SPLIT_TOKENS = 2048;

  private final CacheGeometry geometry;
  private final int group;
  private final int tileRows;
  private final int pagesPerSplit;
  private final AttentionTile[] tiles;
  private float[] partial = {};

  Attention(CacheGeometry geometry, PageMasks masks, Kernels kernels, int threads, Arena arena) {
    this.geometry = geometry;
    group = geometry.shape().groupSize();
    tileRows = Math.max(1, TILE_COLUMNS / group);
    pagesPerSplit = SPLIT_TOKENS / geometry.pageTokens();
    tiles = new AttentionTile[threads];
    for (int i = 0; i < threads; i++) {
      tiles[i] = new AttentionTile(geometry, masks, kernels, tileRows * group, arena);
    }
  }

  /**
   * Numbers the items of a step, the same for every layer: sequence by sequence, head by head, tile
   * by tile, split by split. Its size depends on the batch, not on the context.
   *
   * @param firstItem [sequences + 1] item number at which a sequence begins
   * @param firstPartial [sequences + 1] likewise for the partial results of split tiles
   */
  record Schedule(int[] firstItem, int[] firstPartial) {
    int items() {
      return firstItem[firstItem.length - 1];
    }

    int partials() {
      return firstPartial[firstPartial.length - 1];
    }

    int sequence(int item) {
      int found = Arrays.binarySearch(firstItem, item);
      return found >= 0 ? found : -found - 2;
    }
  }

  Schedule schedule(List<SequenceStep> sequences) {
    int heads = geometry.shape().numKvHeads();
    int[] firstItem = new int[sequences.size() + 1];
    int[] firstPartial = new int[sequences.size() + 1];
    for (int s = 0; s < sequences.size(); s++) {
      SequenceStep step = sequences.get(s);
      int splits = splits(step);
      int items = heads * tiles(step) * splits;
      firstItem[s + 1] = firstItem[s] + items;
      firstPartial[s + 1] = firstPartial[s] + (splits > 1 ? items : 0);
    }
    return new Schedule(firstItem, firstPartial);
  }

  private int tiles(SequenceStep step) {
    return (step.rows() + tileRows - 1) / tileRows;
  }

  /**
   * Long steps have tiles enough to keep every thread busy; only short ones are split by pages too.
   */
  int splits(SequenceStep step) {
    return tiles(step) > 1
        ? 1
        : Math.max(1, (step.state().pageCount() + pagesPerSplit - 1) / pagesPerSplit);
  }

  /** First page of a split. */
  int firstPage(int split) {
    return split * pagesPerSplit;
  }

  /** Page at which a split ends. */
  int endPage(SequenceStep step, int split) {
    int pages = step.state().pageCount();
    return split == splits(step) - 1 ? pages : (split + 1) * pagesPerSplit;
  }

  /** Floats of a partial result. */
  private int partialLength() {
    return tileRows * group * AttentionTile.savedLength(geometry);
  }

  void run(
      CpuLayer layer,
      Schedule schedule,
      CpuStep step,
      TensorView q,
      TensorView out,
      WorkerPool workers) {
    int needed = Math.multiplyExact(schedule.partials(), partialLength());
    if (partial.length < needed) {
      partial = new float[needed];
    }
    workers.run(
        schedule.items(),
        (item, worker) -> attend(layer, schedule, step, item, tiles[worker], q, out));
    if (schedule.partials() > 0) {
      workers.run(
          schedule.items(),
          (item, worker) -> merge(layer, schedule, step, item, tiles[worker], q, out));
    }
  }

  private void attend(
      CpuLayer layer,
      Schedule schedule,
      CpuStep step,
      int item,
      AttentionTile tile,
      TensorView q,
      TensorView out) {
    int sequence = schedule.sequence(item);
    int local = item - schedule.firstItem[sequence];
    SequenceStep share = step.share(sequence);
    int splits = splits(share);
    int split = local % splits;
    int head = head(share, local / splits);
    int row = row(share, local / splits);
    tile.begin(layer, share, head, row, Math.min(tileRows, share.rows() - row), q);
    int end = endPage(share, split);
    for (int p = firstPage(split); p < end; p++) {
      tile.page(p);
    }
    tile.endPages();
    WindowView window = step.window(layer, sequence, head);
    if (split == splits - 1) {
      tile.sinks();
      tile.window(window);
    }
    if (splits == 1) {
      tile.addMasses(window);
      tile.write(out);
    } else {
      tile.save(partial, (schedule.firstPartial[sequence] + local) * partialLength());
    }
  }

  private int head(SequenceStep share, int tile) {
    return tile / tiles(share);
  }

  private int row(SequenceStep share, int tile) {
    return tile % tiles(share) * tileRows;
  }

  /** The first item of a split tile folds the others into itself, in order. */
  private void merge(
      CpuLayer layer,
      Schedule schedule,
      CpuStep step,
      int item,
      AttentionTile tile,
      TensorView q,
      TensorView out) {
    int sequence = schedule.sequence(item);
    int local = item - schedule.firstItem[sequence];
    SequenceStep share = step.share(sequence);
    int splits = splits(share);
    if (splits == 1 || local % splits != 0) {
      return;
    }
    int head = head(share, local / splits);
    int row = row(share, local / splits);
    tile.begin(layer, share, head, row, Math.min(tileRows, share.rows() - row), q);
    for (int s = 0; s < splits; s++) {
      tile.merge(partial, (schedule.firstPartial[sequence] + local + s) * partialLength());
    }
    tile.addMasses(step.window(layer, sequence, head));
    tile.write(out);
  }
}
