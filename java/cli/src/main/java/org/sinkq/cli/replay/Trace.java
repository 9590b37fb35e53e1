package org.sinkq.cli.replay;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.sinkq.DType;
import org.sinkq.InvalidArgumentException;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.llm.safetensors.InvalidSafetensorsException;
import org.sinkq.llm.safetensors.SafetensorsFile;
import org.sinkq.llm.safetensors.Tensor;

/**
 * Queries, keys and values of one attention layer, after RoPE. Opening checks that they belong
 * together; the data stay mapped until {@link #close()}.
 */
public final class Trace implements AutoCloseable {
  private static final List<String> DTYPES = List.of("F32", "F16", "BF16");
  private static final int RANK = 3;

  private final SafetensorsFile file;
  private final TensorView q;
  private final TensorView k;
  private final TensorView v;
  private final ModelShape shape;

  private Trace(SafetensorsFile file) {
    this.file = file;
    q = view(file.tensor("q"));
    k = view(file.tensor("k"));
    v = view(file.tensor("v"));
    require(
        k.tokens() == q.tokens() && k.headDim() == q.headDim(),
        "k is %s and q is %s, expected as many tokens and the same head dimension",
        shapeOf(k),
        shapeOf(q));
    require(
        v.tokens() == k.tokens() && v.heads() == k.heads() && v.headDim() == k.headDim(),
        "v is %s and k is %s, expected the same shape",
        shapeOf(v),
        shapeOf(k));
    try {
      shape = ModelShape.of(1, q.heads(), k.heads(), q.headDim());
    } catch (InvalidArgumentException e) {
      throw new InvalidSafetensorsException(file.path(), e.getMessage(), e);
    }
    checkQueries();
  }

  /**
   * Maps and checks a trace.
   *
   * @throws InvalidSafetensorsException if the file is damaged, a tensor is missing, of a wrong
   *     type or shape, or a query is not finite
   */
  public static Trace open(Path path) {
    SafetensorsFile file = SafetensorsFile.open(path);
    Trace trace = null;
    try {
      trace = new Trace(file);
      return trace;
    } finally {
      if (trace == null) {
        file.close();
      }
    }
  }

  private TensorView view(Tensor tensor) {
    require(
        DTYPES.contains(tensor.dtype()),
        "%s is %s, expected F32, F16 or BF16",
        tensor.name(),
        tensor.describe());
    List<Long> extents = tensor.shape();
    require(
        extents.size() == RANK
            && extents.stream().allMatch(n -> n > 0 && n <= Integer.MAX_VALUE / 2),
        "%s is %s, expected [tokens, heads, head dimension], none of them 0",
        tensor.name(),
        tensor.describe());
    return TensorView.of(
        tensor.data(),
        DType.valueOf(tensor.dtype()),
        extents.get(0).intValue(),
        extents.get(1).intValue(),
        extents.get(2).intValue());
  }

  /** The cache checks keys and values; a bad query would only show as a bad result. */
  private void checkQueries() {
    long elements = (long) q.tokens() * q.heads() * q.headDim();
    for (long i = 0; i < elements; i++) {
      float value = element(q.segment(), q.dtype(), i);
      if (!Float.isFinite(value)) {
        long row = i / q.headDim();
        require(
            false,
            "q=%s at position %d, head %d, channel %d, expected a finite number",
            value,
            row / q.heads(),
            row % q.heads(),
            i % q.headDim());
      }
    }
  }

  private static float element(MemorySegment data, DType dtype, long index) {
    return switch (dtype) {
      case F32 -> data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, index * Float.BYTES);
      case F16 ->
          Float.float16ToFloat(data.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * Short.BYTES));
      case BF16 ->
          Float.intBitsToFloat(
              data.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * Short.BYTES) << Short.SIZE);
    };
  }

  private static String shapeOf(TensorView view) {
    return String.format(Locale.ROOT, "[%d, %d, %d]", view.tokens(), view.heads(), view.headDim());
  }

  private void require(boolean condition, String format, Object... args) {
    if (!condition) {
      throw new InvalidSafetensorsException(file.path(), String.format(Locale.ROOT, format, args));
    }
  }

  /** Tokens, T. */
  public int tokens() {
    return q.tokens();
  }

  /** The attention geometry: one layer. */
  public ModelShape shape() {
    return shape;
  }

  /** Queries of some tokens. */
  public TensorView q(int first, int rows) {
    return rows(q, first, rows);
  }

  /** Keys of some tokens. */
  public TensorView k(int first, int rows) {
    return rows(k, first, rows);
  }

  /** Values of some tokens. */
  public TensorView v(int first, int rows) {
    return rows(v, first, rows);
  }

  private static TensorView rows(TensorView view, int first, int rows) {
    return TensorView.of(
        view.segment().asSlice(view.byteOffset(first, 0)),
        view.dtype(),
        rows,
        view.heads(),
        view.headDim());
  }

  /** Ends the mapping. */
  @Override
  public void close() {
    file.close();
  }
}
