package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.EngineStep;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;
import org.sinkq.reference.ReferenceEngineProvider;

/** Whatever the engine's call fails at, the bookkeeping is as it was. */
class EngineBackendTest {
  private static final int DIM = 64;

  /** The reference engine, failing on demand, and checking that calls come one at a time. */
  private static final class Fragile implements EngineProvider {
    private final EngineProvider reference = new ReferenceEngineProvider();
    private final AtomicInteger inside = new AtomicInteger();
    private volatile Throwable failure;

    private void call(Runnable body) {
      assertEquals(1, inside.incrementAndGet(), "two calls at a time");
      try {
        if (failure instanceof Error e) {
          throw e;
        }
        if (failure instanceof RuntimeException e) {
          throw e;
        }
        body.run();
      } finally {
        inside.decrementAndGet();
      }
    }

    @Override
    public String name() {
      return "fragile";
    }

    @Override
    public int priority() {
      return 0;
    }

    @Override
    public EngineStatus probe() {
      return new EngineStatus(name(), true, "", "", "");
    }

    @Override
    public Footprint footprint(CacheGeometry geometry) {
      return reference.footprint(geometry);
    }

    @Override
    public PageFormat pageFormat(CacheGeometry geometry) {
      return reference.pageFormat(geometry);
    }

    @Override
    public Engine open(CacheMemory memory, int threads) {
      Engine engine = reference.open(memory, threads);
      return new Engine() {
        @Override
        public EngineStep begin(StepPlan plan) {
          EngineStep[] step = new EngineStep[1];
          call(() -> step[0] = engine.begin(plan));
          return new EngineStep() {
            @Override
            public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
              call(() -> step[0].run(layer, q, k, v, out));
            }

            @Override
            public void append(int layer, TensorView k, TensorView v) {
              call(() -> step[0].append(layer, k, v));
            }

            @Override
            public void commit() {
              call(step[0]::commit);
            }

            @Override
            public void rollback() {
              call(step[0]::rollback);
            }
          };
        }

        @Override
        public void copyRows(SequenceState from, SequenceState to) {
          call(() -> engine.copyRows(from, to));
        }

        @Override
        public void reopen(SequenceState sequence, int pageIndex, int tokens) {
          call(() -> engine.reopen(sequence, pageIndex, tokens));
        }

        @Override
        public PageImage readPage(int layer, int head, int page) {
          return engine.readPage(layer, head, page);
        }

        @Override
        public float[] readWindowRow(int layer, int head, SequenceState sequence, int position) {
          return engine.readWindowRow(layer, head, sequence, position);
        }

        @Override
        public float[] readSinkRow(int layer, int head, SequenceState sequence, int sinkSlot) {
          return engine.readSinkRow(layer, head, sequence, sinkSlot);
        }

        @Override
        public void readPages(int layer, int[] pages, MemorySegment to) {
          call(() -> engine.readPages(layer, pages, to));
        }

        @Override
        public void writePages(int layer, int[] pages, MemorySegment from) {
          call(() -> engine.writePages(layer, pages, from));
        }

        @Override
        public void readRows(int layer, SequenceState sequence, MemorySegment to) {
          call(() -> engine.readRows(layer, sequence, to));
        }

        @Override
        public void writeRows(int layer, SequenceState sequence, MemorySegment from) {
          call(() -> engine.writeRows(layer, sequence, from));
        }

        @Override
        public long readScore(int layer, int head, SequenceState sequence, int position) {
          return engine.readScore(layer, head, sequence, position);
        }

        @Override
        public void close() {
          call(engine::close);
        }
      };
    }
  }

  private final Fragile provider = new Fragile();

  private AttentionBackend open() {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(4)
            .firstSinkLayer(0)
            .capacityTokens(300)
            .maxSequences(5)
            .build();
    return EngineAccess.open(BackendConfig.of(ModelShape.of(1, 1, 1, DIM), spec), provider);
  }

  private static void step(AttentionBackend backend, KvSequence sequence, int rows) {
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      run(plan, rows);
      plan.commit();
    }
  }

  private static void run(AttentionPlan plan, int rows) {
    TensorView x = TensorView.of(new float[rows * DIM], rows, 1, DIM);
    plan.run(0, x, x, x, TensorView.of(new float[rows * DIM], rows, 1, DIM));
  }

  private void failing(AttentionBackend backend, Throwable failure, Executable call) {
    BackendStats before = backend.stats();
    provider.failure = failure;
    assertSame(failure, assertThrows(failure.getClass(), call));
    provider.failure = null;
    assertEquals(before, backend.stats());
  }

  @Test
  void failuresOfTheEngineLeaveNoTrace() {
    try (AttentionBackend backend = open()) {
      KvSequence sequence = backend.newSequence();
      step(backend, sequence, 80);
      for (Throwable failure :
          List.of(
              new DeviceException(2, "CUDA_ERROR_OUT_OF_MEMORY", "step", null),
              new OutOfMemoryError("test"))) {
        failing(backend, failure, () -> step(backend, sequence, 50));
        failing(backend, failure, sequence::fork);
        failing(backend, failure, () -> sequence.truncate(40));
        assertEquals(80, sequence.length());
        try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, 60))) {
          provider.failure = failure;
          assertSame(failure, assertThrows(failure.getClass(), () -> run(plan, 60)));
          provider.failure = null;
          assertThrows(InvalidArgumentException.class, () -> run(plan, 60));
        }
        // The device is gone, and even ending the step fails: indices come back all the same.
        failing(
            backend,
            failure,
            () -> {
              provider.failure = null;
              AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, 60));
              provider.failure = failure;
              plan.close();
            });
        step(backend, sequence, 1);
        sequence.truncate(80);
      }
      sequence.fork();
      sequence.truncate(40);
    }
  }

  @Test
  void callsReachTheEngineOneAtATime() throws Exception {
    try (AttentionBackend backend = open();
        ExecutorService callers = Executors.newFixedThreadPool(4)) {
      List<Future<?>> running = new ArrayList<>();
      for (int caller = 0; caller < 4; caller++) {
        running.add(
            callers.submit(
                () -> {
                  for (int round = 0; round < 40; round++) {
                    KvSequence sequence = backend.newSequence();
                    step(backend, sequence, 50 + round % 3);
                    try (AttentionPlan plan =
                        backend.plan(AttentionMetadata.single(sequence, 20))) {
                      run(plan, 20);
                    }
                    sequence.truncate(round);
                    backend.stats();
                    sequence.close();
                  }
                }));
      }
      for (Future<?> future : running) {
        future.get();
      }
      assertEquals(0, backend.stats().pages());
      assertEquals(0, backend.stats().tokens());
    }
  }
}
