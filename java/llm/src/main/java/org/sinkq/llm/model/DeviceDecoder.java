package org.sinkq.llm.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvSequence;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.llm.DecodeLoop;
import org.sinkq.llm.ForwardBatch;
import org.sinkq.llm.StepPart;

/**
 * Runs steps of a model on the device of a backend, in order with the attention there. Decode steps
 * are replayed, all others are queued launch by launch. Not thread-safe.
 */
final class DeviceDecoder implements AutoCloseable {
  /** Rows whose logits are computed together. */
  private static final int LOGIT_ROWS = 64;

  private static final Set<StepPart> ALL = Set.copyOf(EnumSet.allOf(StepPart.class));

  private final DeviceModel model;
  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final DeviceMemory memory;
  private final MemorySegment pinnedLogits;
  private final long logits;
  private final long which;

  /**
   * Recorded steps by their rows, which are powers of two: a handful of recordings serves every
   * number of sequences, and products with a few rows cost what they cost with twice as many.
   */
  private final Map<Integer, DecodeLoop> loops = new HashMap<>();

  private Activations space = Activations.NONE;
  private DeviceForward forward;
  private long numbers;

  /**
   * Runs steps of a model from now on, and closes it in the end.
   *
   * @throws org.sinkq.DeviceException if there is no memory for logits
   */
  DeviceDecoder(DeviceModel model) {
    this.model = model;
    device = model.device();
    stream = model.stream();
    memory = model.memory();
    boolean done = false;
    try {
      long logitBytes = (long) LOGIT_ROWS * model.vocabulary() * Float.BYTES;
      logits = memory.allocate(logitBytes);
      which = memory.allocate((long) LOGIT_ROWS * Integer.BYTES);
      pinnedLogits = memory.pinned(logitBytes);
      // What nearly everybody needs, recorded while the weights travel and not in a token's time.
      loop(1);
      done = true;
    } finally {
      if (!done) {
        model.close();
      }
    }
  }

  /** The model. */
  DeviceModel model() {
    return model;
  }

  /**
   * Runs a step; its arguments have been checked.
   *
   * @param logitRows rows whose logits are wanted
   * @return [logitRows, vocabulary]
   */
  float[][] forward(ForwardBatch batch, int[] logitRows) {
    return isDecodeStep(batch, logitRows)
        ? replay(batch.metadata().sequences(), batch.tokens(), loop -> loop.logits(logitRows))
        : run(batch, logitRows);
  }

  /** Whether each sequence has one row, and each row is asked for, once. */
  private static boolean isDecodeStep(ForwardBatch batch, int[] logitRows) {
    int rows = batch.rows();
    return rows > 0
        && batch.metadata().sequences().size() == rows
        && logitRows.length == rows
        && Arrays.stream(logitRows).distinct().count() == rows;
  }

  /**
   * The most probable next token of each sequence after a step that appends one token to each; the
   * arguments have been checked.
   */
  int[] mostProbable(List<? extends KvSequence> sequences, int[] tokens) {
    return replay(sequences, tokens, DecodeLoop::tokens);
  }

  /**
   * Replays a step and reads what it yields, waiting once. What the device finds wrong it reports
   * when the step is done, so that is taken back.
   */
  private <T> T replay(
      List<? extends KvSequence> sequences, int[] tokens, Function<DecodeLoop, T> result) {
    DecodeLoop loop = loop(sequences.size());
    loop.step(sequences, tokens);
    try {
      return result.apply(loop);
    } catch (InvalidArgumentException e) {
      sequences.forEach(sequence -> sequence.truncate(sequence.length() - 1));
      throw e;
    }
  }

  private DecodeLoop loop(int rows) {
    int bucket = rows == 1 ? 1 : 2 * Integer.highestOneBit(rows - 1);
    return loops.computeIfAbsent(bucket, n -> model.decodeLoop(n, ALL));
  }

  private float[][] run(ForwardBatch batch, int[] logitRows) {
    int rows = batch.rows();
    try (AttentionPlan plan = batch.backend().plan(batch.metadata())) {
      ensure(rows);
      sendRows(batch);
      forward.layers(rows, numbers, numbers + (long) rows * Integer.BYTES, plan::run);
      float[][] result = logits(logitRows);
      if (result.length == 0) {
        // Nothing has waited yet, and the next step may free or stage what this one still reads.
        device.synchronize(stream);
      }
      plan.commit();
      return result;
    }
  }

  private void ensure(int rows) {
    if (rows <= space.rows()) {
      return;
    }
    space.free(memory);
    memory.free(numbers);
    space = Activations.NONE;
    // Logits of a few rows need as many normed ones.
    space = Activations.allocate(memory, model.config(), Math.max(rows, LOGIT_ROWS));
    numbers = memory.allocate(2L * space.rows() * Integer.BYTES);
    forward = new DeviceForward(model, space, ALL);
  }

  /** Sends tokens and, behind them, positions. */
  private void sendRows(ForwardBatch batch) {
    AttentionMetadata metadata = batch.metadata();
    int rows = batch.rows();
    int[] words = Arrays.copyOf(batch.tokens(), 2 * rows);
    int end = 0;
    for (int s = 0; s < metadata.sequences().size(); s++) {
      int length = metadata.sequences().get(s).length();
      for (int i = 0; i < metadata.rows(s); i++) {
        words[rows + metadata.firstRow(s) + i] = length + i;
      }
      end = Math.max(end, length + metadata.rows(s));
    }
    model.ensureRope(end);
    memory.queueInts(numbers, words);
  }

  private float[][] logits(int[] logitRows) {
    float[][] result = new float[logitRows.length][];
    long rowBytes = (long) model.vocabulary() * Float.BYTES;
    for (int first = 0; first < result.length; first += LOGIT_ROWS) {
      int count = Math.min(LOGIT_ROWS, result.length - first);
      memory.queueInts(which, Arrays.copyOfRange(logitRows, first, first + count));
      forward.logits(which, count, logits);
      device.copyToHost(pinnedLogits.asSlice(0, count * rowBytes), logits, stream);
      device.synchronize(stream);
      for (int i = 0; i < count; i++) {
        result[first + i] = pinnedLogits.asSlice(i * rowBytes, rowBytes).toArray(JAVA_FLOAT);
      }
    }
    return result;
  }

  @Override
  public void close() {
    model.close();
  }
}
