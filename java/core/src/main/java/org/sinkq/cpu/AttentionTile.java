package org.sinkq.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkTable;
import org.sinkq.layout.CacheGeometry;

/**
 * Online softmax of a tile: all query heads of one KV head for some query rows, over one chunk of
 * tokens after another (a page, or a block of dense rows). One object for each thread.
 *
 * <p>The scales fold away: q is multiplied by a page's key scales once, the probabilities by its
 * value scales; the minima come back as one sum per column. Rotated values are summed up as they
 * are and rotated back once.
 *
 * <pre>
 *   coef = q * scale     scores = coef · codes + q · min      p = exp(scores - max)
 *   coef = p * scale     out    = out * exp(old max - max) + coef · codes + p · min
 * </pre>
 *
 * <p>A column of {@code out} also carries what grows and is rescaled along with it, each as 16
 * partial sums that are added up once, at the end:
 *
 * <pre>
 *   lanes: the weighted values | for each value group: p · min | sum of p
 * </pre>
 */
final class AttentionTile {
  /**
   * From this many columns on, codes are expanded to floats once instead of being decoded for every
   * few columns.
   */
  private static final int EXPAND_COLUMNS = 9;

  private final CacheGeometry geometry;
  private final ModelShape shape;
  private final PageMasks masks;
  private final Kernels kernels;
  private final int group;
  private final int dim;
  private final int lanes;
  private final int pageTokens;
  private final int stride;
  private final int sumAt;
  private final int outStride;
  private final float[] q;
  private final float[] coef;
  private final float[] scores;
  private final float[] out;
  private final float[] max;
  private final float[] bias;
  private final float[] scale;
  private final float[] min;
  private final int[] lanePosition;
  private final MemorySegment expanded;
  private final int[] tables;
  private final Rotation rotation;
  private final AdaptivePage adaptive;
  private final float[] ones;
  private final float[] scratch;
  private final float[] weights;

  private CpuLayer layer;
  private SequenceStep step;
  private int head;
  private int firstRow;
  private int columns;

  AttentionTile(
      CacheGeometry geometry, PageMasks masks, Kernels kernels, int maxColumns, Arena arena) {
    this.geometry = geometry;
    this.masks = masks;
    this.kernels = kernels;
    shape = geometry.shape();
    group = shape.groupSize();
    dim = shape.headDim();
    lanes = CacheGeometry.roundUp(dim, CpuLayout.BLOCK);
    pageTokens = geometry.pageTokens();
    stride = Math.max(Math.max(lanes, pageTokens), geometry.adaptiveKeyDigits());
    q = new float[maxColumns * dim];
    coef = new float[maxColumns * stride];
    scores = new float[maxColumns * pageTokens];
    sumAt = lanes + geometry.valueGroups() * Kernels.PARTIAL_SUMS;
    outStride = sumAt + Kernels.PARTIAL_SUMS;
    out = new float[maxColumns * outStride];
    max = new float[maxColumns];
    bias = new float[Kernels.PARTIAL_SUMS];
    tables = new int[Kernels.tableLength(stride)];
    scale = new float[stride];
    min = new float[stride];
    lanePosition = new int[pageTokens];
    rotation = new Rotation(geometry.rotationBlock());
    adaptive = new AdaptivePage(dim, geometry.adaptiveKeyDigits(), pageTokens);
    ones = new float[pageTokens];
    Arrays.fill(ones, 1f);
    scratch = new float[stride];
    weights = new float[maxColumns];
    expanded =
        arena.allocate((long) stride * CpuLayout.BLOCK * Float.BYTES, CpuLayout.CODE_BLOCK_LENGTH);
  }

  /** Starts an empty result for rows {@code row} to {@code row + rows - 1} of a sequence's step. */
  void begin(
      CpuLayer newLayer, SequenceStep newStep, int newHead, int row, int rows, TensorView queries) {
    layer = newLayer;
    step = newStep;
    head = newHead;
    firstRow = row;
    columns = rows * group;
    Arrays.fill(out, 0, columns * outStride, 0f);
    Arrays.fill(max, 0, columns, Float.NEGATIVE_INFINITY);
    for (int c = 0; c < columns; c++) {
      Elements.read(
          queries, step.firstRow() + row + c / group, head * group + c % group, q, c * dim);
    }
    kernels.scaleAndAdd(q, 0, columns * dim, shape.softmaxScale(), 0f);
  }

  private int position(int column) {
    return step.state().length() + firstRow + column / group;
  }

  /** First position that a column's query sees. */
  private int lowest(int column) {
    int window = shape.slidingWindow(layer.index);
    return window == 0 ? 0 : Math.max(0, position(column) - window + 1);
  }

