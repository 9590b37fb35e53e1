package org.sinkq.cuda;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.sinkq.KvCodec;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.layout.CacheGeometry;

/**
 * The plan of a step as the kernels read it: one int array for all layers, {@code Sequence} and
 * {@code Item} of {@code cuda-kernels/include/params.cuh}.
 *
 * <pre>
 *   sequences [n][16] | page ids | (sequence, index) of every page to be filled | items [..][28] ...
 * </pre>
 *
 * <p>Sequences with few columns (query row, query head of a group) go to {@code attend}: its items
 * are cut so that within one full wave of blocks every warp gets about the same number of units,
 * into no more pieces than that takes, each worth the same, and no block spans two sequences.
 * Layers that differ in their units (dense or quantized pages, sinks or none) have item tables of
 * their own. Sequences with many columns, prompts, go to {@code prefill}: an item for every so many
 * columns, the same in all layers. Those that have adaptive pages, or few rows after many tokens in
 * pages, stay with {@code attend}.
 */
final class StepTables {
  static final int SEQUENCE_INTS = 16;
  static final int ITEM_INTS = 28;

  /** Where an item has its sequence. */
  static final int ITEM_SEQUENCE = 12;

  /** Warps of a block of attend: each takes every fourth unit of an item. */
  private static final int WARPS = 4;

  /** The bit of a sequence's kept blocks that says which side of its masses is committed. */
  private static final int SCORE_SIDE_BIT = 31;

  /** Where a sequence has its sink blocks. */
  private static final int SINK_BLOCKS = 15;

  /** Beyond this many columns of a sequence, which {@code attend} takes 4 or 8 at a time. */
  private static final int MOST_ATTEND_COLUMNS = 32;

  /** Up to this many rows, those of a speculating decoder, ranges of pages have to be cut. */
  private static final int MOST_ATTEND_ROWS = 8;

  /**
   * Rows of which each has so many tokens in pages stay with {@code attend}, which multiplies codes
   * as they are; {@code prefill} expands them anew for every item. Measured: equal at 512 rows
   * after 1,024 tokens and 2,048 after 4,096, 2.4 times as fast for 64 rows after 8,192.
   */
  private static final int PAGED_TOKENS_PER_ATTEND_ROW = 2;

  /** Ranges that the tokens of a prompt are cut into at most, and tokens that are worth one. */
  private static final int MOST_PROMPT_SPLITS = 8;

  private static final int PROMPT_SPLIT_TOKENS = 256;

  /** What a quantized page costs, where {@link Kind#denseCost()} is what 16 dense rows do. */
  private static final int PAGE_COST = 16;

  /** An item table. */
  record Items(int offset, int count) {}

  /** What decides how a layer's work is cut. */
  record Kind(boolean quantized, int sinkBlocks, int columns, int pageTokens, int waveBlocks) {
    /**
     * What 16 dense rows cost where a quantized page costs {@link #PAGE_COST}: they have nearly as
     * many bytes as a page of 128 tokens at 2 bits, and a fraction of the arithmetic; of a smaller
     * page's, most is for its parameters. Measured on an H200, about the same at 2 and 4 bits.
     */
    private int denseCost() {
      if (columns > CudaKernels.FEW_COLUMNS) {
        return 6;
      }
      return switch (pageTokens) {
        case 128 -> 12;
        case 64 -> 20;
        default -> 28;
      };
    }

    /**
     * How many of a sequence's units lie within the first {@code part} of {@code parts} equal
     * shares of what all of them cost.
     *
     * @param pages quantized pages, which come first
     */
    int unitsWithin(int pages, int units, int part, int parts) {
      long paged = (long) pages * PAGE_COST;
      long cost = (paged + (long) (units - pages) * denseCost()) * part / parts;
      return cost <= paged
          ? (int) (cost / PAGE_COST)
          : pages + (int) ((cost - paged) / denseCost());
    }
  }

  private final List<SequenceStep> sequences;
  private final CacheGeometry geometry;
  private final Map<Kind, Items> tables = new HashMap<>();
  private int[] words = new int[1024];
  private int length;
  private int pageList;
  private int newPages;
  private int stagedBlocks;
  private int keptBlocks;
  private int appendWarps;
  private int longestWindow;
  private int mostColumns;
  private int promptParts;
  private final Items prompts;

