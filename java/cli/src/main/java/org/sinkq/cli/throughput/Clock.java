package org.sinkq.cli.throughput;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaHost;

/** Times what is queued on a stream, by events behind each piece of it. */
final class Clock implements AutoCloseable {
  private static final double MILLI = 1e-3;

  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final List<CudaDevice.Event> events = new ArrayList<>();

  Clock(CudaHost host) {
    device = host.device();
    stream = host.stream();
  }

  /** Events behind pieces of work, the first one in front of all. */
  final class Marks {
    private final int pieces;

    private Marks(int pieces) {
      this.pieces = pieces;
    }

    /** Waits; seconds of each piece. */
    double[] read() {
      double[] seconds = new double[pieces];
      for (int i = 0; i < pieces; i++) {
        seconds[i] = MILLI * device.elapsedMillis(events.get(i), events.get(i + 1));
      }
      return seconds;
    }
  }

  /** Queues a piece of work so many times; what an earlier call has marked is forgotten. */
  Marks queue(int pieces, Runnable work) {
    while (events.size() <= pieces) {
      events.add(device.createEvent());
    }
    device.record(events.getFirst(), stream);
    for (int i = 0; i < pieces; i++) {
      work.run();
      device.record(events.get(i + 1), stream);
    }
    return new Marks(pieces);
  }

  /** Runs a piece of work so many times and waits; seconds of each time. */
  double[] each(int pieces, Runnable work) {
    return queue(pieces, work).read();
  }

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  @Override
  public void close() {
    events.forEach(device::destroy);
    events.clear();
  }
}
