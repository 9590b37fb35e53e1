package org.sinkq.concurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every task once, whoever calls, whatever fails. */
class WorkerPoolTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void everyTaskRunsOnceOnAWorkerOfItsOwn(int threads) {
    try (WorkerPool pool = new WorkerPool(threads, "test")) {
      assertEquals(threads, pool.threads());
      for (int tasks : new int[] {0, 1, 2, 3, 100, 1000}) {
        AtomicIntegerArray runs = new AtomicIntegerArray(tasks);
        AtomicIntegerArray busy = new AtomicIntegerArray(threads);
        pool.run(
            tasks,
            (index, worker) -> {
              assertEquals(0, busy.getAndIncrement(worker), "two tasks on one worker");
              runs.incrementAndGet(index);
              busy.decrementAndGet(worker);
            });
        for (int i = 0; i < tasks; i++) {
          assertEquals(1, runs.get(i));
        }
      }
    }
  }

  @Test
  void workersWakeUpAfterAPause() throws InterruptedException {
    try (WorkerPool pool = new WorkerPool(3, "test")) {
      for (int round = 0; round < 5; round++) {
        Thread.sleep(20);
        AtomicIntegerArray runs = new AtomicIntegerArray(10);
        pool.run(10, (index, worker) -> runs.incrementAndGet(index));
        for (int i = 0; i < 10; i++) {
          assertEquals(1, runs.get(i));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void theLowestFailingTaskIsReportedAndThePoolGoesOn(int threads) {
    try (WorkerPool pool = new WorkerPool(threads, "test")) {
      for (int round = 0; round < 200; round++) {
        IllegalStateException e =
            assertThrows(
                IllegalStateException.class,
                () ->
                    pool.run(
                        50,
                        (index, worker) -> {
                          if (index >= 7 && index % 2 == 1) {
                            throw new IllegalStateException("task " + index);
                          }
                        }));
        assertEquals("task 7", e.getMessage());
      }
      Error error = new StackOverflowError();
      assertSame(
          error,
          assertThrows(
              StackOverflowError.class,
              () ->
                  pool.run(
                      3,
                      (index, worker) -> {
                        throw error;
                      })));
      AtomicIntegerArray runs = new AtomicIntegerArray(20);
      pool.run(20, (index, worker) -> runs.incrementAndGet(index));
      for (int i = 0; i < 20; i++) {
        assertEquals(1, runs.get(i));
      }
    }
  }

  @Test
  void callersTakeTurns() {
    Assertions.assertTimeoutPreemptively(
        PATIENCE,
        () -> {
          try (WorkerPool pool = new WorkerPool(2, "test");
              ExecutorService callers = Executors.newFixedThreadPool(4)) {
            List<Future<Integer>> sums = new ArrayList<>();
            for (int c = 0; c < 8; c++) {
              sums.add(
                  callers.submit(
                      () -> {
                        int total = 0;
                        for (int round = 0; round < 200; round++) {
                          int[] seen = new int[40];
                          pool.run(40, (index, worker) -> seen[index]++);
                          for (int n : seen) {
                            total += n;
                          }
                        }
                        return total;
                      }));
            }
            for (Future<Integer> sum : sums) {
              assertEquals(200 * 40, sum.get());
            }
          }
        });
  }

  @Test
  void closingEndsTheThreads() throws InterruptedException {
    WorkerPool pool = new WorkerPool(3, "closing");
    pool.run(10, (index, worker) -> {});
    pool.close();
    pool.close();
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (alive("closing") && System.nanoTime() < deadline) {
      Thread.sleep(1);
    }
    assertTrue(!alive("closing"));
  }

  @Test
  void holdersShareATeamUntilTheLastOneCloses() {
    WorkerPool first = WorkerPool.shared(7);
    WorkerPool second = WorkerPool.shared(7);
    assertSame(first, second);
    first.close();
    AtomicIntegerArray runs = new AtomicIntegerArray(100);
    second.run(100, (index, worker) -> runs.incrementAndGet(index));
    for (int i = 0; i < 100; i++) {
      assertEquals(1, runs.get(i));
    }
    second.close();
    WorkerPool next = WorkerPool.shared(7);
    assertNotSame(first, next);
    next.close();
  }

  private static boolean alive(String name) {
    return Thread.getAllStackTraces().keySet().stream()
        .anyMatch(thread -> thread.getName().startsWith(name + "-"));
  }
}
