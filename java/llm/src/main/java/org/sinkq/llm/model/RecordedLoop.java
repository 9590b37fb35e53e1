package org.sinkq.llm.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Set;
import org.sinkq.DecodeGraph;
import org.sinkq.KvSequence;
import org.sinkq.RecordedStep;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.llm.DecodeLoop;
import org.sinkq.llm.StepPart;

/** The recording of a decode step, with the activations that it works on. */
final class RecordedLoop implements DecodeLoop {
  /** Rows of logits that come down together. */
  private static final int LOGIT_ROWS = 64;

  private final DeviceModel model;
  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final int batch;
  private final boolean attends;
  private final Set<StepPart> parts;
  private final DeviceMemory memory;
  private final DeviceForward forward;

  /**
   * Behind what was queued last, but for replays with attention: those are the graph's to wait for.
   */
  private final CudaDevice.Event sent;

  private final MemorySegment up;
  private final MemorySegment down;
  private final long tokens;
  private final long logits;
  private final long noPositions;
  private MemorySegment downLogits = MemorySegment.NULL;
  private DecodeGraph graph;
  private CudaDevice.Graph withoutAttention;
  private long recordedRope;
  private int rows;
  private boolean closed;

  /** Records. */
  RecordedLoop(DeviceModel model, int batch, Set<StepPart> parts) {
    this.model = model;
    this.batch = batch;
    this.parts = Set.copyOf(parts);
    attends = parts.contains(StepPart.ATTENTION);
    device = model.device();
    stream = model.stream();
    memory = new DeviceMemory(device, stream);
    sent = device.createEvent();
    long ints = (long) batch * Integer.BYTES;
    boolean done = false;
    try {
      up = memory.pinned(ints);
      down = memory.pinned(ints);
      tokens = zeros(ints);
      noPositions = zeros(ints);
      logits = memory.allocate((long) batch * model.vocabulary() * Float.BYTES);
      Activations space = Activations.allocate(memory, model.config(), batch);
      for (long address : space.addresses()) {
        randomize(address);
      }
      randomize(logits);
      forward = new DeviceForward(model, space, this.parts);
      device.record(sent, stream);
      model.ensureRope();
      record();
      done = true;
    } finally {
      if (!done) {
        try (memory) {
          device.destroy(sent);
          device.synchronize(stream);
        }
      }
    }
  }

  private long zeros(long bytes) {
    long address = memory.allocate(bytes);
    device.fill(address, (byte) 0, bytes, stream);
    return address;
  }

  /**
   * Buffers begin with numbers: rows without a sequence are computed too, and parts alone find
   * something to work on.
   */
  private void randomize(long address) {
    // Two fp16 numbers, none above 1, read as one of fp32 are a small one.
    model.kernels().randomize(address, memory.bytes(address) / Short.BYTES, address, 1);
  }

  private void record() {
    discard();
    if (attends) {
      graph = model.backend().record(batch, this::record);
    } else {
      device.beginCapture(stream);
      boolean done = false;
      try {
        queue(noPositions, null);
        done = true;
      } finally {
        if (!done) {
          device.abandonCapture(stream);
        }
      }
      withoutAttention = device.endCapture(stream);
    }
  }

  private void record(RecordedStep step) {
    queue(step.positions(), step::run);
  }

  private void queue(long positions, DeviceForward.Attention attention) {
    recordedRope = model.ropeTable();
    forward.layers(batch, tokens, positions, attention);
    forward.logits(0, batch, logits);
    if (parts.contains(StepPart.OTHER)) {
      model.kernels().choose(logits, tokens, batch, model.vocabulary());
    }
  }

  @Override
  public int batch() {
    return batch;
  }

  @Override
  public long bytes() {
    return memory.bytes();
  }

  @Override
  public void step(List<? extends KvSequence> sequences) {
    requireOpen();
    int end = 1;
    for (KvSequence sequence : sequences) {
      end = Math.max(end, sequence.length() + 1);
    }
    require(
        end <= model.config().contextLength(),
        "1 token after %d, expected at most %d in all: the model's context",
        end - 1,
        model.config().contextLength());
    model.ensureRope(end);
    if (recordedRope != model.ropeTable()) {
      record();
    }
    if (attends) {
      graph.step(sequences);
    } else {
      require(
          sequences.size() <= batch,
          "sequences=%d, expected at most %d, the rows recorded",
          sequences.size(),
          batch);
      device.launch(withoutAttention, stream);
      device.record(sent, stream);
    }
    rows = sequences.size();
  }

  @Override
  public void step(List<? extends KvSequence> sequences, int... given) {
    requireOpen();
    require(
        given.length == sequences.size() && given.length <= batch,
        "tokens has %d entries, expected one for each of %d sequences, at most %d",
        given.length,
        sequences.size(),
        batch);
    for (int i = 0; i < given.length; i++) {
      require(
          given[i] >= 0 && given[i] < model.vocabulary(),
          "tokens[%d]=%d, expected 0 to %d",
          i,
          given[i],
          model.vocabulary() - 1);
    }
    send(given);
    step(sequences);
  }

  private void send(int[] given) {
    // What was sent last has to be there before its memory is written again.
    device.awaitOnHost(sent);
    MemorySegment.copy(given, 0, up, JAVA_INT, 0, given.length);
    device.copyToDevice(tokens, up.asSlice(0, (long) given.length * Integer.BYTES), stream);
    device.record(sent, stream);
  }

  @Override
  public void synchronize() {
    requireOpen();
    if (attends) {
      graph.synchronize();
    } else {
      device.synchronize(stream);
    }
  }

  @Override
  public int[] tokens() {
    requireOpen();
    device.copyToHost(down, tokens, stream);
    synchronize();
    device.synchronize(stream);
    int[] chosen = new int[rows];
    MemorySegment.copy(down, JAVA_INT, 0, chosen, 0, rows);
    for (int row = 0; row < rows; row++) {
      require(
          chosen[row] >= 0,
          "logits[%d] of row %d=not finite, expected a finite number or -Infinity",
          -1 - chosen[row],
          row);
    }
    return chosen;
  }

  @Override
  public float[][] logits(int... which) {
    requireOpen();
    for (int row : which) {
      require(row >= 0 && row < rows, "row=%d, expected 0 to %d", row, rows - 1);
    }
    long rowBytes = (long) model.vocabulary() * Float.BYTES;
    if (downLogits.byteSize() == 0) {
      downLogits = memory.pinned(Math.min(batch, LOGIT_ROWS) * rowBytes);
    }
    float[][] result = new float[which.length][];
    int most = Math.min(batch, LOGIT_ROWS);
    for (int first = 0; first < which.length; first += most) {
      int count = Math.min(most, which.length - first);
      for (int i = 0; i < count; i++) {
        device.copyToHost(
            downLogits.asSlice(i * rowBytes, rowBytes),
            logits + which[first + i] * rowBytes,
            stream);
      }
      synchronize();
      device.synchronize(stream);
      for (int i = 0; i < count; i++) {
        result[first + i] = downLogits.asSlice(i * rowBytes, rowBytes).toArray(JAVA_FLOAT);
      }
    }
    return result;
  }

  private void requireOpen() {
    require(!closed, "loop=closed, expected an open one");
  }

  private void discard() {
    if (graph != null) {
      graph.close();
      graph = null;
    }
    if (withoutAttention != null) {
      // Not by the stream, which is gone if the backend is.
      device.awaitOnHost(sent);
      device.destroy(withoutAttention);
      withoutAttention = null;
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      model.closed(this);
      discard();
      device.awaitOnHost(sent);
      device.destroy(sent);
      memory.close();
    }
  }
}
