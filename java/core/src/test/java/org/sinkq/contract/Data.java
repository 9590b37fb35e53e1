package org.sinkq.contract;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.sinkq.DType;
import org.sinkq.TensorView;
import org.sinkq.reference.Tensors;

/** Makes the tensors of a step. */
public final class Data {
  /** What keys and values look like. */
  public enum Style {
    /** Independent normal numbers. */
    NORMAL,
    /** A few large, nearly uniform key channels, and a few tokens that lack them: sinks. */
    OUTLIERS,
    /** Few distinct rows: equal scores, constant channels, zeros of both signs. */
    TIES,
    /** fp16 subnormals next to numbers close to 65504. */
    EXTREME,
    /**
     * Queries that agree on a direction, and a few tokens that lie there, none as far as another.
     */
    ATTENDED
  }

  /** How tensors lie in memory. */
  public enum Placement {
    /** Contiguous, on the heap. */
    ARRAY,
    /** Off the heap, heads and tokens apart, at an odd offset. */
    STRIDED
  }

  private final Random random;
  private final Style style;
  private final DType in;
  private final DType out;
  private final Placement placement;

  /** A source of tensors; the same seed gives the same numbers in every placement. */
  public Data(long seed, Style style, DType in, DType out, Placement placement) {
    random = new Random(seed);
    this.style = style;
    this.in = in;
    this.out = out;
    this.placement = placement;
  }

  /** Contiguous F32 tensors. */
  public static Data of(long seed, Style style) {
    return new Data(seed, style, DType.F32, DType.F32, Placement.ARRAY);
  }

  /** A random number for the test's own decisions. */
  public int nextInt(int bound) {
    return random.nextInt(bound);
  }

  /** Element type of the results. */
  public DType out() {
    return out;
  }

  /** Queries: normal numbers, around 0 in all styles but one. */
  public TensorView queries(int tokens, int heads, int dim) {
    double mean = style == Style.ATTENDED ? 1 : 0;
    return fill(in, tokens, heads, dim, (t, h, d) -> mean + random.nextGaussian());
  }

  /** Room for a result, filled with NaN. */
  public TensorView results(int tokens, int heads, int dim) {
    return fill(out, tokens, heads, dim, (t, h, d) -> Double.NaN);
  }

  /** Keys. */
  public TensorView keys(int tokens, int heads, int dim) {
    boolean[] sink = new boolean[tokens];
    double[] along = new double[tokens];
    for (int t = 0; t < tokens; t++) {
      sink[t] = random.nextInt(20) == 0;
      along[t] = style == Style.ATTENDED && sink[t] ? 0.2 + 0.6 * random.nextDouble() : 0;
    }
    return fill(
        in,
        tokens,
        heads,
        dim,
        (t, h, d) ->
            switch (style) {
              case NORMAL -> random.nextGaussian();
              case OUTLIERS -> sink[t] ? 0.1 * random.nextGaussian() : outlier(d);
              case TIES -> tie(t, d);
              case EXTREME -> extreme();
              case ATTENDED -> along[t] + 0.5 * random.nextGaussian();
            });
  }

  /** Values. */
  public TensorView values(int tokens, int heads, int dim) {
    return fill(
        in,
        tokens,
        heads,
        dim,
        (t, h, d) ->
            switch (style) {
              case NORMAL, OUTLIERS, ATTENDED -> random.nextGaussian();
              case TIES -> tie(t, d);
              case EXTREME -> extreme();
            });
  }

  private double outlier(int channel) {
    return channel % 29 == 3 ? 6 + 0.2 * random.nextGaussian() : random.nextGaussian();
  }

  /** One of three rows; channel 0 is constant, channel 1 a zero of either sign. */
  private double tie(int token, int channel) {
    if (channel == 1) {
      return random.nextBoolean() ? 0.0 : -0.0;
    }
    return channel == 0 ? 0.75 : (token * 7 % 3 - 1) * (channel % 5) * 0.25;
  }

  private double extreme() {
    return switch (random.nextInt(4)) {
      case 0 -> (random.nextBoolean() ? 1 : -1) * 0x1p-24 * random.nextInt(1024);
      case 1 -> 65504.0 - 32 * random.nextInt(64);
      case 2 -> -65504.0 + 32 * random.nextInt(64);
      default -> random.nextGaussian();
    };
  }

  private interface Element {
    double at(int token, int head, int channel);
  }

  private TensorView fill(DType type, int tokens, int heads, int dim, Element element) {
    TensorView view = allocate(type, tokens, heads, dim);
    double[] row = new double[dim];
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < heads; h++) {
        for (int d = 0; d < dim; d++) {
          row[d] = element.at(t, h, d);
        }
        Tensors.write(view, t, h, row);
      }
    }
    return view;
  }

  private TensorView allocate(DType type, int tokens, int heads, int dim) {
    int size = type.byteSize();
    if (placement == Placement.ARRAY) {
      byte[] bytes = new byte[tokens * heads * dim * size];
      return TensorView.of(MemorySegment.ofArray(bytes), type, tokens, heads, dim);
    }
    long headStride = dim + 5L;
    long tokenStride = heads * headStride + 11;
    long length = tokens * tokenStride * size;
    MemorySegment all = Arena.ofAuto().allocate(length + 1, 1);
    return new TensorView(
        all.asSlice(1, length), 0, type, tokens, heads, dim, tokenStride, headStride);
  }
}