  StepTables(List<SequenceStep> sequences, CacheGeometry geometry, SinkMirror sinks, int wave) {
    this.sequences = sequences;
    this.geometry = geometry;
    int heads = geometry.shape().numKvHeads();
    length = sequences.size() * SEQUENCE_INTS;
    ensure(0);
    for (int i = 0; i < sequences.size(); i++) {
      SequenceStep step = sequences.get(i);
      SequenceState state = step.state();
      int at = i * SEQUENCE_INTS;
      boolean staged = isStaged(step);
      int blocks = CudaLayout.ceilDiv(step.windowTokens(), CudaLayout.TILE);
      int tail = blocks - step.newPages().length * (geometry.pageTokens() / CudaLayout.TILE);
      int[] entry = {
        state.slot(),
        state.length(),
        state.flushedTokens(),
        step.rows(),
        step.firstRow(),
        state.pageCount(),
        length,
        step.newPages().length,
        length + state.pageCount(),
        staged ? blocks * CudaLayout.TILE : geometry.ringTokens(),
        staged ? 0 : state.flushedTokens() % geometry.ringTokens(),
        sinks.sides()[state.slot()],
        staged ? stagedBlocks : -1,
        keptBlocks,
        (staged ? tail : 0) | sinks.scoreSide(state) << SCORE_SIDE_BIT,
        CudaLayout.ceilDiv(sinks.slotsInUse(state), CudaLayout.TILE)
      };
      System.arraycopy(entry, 0, words, at, SEQUENCE_INTS);
      for (int p = 0; p < state.pageCount(); p++) {
        add(state.page(p));
      }
      for (int page : step.newPages()) {
        add(page);
      }
      if (staged) {
        stagedBlocks = Math.addExact(stagedBlocks, Math.multiplyExact(heads, blocks));
        keptBlocks = Math.addExact(keptBlocks, Math.multiplyExact(heads, tail));
      }
      appendWarps = Math.max(appendWarps, staged ? 2 * blocks : step.rows());
      longestWindow = Math.max(longestWindow, step.windowTokens());
      if (!isPrompt(step)) {
        mostColumns = Math.max(mostColumns, columns(step));
      }
    }
    pageList = length;
    for (int i = 0; i < sequences.size(); i++) {
      for (int p = 0; p < sequences.get(i).newPages().length; p++) {
        add(i);
        add(p);
        newPages++;
      }
    }
    prompts = promptItems(wave);
  }

  private int columns(SequenceStep step) {
    return Math.multiplyExact(step.rows(), geometry.shape().groupSize());
  }

  private boolean isPrompt(SequenceStep step) {
    boolean many = step.rows() > MOST_ATTEND_ROWS && columns(step) > MOST_ATTEND_COLUMNS;
    int paged = step.state().pageCount() * geometry.pageTokens();
    if (!many || paged == 0) {
      return many;
    }
    boolean few = step.rows() <= paged / PAGED_TOKENS_PER_ATTEND_ROW;
    return codecs().noneMatch(codec -> codec == KvCodec.INT2_ADAPTIVE) && !(few && isWide());
  }

  /** Whether {@code attend} takes 8 columns at a time over the codes of every layer's pages. */
  private boolean isWide() {
    return geometry.shape().headDim() <= 128
        && geometry.pageTokens() == 128
        && codecs().allMatch(codec -> codec.bits() < 16);
  }

  /** Of the layers; asked for only where many rows follow pages, not in a decode step. */
  private Stream<KvCodec> codecs() {
    return IntStream.range(0, geometry.shape().numLayers())
        .mapToObj(layer -> geometry.layer(layer).codec());
  }

  /**
   * Items of {@code prefill}, the last rows, which see the most, first. Where they are too few for
   * all blocks that run side by side, the tokens are cut into ranges too.
   */
  private Items promptItems(int wave) {
    int offset = alignItems();
    int most = CudaLayout.prefillColumns(geometry.shape().headDim());
    int heads = geometry.shape().numKvHeads();
    long items = 0;
    for (SequenceStep step : sequences) {
      items += isPrompt(step) ? (long) heads * CudaLayout.ceilDiv(columns(step), most) : 0;
    }
    int mostSplits = (int) Math.min(MOST_PROMPT_SPLITS, wave / Math.max(1, items));
    int counter = 0;
    for (int i = 0; i < sequences.size(); i++) {
      SequenceStep step = sequences.get(i);
      if (!isPrompt(step)) {
        continue;
      }
      int tokens = step.state().length() + step.rows();
      int splits = Math.clamp(tokens / PROMPT_SPLIT_TOKENS, 1, Math.max(1, mostSplits));
      int all = columns(step);
      for (int column = (all - 1) / most * most; column >= 0; column -= most) {
        int count = Math.min(most, all - column);
        for (int head = 0; head < heads; head++) {
          for (int split = 0; split < splits; split++) {
            addItem(i, head, column, count, 0, 0, split, splits, counter, promptParts);
          }
          if (splits > 1) {
            counter++;
            promptParts += splits;
          }
        }
      }
    }
    return new Items(offset, (length - offset) / ITEM_INTS);
  }

  /** Items are read 16 bytes at a time. */
  private int alignItems() {
    while (length % 4 != 0) {
      add(0);
    }
    return length;
  }

