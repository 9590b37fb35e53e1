package org.sinkq.cuda.ptx;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.sinkq.cuda.CudaDevice;

/**
 * A queue of work. What is queued runs as late as the rules allow, when somebody waits for it, or
 * earlier where the device's seed says so; a capture collects it instead.
 */
final class InterpretedStream implements CudaDevice.Stream {
  private final Deque<Work> queue = new ArrayDeque<>();
  private long queued;
  private long done;
  private List<Work> capture;

  /** One piece of work, with its name in the log. */
  record Work(String name, Runnable action) {}

  /** A place in a stream, and the time at which it was passed. */
  static final class Marker implements CudaDevice.Event {
    private InterpretedStream stream;
    private long position;
    private List<Work> capture;
    long nanos;

    boolean recorded() {
      return stream != null;
    }

    InterpretedStream stream() {
      return stream;
    }

    boolean passed() {
      return stream == null || stream.done >= position;
    }

    void pass() {
      stream.runTo(position);
    }
  }

  void add(Work work) {
    if (capture != null) {
      capture.add(work);
    } else {
      queue.add(work);
      queued++;
    }
  }

  boolean capturing() {
    return capture != null;
  }

  void beginCapture() {
    capture = new ArrayList<>();
  }

  List<Work> capture() {
    return capture;
  }

  /** Ends the part that this stream takes in a capture. */
  void leave(List<Work> ended) {
    if (capture == ended) {
      capture = null;
    }
  }

  void record(Marker marker) {
    add(new Work("event", () -> marker.nanos = System.nanoTime()));
    marker.stream = this;
    marker.position = queued;
    marker.capture = capture;
  }

  /** Work behind this waits for a marker; during a capture the streams become one. */
  void await(Marker marker) {
    if (marker.capture != null) {
      capture = marker.capture;
      return;
    }
    if (marker.stream != null) {
      InterpretedStream other = marker.stream;
      long position = marker.position;
      add(new Work("wait", () -> other.runTo(position)));
    }
  }

  /** Runs all that is queued. */
  void run() {
    runTo(queued);
  }

  void runTo(long position) {
    while (done < position && !queue.isEmpty()) {
      done++;
      queue.remove().action().run();
    }
  }

  /** Drops what is queued: the device has failed. */
  void clear() {
    queue.clear();
    done = queued;
  }
}
