package org.sinkq.cli.replay;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.IntConsumer;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.BackendStats;
import org.sinkq.EngineStatus;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/**
 * Runs a trace through two caches side by side: the one under test and its fp16 counterpart.
 *
 * <p>The first {@code prompt} tokens are one step, each further token is a step of its own.
 */
public final class Replay {
  private final Trace trace;
  private final BackendConfig tested;
  private final BackendConfig reference;
  private final int prompt;

  /**
   * What a replay found.
   *
   * @param out [T, Hq, D] F32, in the arena handed to {@link Replay#run}
   * @param sinks positions in pool and spill at the end for each KV head, ascending
   * @param stats of the tested cache at the end
   * @param engine that ran
   * @param relativeError norm of the error over the norm of the fp16 cache's result
   * @param maxError largest absolute error
   */
  public record Result(
      MemorySegment out,
      int[][] sinks,
      BackendStats stats,
      EngineStatus engine,
      double relativeError,
      double maxError) {}

  /**
   * Prepares a replay.
   *
   * @param tested the cache under test
   * @param reference the cache that it is compared with
   * @param prompt 0 to T
   */
  public Replay(Trace trace, BackendConfig tested, BackendConfig reference, int prompt) {
    this.trace = trace;
    this.tested = tested;
    this.reference = reference;
    this.prompt = prompt;
  }

  /**
   * Runs all tokens.
   *
   * @param arena owner of the result's memory, not confined to a thread
   * @param progress receives the tokens done after each step
   * @throws org.sinkq.SinkQException if a cache cannot be opened, or a key or value cannot be
   *     stored
   */
  public Result run(Arena arena, IntConsumer progress) {
    ModelShape shape = trace.shape();
    int rowElements = shape.numQoHeads() * shape.headDim();
    int tokens = trace.tokens();
    MemorySegment out =
        arena.allocate(
            (long) tokens * rowElements * Float.BYTES, ValueLayout.JAVA_FLOAT.byteSize());
    ErrorMeter error = new ErrorMeter();
    float[] actual = new float[rowElements];
    float[] expected = new float[rowElements];
    try (Arena scratch = Arena.ofShared();
        AttentionBackend backend = AttentionBackends.open(tested);
        AttentionBackend dense = AttentionBackends.open(reference)) {
      KvSequence sequence = backend.newSequence();
      KvSequence denseSequence = dense.newSequence();
      MemorySegment denseOut =
          scratch.allocate((long) Math.max(1, prompt) * rowElements * Float.BYTES, Float.BYTES);
      int first = 0;
      while (first < tokens) {
        int rows = first == 0 ? Math.max(1, prompt) : 1;
        MemorySegment stepOut = out.asSlice((long) first * rowElements * Float.BYTES);
        step(backend, sequence, first, rows, stepOut);
        step(dense, denseSequence, first, rows, denseOut);
        for (int row = 0; row < rows; row++) {
          copyRow(stepOut, row, actual);
          copyRow(denseOut, row, expected);
          error.add(actual, expected, rowElements);
        }
        first += rows;
        progress.accept(first);
      }
      int[][] sinks = new int[shape.numKvHeads()][];
      Arrays.setAll(sinks, head -> sequence.sinkPositions(0, head));
      return new Result(
          out, sinks, backend.stats(), backend.engine(), error.relative(), error.max());
    }
  }

  private static void copyRow(MemorySegment from, int row, float[] to) {
    long offset = (long) row * to.length * Float.BYTES;
    MemorySegment.copy(from, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, to, 0, to.length);
  }

  private void step(
      AttentionBackend backend, KvSequence sequence, int first, int rows, MemorySegment out) {
    ModelShape shape = trace.shape();
    TensorView result =
        TensorView.of(out, org.sinkq.DType.F32, rows, shape.numQoHeads(), shape.headDim());
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      plan.run(0, trace.q(first, rows), trace.k(first, rows), trace.v(first, rows), result);
      plan.commit();
    }
  }
}
