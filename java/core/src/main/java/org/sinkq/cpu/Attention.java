package org.sinkq.cpu;

import java.lang.foreign.Arena;
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
  private final int lanes;
  private final AttentionTile[] tiles;
  private float[] partial = {};

  Attention(CacheGeometry geometry, PageMasks masks, Kernels kernels, int threads, Arena arena) {
    this.geometry = geometry;
    group = geometry.shape().groupSize();
    tileRows = Math.max(1, TILE_COLUMNS / group);
    lanes = CacheGeometry.roundUp(geometry.shape().headDim(), CpuLayout.BLOCK);
    tiles = new AttentionTile[threads];
    for (int i = 0; i < threads; i++) {
      tiles[i] = new AttentionTile(geometry, masks, kernels, tileRows * group, arena);
    }
  }

  /**
   * Items of a step, the same for every layer: [item] sequence, head, first row, rows, first page,
   * end page, splits of its tile. Items of split tiles number their partial results.
   */
  record Schedule(
      int[] sequence,
      int[] head,
      int[] row,
      int[] rows,
      int[] from,
      int[] to,
      int[] split,
      int[] splits,
      int[] partial,
      int partials) {}

  Schedule schedule(List<SequenceStep> sequences) {
    int heads = geometry.shape().numKvHeads();
    int pagesPerSplit = SPLIT_TOKENS / geometry.pageTokens();
    int count = 0;
    for (SequenceStep step : sequences) {
      count += heads * tiles(step) * splits(step, pagesPerSplit);
    }
    int[][] table = new int[9][count];
    int i = 0;
    int partials = 0;
    for (int s = 0; s < sequences.size(); s++) {
      SequenceStep step = sequences.get(s);
      int splits = splits(step, pagesPerSplit);
      for (int h = 0; h < heads; h++) {
        for (int t = 0; t < tiles(step); t++) {
          for (int p = 0; p < splits; p++, i++) {
            int first = t * tileRows;
            int pages = step.state().pageCount();
            int end = p == splits - 1 ? pages : (p + 1) * pagesPerSplit;
            int[] entry = {
              s,
              h,
              first,
              Math.min(tileRows, step.rows() - first),
              p * pagesPerSplit,
              end,
              p,
              splits,
              splits > 1 ? partials++ : 0
            };
            for (int f = 0; f < entry.length; f++) {
              table[f][i] = entry[f];
            }
          }
        }
      }
    }
    return new Schedule(
        table[0], table[1], table[2], table[3], table[4], table[5], table[6], table[7], table[8],
        partials);
  }

  private int tiles(SequenceStep step) {
    return (step.rows() + tileRows - 1) / tileRows;
  }

  /**
   * Long steps have tiles enough to keep every thread busy; only short ones are split by pages too.
   */
  private int splits(SequenceStep step, int pagesPerSplit) {
    return tiles(step) > 1
        ? 1
        : Math.max(1, (step.state().pageCount() + pagesPerSplit - 1) / pagesPerSplit);
  }

  /** Length of a partial result: per column its max, its sum and its output. */
  private int partialLength() {
    return tileRows * group * (2 + lanes);
  }

  void run(
      CpuLayer layer,
      Schedule schedule,
      CpuStep step,
      TensorView q,
      TensorView out,
      WorkerPool workers) {
    int items = schedule.sequence.length;
    int needed = Math.multiplyExact(schedule.partials, partialLength());
    if (partial.length < needed) {
      partial = new float[needed];
    }
    workers.run(
        items, (item, worker) -> attend(layer, schedule, step, item, tiles[worker], q, out));
    if (schedule.partials > 0) {
      workers.run(items, (item, worker) -> merge(schedule, step, item, tiles[worker], out));
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
    int sequence = schedule.sequence[item];
    int head = schedule.head[item];
    SequenceStep share = step.share(sequence);
    tile.begin(layer, share, head, schedule.row[item], schedule.rows[item], q);
    for (int p = schedule.from[item]; p < schedule.to[item]; p++) {
      tile.page(p);
    }
    if (schedule.split[item] == schedule.splits[item] - 1) {
      tile.sinks();
      tile.window(step.window(layer, sequence, head));
    }
    if (schedule.splits[item] == 1) {
      tile.write(out);
    } else {
      tile.save(partial, schedule.partial[item] * partialLength());
    }
  }

  /** The first item of a split tile folds the others into itself, in order. */
  private void merge(
      Schedule schedule, CpuStep step, int item, AttentionTile tile, TensorView out) {
    if (schedule.splits[item] == 1 || schedule.split[item] != 0) {
      return;
    }
    tile.clear(
        step.share(schedule.sequence[item]),
        schedule.head[item],
        schedule.row[item],
        schedule.rows[item]);
    for (int s = 0; s < schedule.splits[item]; s++) {
      tile.merge(partial, (schedule.partial[item] + s) * partialLength());
    }
    tile.write(out);
  }
}