  /** Attends to a page of the sequence. */
  void page(int index) {
    int first = index * pageTokens;
    if (first + pageTokens <= lowest(0)) {
      return;
    }
    int page = step.state().page(index);
    int tracked = geometry.trackedHead(layer.index, head);
    long base = layer.page(page, head);
    boolean partial = first < lowest(columns - 1) || (tracked >= 0 && masks.any(tracked, page));
    if (partial) {
      for (int t = 0; t < pageTokens; t++) {
        lanePosition[t] = tracked >= 0 && masks.get(tracked, page, t) ? SinkTable.FREE : first + t;
      }
    }
    if (layer.layout.isAdaptive()) {
      adaptivePage(base, partial);
      return;
    }
    if (layer.layout.codec.isQuantized()) {
      quantizedPage(base, partial);
      return;
    }
    for (int b = 0; b < pageTokens / CpuLayout.BLOCK; b++) {
      setPositions(first + b * CpuLayout.BLOCK, CpuLayout.BLOCK);
      denseBlock(layer.pages, base + (long) b * layer.layout.denseBlockLength, partial);
    }
  }

  private void quantizedPage(long base, boolean partial) {
    CpuLayout layout = layer.layout;
    kernels.halves(layer.pages, base, dim, scale, 0);
    kernels.halves(layer.pages, base + layout.keyMinOffset, dim, min, 0);
    for (int c = 0; c < columns; c++) {
      Arrays.fill(bias, 0f);
      kernels.scaleAndDot(q, c * dim, scale, min, dim, coef, c * stride, bias, 0);
      Arrays.fill(scores, c * pageTokens, (c + 1) * pageTokens, Kernels.total(bias, 0));
    }
    codes(base + layout.keyCodesOffset, dim, pageTokens, scores, 0, pageTokens);
    softmax(pageTokens, partial);
    int valueLanes = layout.valueGroups == 1 ? lanes : layout.valueGroup;
    for (int g = 0; g < layout.valueGroups; g++) {
      long parameters = base + (long) g * pageTokens * Short.BYTES;
      kernels.halves(layer.pages, parameters + layout.valueScaleOffset, pageTokens, scale, 0);
      kernels.halves(layer.pages, parameters + layout.valueMinOffset, pageTokens, min, 0);
      weighValues(g);
      valueCodes(base, g, valueLanes);
    }
  }

  /** Adds the codes of a value group, weighted by the coefficients. */
  private void valueCodes(long base, int group, int valueLanes) {
    int codeBytes = valueLanes * pageTokens * layer.layout.codec.bits() / Byte.SIZE;
    codes(
        base + layer.layout.valueCodesOffset + (long) group * codeBytes,
        pageTokens,
        valueLanes,
        out,
        group * valueLanes,
        outStride);
  }

  /**
   * The coefficient of a key's row is its channel's, times 1, 4 or 16. Values are summed up as they
   * are stored, rotated: {@link #endPages} turns the sum back.
   */
  private void adaptivePage(long base, boolean partial) {
    CpuLayout layout = layer.layout;
    adaptive.load(layout, kernels, layer.pages, base);
    for (int c = 0; c < columns; c++) {
      Arrays.fill(bias, 0f);
      kernels.scaleAndDot(q, c * dim, adaptive.keyScale, adaptive.keyMin, dim, scratch, 0, bias, 0);
      adaptive.spread(scratch, coef, c * stride);
      Arrays.fill(scores, c * pageTokens, (c + 1) * pageTokens, Kernels.total(bias, 0));
    }
    codes(base + layout.keyCodesOffset, layout.keyRows, pageTokens, scores, 0, pageTokens);
    softmax(pageTokens, partial);
    for (int c = 0; c < columns; c++) {
      Arrays.fill(bias, 0f);
      kernels.scaleAndDot(scores, c * pageTokens, ones, ones, pageTokens, scratch, 0, bias, 0);
      weights[c] = Kernels.total(bias, 0);
    }
    kernels.rows(
        layer.pages,
        base + layout.valueMeanOffset,
        true,
        1,
        lanes / CpuLayout.BLOCK,
        weights,
        1,
        out,
        0,
        outStride,
        columns);
    int valueLanes = layout.valueGroups == 1 ? lanes : layout.valueGroup;
    for (int g = 0; g < layout.valueGroups; g++) {
      adaptive.valueScales(layout, layer.pages, base, g, scale);
      for (int t = 0; t < pageTokens; t++) {
        min[t] = -1.5f * scale[t];
      }
      weighValues(g);
      valueCodes(base, g, valueLanes);
    }
  }

  /** Coefficients of a value group's tokens, and the sum of p · min. */
  private void weighValues(int group) {
    for (int c = 0; c < columns; c++) {
      kernels.scaleAndDot(
          scores,
          c * pageTokens,
          scale,
          min,
          pageTokens,
          coef,
          c * stride,
          out,
          c * outStride + lanes + group * Kernels.PARTIAL_SUMS);
    }
  }

