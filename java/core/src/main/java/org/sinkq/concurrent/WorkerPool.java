package org.sinkq.concurrent;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed team of threads for loops of a few microseconds: attention over pages, products with
 * weight rows.
 *
 * <p>A model's step is hundreds of such loops. Workers therefore spin for a moment after each loop
 * before they park, and a loop costs about a microsecond to start where a general-purpose executor
 * costs ten. Tasks are handed out one by one, so the division of labour varies from run to run: a
 * task's result must depend on its index alone.
 */
public final class WorkerPool implements AutoCloseable {
  /** One task of a loop. */
  @FunctionalInterface
  public interface Task {
    /**
     * Runs the task.
     *
     * @param index 0 to tasks - 1
     * @param worker 0 to {@link WorkerPool#threads()} - 1, for working memory that is not shared
     */
    void run(int index, int worker);
  }

  private static final int SPINS = 20_000;
  private static final int SPINS_BEFORE_YIELD = 1_000;

  /** Shared teams by their number of threads; also guards {@link #users}. */
  private static final Map<Integer, WorkerPool> SHARED = new HashMap<>();

  private final Thread[] helpers;
  private volatile Loop current;
  private volatile boolean closed;

  /** Holders of a shared team; 0 for one that is not shared. */
  private int users;

  /**
   * The team of this size that the whole process shares. An engine and its host take turns within a
   * step; with a team each, the helpers of one would spin on the processors that the other needs.
   * Every holder closes it once; the last one ends the threads.
   */
  public static WorkerPool shared(int threads) {
    synchronized (SHARED) {
      WorkerPool pool = SHARED.computeIfAbsent(threads, n -> new WorkerPool(n, "sinkq"));
      pool.users++;
      return pool;
    }
  }

  /** A team of {@code threads}, the caller of {@link #run} included. */
  public WorkerPool(int threads, String name) {
    helpers = new Thread[threads - 1];
    for (int i = 0; i < helpers.length; i++) {
      int worker = i + 1;
      helpers[i] =
          Thread.ofPlatform().daemon().name(name + "-" + worker).start(() -> serve(worker));
    }
  }

  /** Threads that share a loop, the calling one included. */
  public int threads() {
    return helpers.length + 1;
  }

  /**
   * Runs tasks 0 to {@code tasks - 1} and returns when all have ended. Calls from several threads
   * take turns; a task must not call it.
   *
   * @throws RuntimeException what the failing task with the lowest index threw, whatever the number
   *     of threads; tasks after it may have been dropped
   */
  public synchronized void run(int tasks, Task task) {
    if (helpers.length == 0 || tasks <= 1) {
      for (int i = 0; i < tasks; i++) {
        task.run(i, 0);
      }
      return;
    }
    Loop loop = new Loop(tasks, task);
    current = loop;
    for (Thread helper : helpers) {
      LockSupport.unpark(helper);
    }
    loop.work(0);
    loop.await();
    current = null;
    loop.rethrow();
  }

  private void serve(int worker) {
    Loop done = null;
    int idle = 0;
    while (!closed) {
      Loop loop = current;
      if (loop != null && loop != done) {
        loop.work(worker);
        done = loop;
        idle = 0;
      } else if (idle++ < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        idle = 0;
      }
    }
  }

  /** Ends the threads; of a shared team, when its last holder closes it. */
  @Override
  public void close() {
    synchronized (SHARED) {
      if (users > 0) {
        users--;
        if (users > 0) {
          return;
        }
        SHARED.remove(threads(), this);
      }
    }
    end();
  }

  private synchronized void end() {
    closed = true;
    for (Thread helper : helpers) {
      LockSupport.unpark(helper);
    }
  }

  private record Failure(int task, Throwable thrown) {
    /** The lower of a failure's task, if there is a failure, and another one. */
    static int min(Failure failure, int task) {
      return failure == null ? task : Math.min(failure.task, task);
    }
  }

  private static final class Loop {
    private final int tasks;
    private final Task task;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger pending;
    private final AtomicReference<Failure> failure = new AtomicReference<>();

    Loop(int tasks, Task task) {
      this.tasks = tasks;
      this.task = task;
      pending = new AtomicInteger(tasks);
    }

    void work(int worker) {
      for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
        try {
          // Only a failure before this task drops it, so the lowest failing index is always run.
          if (Failure.min(failure.get(), i) == i) {
            task.run(i, worker);
          }
        } catch (RuntimeException | Error e) {
          Failure mine = new Failure(i, e);
          failure.accumulateAndGet(mine, (a, b) -> Failure.min(a, b.task) == b.task ? b : a);
        } finally {
          pending.decrementAndGet();
        }
      }
    }

    @SuppressWarnings("ThreadPriorityCheck") // a hint that costs nothing where nobody waits
    void await() {
      for (int spins = 0; pending.get() > 0; spins++) {
        if (spins < SPINS_BEFORE_YIELD) {
          Thread.onSpinWait();
        } else {
          // On a busy machine the worker we wait for may be waiting for our processor.
          Thread.yield();
        }
      }
    }

    void rethrow() {
      Throwable thrown = failure.get() == null ? null : failure.get().thrown;
      if (thrown instanceof Error e) {
        throw e;
      }
      if (thrown instanceof RuntimeException e) {
        throw e;
      }
    }
  }
}
