package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What a forward pass needs besides products and attention, {@code
 * cuda-kernels/include/forward.cuh}. All arguments are device addresses of contiguous arrays; fp32
 * unless something else is said. Not thread-safe.
 */
public final class ForwardKernels implements AutoCloseable {
  private static final int THREADS = 256;
  private static final int NORM_THREADS = 512;
  private static final int TURN_THREADS = 128;
  private static final int GATE_ELEMENTS = 8;
  private static final int CHOOSE_THREADS = 1024;
  private static final int RANDOMIZE_BLOCKS = 4096;
  private static final int WARP = 32;
  private static final int LONGEST = 80;

  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final CudaDevice.Function embed;
  private final CudaDevice.Function norm;
  private final CudaDevice.Function turn;
  private final CudaDevice.Function gate;
  private final CudaDevice.Function addBias;
  private final CudaDevice.Function choose;
  private final CudaDevice.Function randomize;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment parameter = arena.allocate(LONGEST, Long.BYTES);

  /**
   * Compiles them.
   *
   * @throws org.sinkq.DeviceException if they are not in this build
   */
  public ForwardKernels(CudaDevice device, CudaDevice.Stream stream) {
    this.device = device;
    this.stream = stream;
    CudaDevice.Module module = device.load(CudaKernels.resource("sinkq_forward.ptx"));
    embed = device.function(module, "forward_embed");
    norm = device.function(module, "forward_norm");
    turn = device.function(module, "forward_turn");
    gate = device.function(module, "forward_gate");
    addBias = device.function(module, "forward_add_bias");
    choose = device.function(module, "forward_choose");
    randomize = device.function(module, "forward_randomize");
  }

  private void launch(CudaDevice.Function function, int x, int y, int threads) {
    device.launch(new CudaDevice.Launch(function, x, y, 1, threads, 0, parameter), stream);
  }

  private void addresses(long... addresses) {
    for (int i = 0; i < addresses.length; i++) {
      parameter.setAtIndex(JAVA_LONG, i, addresses[i]);
    }
  }

  private void ints(int at, int... values) {
    for (int i = 0; i < values.length; i++) {
      parameter.set(JAVA_INT, at + (long) i * Integer.BYTES, values[i]);
    }
  }

  /**
   * {@code x[r] = table[tokens[r]]}; a negative token counts as 0.
   *
   * @param table [vocabulary, width] fp16
   * @param tokens [rows] ints
   * @param x [rows, width]
   */
  public void embed(long table, long tokens, long x, int rows, int width) {
    addresses(table, tokens, x, width);
    launch(embed, rows, 1, THREADS);
  }

  /**
   * {@code out[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * weight}.
   *
   * @param x [.., width]
   * @param weight [width]
   * @param out [rows, width] fp16
   * @param which [rows] ints, the rows of x; 0 for all in order
   */
  public void norm(long x, long weight, long out, long which, int rows, int width, float epsilon) {
    addresses(x, weight, out, which);
    ints(32, width);
    parameter.set(JAVA_FLOAT, 36, epsilon);
    launch(norm, rows, 1, NORM_THREADS);
  }

  /**
   * How heads are normed and turned.
   *
   * @param bias [query heads + 2 KV heads, headDim], or 0
   * @param queryNorm [headDim], or 0
   * @param keyNorm [headDim], or 0
   * @param table [positions, pairs, 2] cosines and sines
   * @param pairs of a head that are turned
   * @param interleaved whether pairs are elements 2i and 2i + 1, not i and i + pairs
   */
  public record Rotation(
      long bias, long queryNorm, long keyNorm, long table, int pairs, boolean interleaved) {}

  /**
   * Adds the bias to queries, keys and values, norms each head of queries and keys, and turns them.
   *
   * @param qkv [rows, query heads + 2 KV heads, headDim] fp16; queries stay within its range
   * @param positions [rows] ints
   */
  public void turn(
      long qkv,
      long positions,
      int rows,
      int queryHeads,
      int kvHeads,
      int headDim,
      Rotation how,
      float epsilon) {
    addresses(qkv, how.bias, how.queryNorm, how.keyNorm, how.table, positions);
    ints(48, queryHeads, kvHeads, headDim, how.pairs, how.interleaved ? 1 : 0);
    parameter.set(JAVA_FLOAT, 68, epsilon);
    int heads = queryHeads + (how.bias == 0 ? 1 : 2) * kvHeads;
    launch(turn, rows, CudaLayout.ceilDiv(heads, TURN_THREADS / WARP), TURN_THREADS);
  }

  /**
   * {@code out = silu(gate) * up}, within the fp16 range.
   *
   * @param x [rows, 2, inner] fp16: gate, up
   * @param bias [2, inner], or 0
   * @param out [rows, inner] fp16
   */
  public void gate(long x, long bias, long out, int rows, int inner) {
    addresses(x, bias, out, inner);
    launch(gate, CudaLayout.ceilDiv(inner, GATE_ELEMENTS * THREADS), rows, THREADS);
  }

  /**
   * {@code x[r] += bias}.
   *
   * @param x [rows, width]
   * @param bias [width]
   */
  public void addBias(long x, long bias, int rows, int width) {
    addresses(x, bias, width);
    launch(addBias, rows, 1, THREADS);
  }

  /**
   * The most probable token of each row, the lowest one of several. A row that has NaN or positive
   * infinity at {@code i}, or nothing above negative infinity, yields {@code -1 - i}.
   *
   * @param logits [rows, vocabulary]
   * @param tokens [rows] ints, written
   */
  public void choose(long logits, long tokens, int rows, int vocabulary) {
    addresses(logits, tokens);
    ints(16, vocabulary);
    launch(choose, rows, 1, CHOOSE_THREADS);
  }

  /**
   * Fills fp16 memory with numbers that are spread evenly over {@code -scale} to {@code scale}; the
   * same seed gives the same numbers.
   *
   * @param out [count] fp16
   */
  public void randomize(long out, long count, long seed, float scale) {
    addresses(out, count, seed);
    parameter.set(JAVA_FLOAT, 24, scale);
    long blocks = (count + THREADS - 1) / THREADS;
    launch(randomize, (int) Math.min(RANDOMIZE_BLOCKS, blocks), 1, THREADS);
  }

  @Override
  public void close() {
    arena.close();
  }
}