  /** Adds the sums of p · min to the lanes of {@code out}, multiplied by {@code norm}. */
  private void addMinima(int column, float norm) {
    int groupLanes = geometry.valueGroups() == 1 ? lanes : geometry.valueGroup();
    int at = column * outStride;
    for (int g = 0; g < geometry.valueGroups(); g++) {
      float addend = norm * Kernels.total(out, at + lanes + g * Kernels.PARTIAL_SUMS);
      kernels.scaleAndAdd(out, at + g * groupLanes, groupLanes, norm, addend);
    }
  }

  /** Ends the pages of this tile: dense rows, which may follow, are not rotated. */
  void endPages() {
    if (!layer.layout.isAdaptive()) {
      return;
    }
    for (int c = 0; c < columns; c++) {
      int at = c * outStride;
      addMinima(c, 1f);
      Arrays.fill(out, at + lanes, at + sumAt, 0f);
      rotation.apply(out, at, dim, 1);
    }
  }

  private void codes(long offset, int rows, int codeLanes, float[] to, int at, int toStride) {
    int bits = layer.layout.codec.bits();
    int rowBlocks = rows / layer.layout.rowsPerBlock;
    int laneBlocks = codeLanes / CpuLayout.BLOCK;
    if (columns < EXPAND_COLUMNS) {
      kernels.codes(
          bits,
          layer.pages,
          offset,
          rowBlocks,
          laneBlocks,
          coef,
          stride,
          to,
          at,
          toStride,
          columns,
          tables);
      return;
    }
    for (int b = 0; b < laneBlocks; b++) {
      kernels.expandCodes(
          bits,
          layer.pages,
          offset + (long) b * rowBlocks * CpuLayout.CODE_BLOCK_LENGTH,
          rowBlocks,
          expanded);
      int lane = at + b * CpuLayout.BLOCK;
      kernels.rows(expanded, 0, false, rows, 1, coef, stride, to, lane, toStride, columns);
    }
  }

  /** Attends to pool and spill. */
  void sinks() {
    int tracked = geometry.trackedHead(layer.index, head);
    if (tracked < 0) {
      return;
    }
    SinkTable table = step.state().sinks();
    for (int b = 0; b < layer.rows.sinkBlocks(); b++) {
      boolean any = false;
      for (int i = 0; i < CpuLayout.BLOCK; i++) {
        int slot = b * CpuLayout.BLOCK + i;
        lanePosition[i] = slot < table.slots() ? table.position(tracked, slot) : SinkTable.FREE;
        any |= lanePosition[i] != SinkTable.FREE;
      }
      if (any) {
        long base = layer.rows.sinkBase(step.state(), head);
        denseBlock(layer.rows.segment, base + (long) b * layer.layout.denseBlockLength, true);
      }
    }
  }

  /** Attends to the dense tokens of a step. */
  void window(WindowView view) {
    for (int b = 0; b < view.blocks(); b++) {
      int first = view.firstPosition() + b * CpuLayout.BLOCK;
      if (first > position(columns - 1)) {
        return;
      }
      int present = Math.min(CpuLayout.BLOCK, view.tokens() - b * CpuLayout.BLOCK);
      if (first + present <= lowest(0)) {
        continue;
      }
      setPositions(first, present);
      boolean partial =
          present < CpuLayout.BLOCK
              || first + present - 1 > position(0)
              || first < lowest(columns - 1);
      denseBlock(view.segment(), view.block(b, layer.layout.denseBlockLength), partial);
    }
  }

  /**
   * Gives the probabilities of all window tokens to their masses. The result is complete and not
   * yet written: only now the softmax over everything is known, so the logits of the window are
   * computed once more.
   */
  void addMasses(WindowView view) {
    if (!layer.rows.tracksMass()) {
      return;
    }
    for (int c = 0; c < columns; c++) {
      weights[c] = SinkTable.MASS_UNITS / Kernels.total(out, c * outStride + sumAt);
    }
    for (int b = 0; b < view.blocks(); b++) {
      int first = view.firstPosition() + b * CpuLayout.BLOCK;
      if (first > position(columns - 1)) {
        return;
      }
      setPositions(first, Math.min(CpuLayout.BLOCK, view.tokens() - b * CpuLayout.BLOCK));
      denseScores(view.segment(), view.block(b, layer.layout.denseBlockLength));
      long[] units = new long[CpuLayout.BLOCK];
      for (int c = 0; c < columns; c++) {
        int at = c * pageTokens;
        capAndHide(c, CpuLayout.BLOCK, true);
        kernels.exp(scores, at, CpuLayout.BLOCK, max[c], bias, 0);
        for (int t = 0; t < CpuLayout.BLOCK; t++) {
          units[t] += (long) Math.rint(scores[at + t] * weights[c]);
        }
      }
      view.addMasses(b, units);
    }
  }