  /** Adds an item: its sequence, head, first column, columns, and what else it has. */
  private void addItem(int sequence, int... fields) {
    ensure(ITEM_INTS);
    Arrays.fill(words, length, length + ITEM_INTS, 0);
    words[length] = sequence;
    System.arraycopy(fields, 0, words, length + 1, fields.length);
    int copy = length + ITEM_SEQUENCE;
    System.arraycopy(words, sequence * SEQUENCE_INTS, words, copy, SEQUENCE_INTS);
    length += ITEM_INTS;
  }

  private boolean isStaged(SequenceStep step) {
    return step.windowTokens() > geometry.ringTokens();
  }

  private void ensure(int more) {
    if (length + more > words.length) {
      words = Arrays.copyOf(words, Math.max(2 * words.length, Math.addExact(length, more)));
    }
  }

  private void add(int word) {
    ensure(1);
    words[length++] = word;
  }

  /** Cuts the work of a layer, or finds how it was cut for an earlier one like it. */
  Items items(CudaLayout layout, int columns, int waveBlocks) {
    return items(kind(layout, columns, waveBlocks));
  }

  Items items(Kind kind) {
    return tables.computeIfAbsent(kind, this::cut);
  }

  static Kind kind(CudaLayout layout, int columns, int waveBlocks) {
    return new Kind(
        layout.isQuantized(), layout.sinkBlocks(), columns, layout.pageTokens, waveBlocks);
  }

  private int units(int sequence, Kind kind) {
    SequenceStep step = sequences.get(sequence);
    int perPage = kind.quantized ? 1 : geometry.pageTokens() / CudaLayout.TILE;
    return step.state().pageCount() * perPage
        + Math.min(kind.sinkBlocks, words[sequence * SEQUENCE_INTS + SINK_BLOCKS])
        + CudaLayout.ceilDiv(step.windowTokens(), CudaLayout.TILE);
  }

  private int columnBlocks(SequenceStep step, Kind kind) {
    return CudaLayout.ceilDiv(columns(step), kind.columns);
  }

  /** Items if no warp takes more than {@code most} units. */
  private long count(Kind kind, int most) {
    long count = 0;
    for (int i = 0; i < sequences.size(); i++) {
      SequenceStep step = sequences.get(i);
      if (!isPrompt(step)) {
        int splits = CudaLayout.ceilDiv(units(i, kind), most * WARPS);
        count += (long) columnBlocks(step, kind) * splits;
      }
    }
    return count * geometry.shape().numKvHeads();
  }

  private Items cut(Kind kind) {
    int low = 1;
    int high = 1;
    for (int i = 0; i < sequences.size(); i++) {
      if (!isPrompt(sequences.get(i))) {
        high = Math.max(high, CudaLayout.ceilDiv(units(i, kind), WARPS));
      }
    }
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (count(kind, middle) <= kind.waveBlocks) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    int offset = alignItems();
    int counter = 0;
    int partial = 0;
    for (int i = 0; i < sequences.size(); i++) {
      SequenceStep step = sequences.get(i);
      if (isPrompt(step)) {
        continue;
      }
      int pages = kind.quantized ? step.state().pageCount() : 0;
      int units = units(i, kind);
      int splits = CudaLayout.ceilDiv(units, low * WARPS);
      int all = columns(step);
      for (int head = 0; head < geometry.shape().numKvHeads(); head++) {
        for (int column = 0; column < all; column += kind.columns) {
          for (int split = 0; split < splits; split++) {
            int first = kind.unitsWithin(pages, units, split, splits);
            int end = kind.unitsWithin(pages, units, split + 1, splits);
            int count = Math.min(kind.columns, all - column);
            addItem(i, head, column, count, first, end, split, splits, counter, partial);
          }
          if (splits > 1) {
            counter++;
            partial += splits;
          }
        }
      }
    }
    return new Items(offset, (length - offset) / ITEM_INTS);
  }

  /** The array, valid up to {@link #length}. */
  int[] words() {
    return words;
  }

  int length() {
    return length;
  }

  /** Index of the list of pages to be filled. */
  int pageList() {
    return pageList;
  }

  /** Pages to be filled. */
  int newPages() {
    return newPages;
  }

  /** Dense blocks that sequences need which do not fit into their ring; 0 if there are none. */
  int stagedBlocks() {
    return stagedBlocks;
  }

  /** Dense blocks per layer that are kept until the step commits. */
  int keptBlocks() {
    return keptBlocks;
  }

  /** Most warps that a sequence's append takes: two a block of staged tokens, else one a row. */
  int appendWarps() {
    return appendWarps;
  }

  /** Most window tokens of a sequence, new ones included. */
  int longestWindow() {
    return longestWindow;
  }

  /** Items of the sequences that go to {@code prefill}. */
  Items prompts() {
    return prompts;
  }

  /** Partial results that those leave for each other. */
  int promptParts() {
    return promptParts;
  }

  /** Most columns of a sequence that goes to {@code attend}; 0 if none does. */
  int mostColumns() {
    return mostColumns;
  }
}
