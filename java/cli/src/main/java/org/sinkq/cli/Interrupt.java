package org.sinkq.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a command end by itself when the user presses Ctrl-C: {@link #isRequested} turns true, and
 * the process ends once {@link #close} has been called, or after a while.
 */
final class Interrupt implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 30;

  private final CountDownLatch done = new CountDownLatch(1);
  private final Thread hook = new Thread(this::onShutdown);
  private volatile boolean requested;

  Interrupt() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  boolean isRequested() {
    return requested;
  }

  private void onShutdown() {
    requested = true;
    try {
      boolean ended = done.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
      assert ended || requested;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    done.countDown();
    if (!requested) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // It has just begun to run, and finds the command done.
        assert done.getCount() == 0;
      }
    }
  }
}
