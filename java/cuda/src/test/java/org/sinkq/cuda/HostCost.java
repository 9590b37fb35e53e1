package org.sinkq.cuda;

import java.util.Arrays;
import java.util.List;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.DecodeGraph;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.RecordedStep;
import org.sinkq.TensorView;

/** Host time of a decode step of 32 layers through the API, batch 1, device tensors. */
final class HostCost implements AutoCloseable {
  private static final int LAYERS = 32;
  private static final int DIM = 128;
  private static final int WARM_UP = 10_000;
  private static final int STEPS = 300;
  private static final long ROW_BYTES = 32L * DIM * Short.BYTES;

  private final CudaDevice device;
  private final long memory;

  /**
   * Medians in microseconds.
   *
   * @param waited a plain step, waiting for its result
   * @param launched a plain step's layers but the last, which waits: launches alone
   * @param replayed a replayed step, queued
   * @param replayedWaited a replayed step, waiting for its result
   */
  record Micros(double waited, double launched, double replayed, double replayedWaited) {}

  HostCost(CudaDevice device) {
    this.device = device;
    memory = device.allocate(4 * ROW_BYTES);
    CudaDevice.Stream stream = device.createStream();
    device.fill(memory, (byte) 0x30, 4 * ROW_BYTES, stream);
    device.synchronize(stream);
    device.destroy(stream);
  }

  private TensorView tensor(int number, int heads) {
    return TensorView.ofDevice(memory + number * ROW_BYTES, DType.F16, 1, heads, DIM);
  }

  private void run(AttentionPlan plan, int layer) {
    plan.run(layer, tensor(0, 32), tensor(1, 8), tensor(2, 8), tensor(3, 32));
  }

  private void record(RecordedStep step) {
    for (int layer = 0; layer < LAYERS; layer++) {
      step.run(layer, tensor(0, 32), tensor(1, 8), tensor(2, 8), tensor(3, 32));
    }
  }

  private static double median(double[] micros) {
    Arrays.sort(micros);
    return micros[micros.length / 2];
  }

  private static double micros(long from, long to) {
    return (to - from) * 1e-3;
  }

  Micros measure() {
    KvCacheSpec spec = KvCacheSpec.builder().firstSinkLayer(0).capacityTokens(8192).build();
    ModelShape shape = ModelShape.of(LAYERS, 32, 8, DIM);
    try (AttentionBackend backend =
        AttentionBackends.open(BackendConfig.of(shape, spec).withEngine("cuda"))) {
      List<KvSequence> one = List.of(backend.newSequence());
      double[] waited = new double[STEPS];
      double[] launched = new double[STEPS];
      for (int i = -WARM_UP; i < STEPS; i++) {
        restart(one.getFirst());
        long start = System.nanoTime();
        long queued;
        try (AttentionPlan plan = backend.plan(AttentionMetadata.decode(one))) {
          for (int layer = 0; layer < LAYERS - 1; layer++) {
            run(plan, layer);
          }
          queued = System.nanoTime();
          run(plan, LAYERS - 1);
          plan.commit();
        }
        if (i >= 0) {
          launched[i] = micros(start, queued);
          waited[i] = micros(start, System.nanoTime());
        }
      }
      double[] replayed = new double[STEPS];
      double[] replayedWaited = new double[STEPS];
      try (DecodeGraph graph = backend.record(1, this::record)) {
        for (int i = -WARM_UP; i < STEPS; i++) {
          restart(one.getFirst());
          long start = System.nanoTime();
          graph.step(one);
          long queued = System.nanoTime();
          graph.synchronize();
          if (i >= 0) {
            replayed[i] = micros(start, queued);
            replayedWaited[i] = micros(start, System.nanoTime());
          }
        }
      }
      return new Micros(median(waited), median(launched), median(replayed), median(replayedWaited));
    }
  }

  /** Keeps the sequence short enough that steps of both kinds are alike. */
  private static void restart(KvSequence sequence) {
    if (sequence.length() == 1000) {
      sequence.truncate(0);
    }
  }

  @Override
  public void close() {
    device.free(memory);
  }
}