  private void setPositions(int first, int present) {
    for (int i = 0; i < CpuLayout.BLOCK; i++) {
      lanePosition[i] = i < present ? first + i : SinkTable.FREE;
    }
  }

  private void denseScores(MemorySegment segment, long offset) {
    for (int c = 0; c < columns; c++) {
      System.arraycopy(q, c * dim, coef, c * stride, dim);
      Arrays.fill(scores, c * pageTokens, c * pageTokens + CpuLayout.BLOCK, 0f);
    }
    dense(segment, offset, dim, 1, coef, stride, scores, pageTokens);
  }

  private void denseBlock(MemorySegment segment, long offset, boolean partial) {
    denseScores(segment, offset);
    softmax(CpuLayout.BLOCK, partial);
    dense(
        segment,
        offset + layer.layout.denseValueOffset,
        CpuLayout.BLOCK,
        lanes / CpuLayout.BLOCK,
        scores,
        pageTokens,
        out,
        outStride);
  }

  private void dense(
      MemorySegment segment,
      long offset,
      int rows,
      int laneBlocks,
      float[] factors,
      int factorStride,
      float[] to,
      int toStride) {
    MemorySegment from = segment;
    long at = offset;
    boolean halves = layer.layout.codec != KvCodec.FP32;
    if (halves && columns >= EXPAND_COLUMNS) {
      kernels.expandHalves(segment, offset, rows * laneBlocks * CpuLayout.BLOCK, expanded);
      from = expanded;
      at = 0;
      halves = false;
    }
    kernels.rows(
        from, at, halves, rows, laneBlocks, factors, factorStride, to, 0, toStride, columns);
  }

  /**
   * Turns the scores of a chunk into weights relative to the running maximum and rescales what has
   * been summed so far.
   */
  private void softmax(int tokens, boolean partial) {
    for (int c = 0; c < columns; c++) {
      int at = c * pageTokens;
      capAndHide(c, tokens, partial);
      float newMax = Math.max(max[c], kernels.max(scores, at, tokens));
      if (newMax == Float.NEGATIVE_INFINITY) {
        Arrays.fill(scores, at, at + tokens, 0f);
        continue;
      }
      if (newMax > max[c]) {
        rescale(c, newMax);
      }
      kernels.exp(scores, at, tokens, newMax, out, c * outStride + sumAt);
    }
  }

  private void capAndHide(int column, int tokens, boolean partial) {
    int at = column * pageTokens;
    if (shape.logitsSoftCap() > 0) {
      kernels.softCap(scores, at, tokens, shape.logitsSoftCap());
    }
    int lowest = lowest(column);
    int highest = position(column);
    for (int t = 0; partial && t < tokens; t++) {
      if (lanePosition[t] < lowest || lanePosition[t] > highest) {
        scores[at + t] = Float.NEGATIVE_INFINITY;
      }
    }
  }

  private void rescale(int column, float newMax) {
    float factor = Exp.exp(max[column] - newMax);
    kernels.scaleAndAdd(out, column * outStride, outStride, factor, 0f);
    max[column] = newMax;
  }

  /** Floats of a column that is put aside. */
  static int savedLength(CacheGeometry geometry) {
    int lanes = CacheGeometry.roundUp(geometry.shape().headDim(), CpuLayout.BLOCK);
    return 1 + lanes + (geometry.valueGroups() + 1) * Kernels.PARTIAL_SUMS;
  }

  /** Puts the unfinished result aside. */
  void save(float[] to, int at) {
    System.arraycopy(max, 0, to, at, columns);
    System.arraycopy(out, 0, to, at + columns, columns * outStride);
  }

  /** Adds an unfinished result. */
  void merge(float[] from, int at) {
    for (int c = 0; c < columns; c++) {
      float otherMax = from[at + c];
      if (otherMax == Float.NEGATIVE_INFINITY) {
        continue;
      }
      if (otherMax > max[c]) {
        rescale(c, otherMax);
      }
      float factor = Exp.exp(otherMax - max[c]);
      int other = at + columns + c * outStride;
      for (int i = c * outStride; i < (c + 1) * outStride; i++, other++) {
        out[i] = Math.fma(from[other], factor, out[i]);
      }
    }
  }

  /** Writes the normalized result. */
  void write(TensorView to) {
    for (int c = 0; c < columns; c++) {
      int at = c * outStride;
      addMinima(c, 1 / Kernels.total(out, at + sumAt));
      Elements.write(to, step.firstRow() + firstRow + c / group, head * group + c % group, out, at);
    }
  }
}
