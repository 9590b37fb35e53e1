package org.sinkq.cuda;

import java.util.Arrays;
import java.util.function.IntConsumer;

/** Times work on a stream: a graph of a chain of it, replayed. */
final class GraphTimer {
  private static final int REPEATS = 15;

  private GraphTimer() {}

  /**
   * Median over replays, in microseconds of one link of the chain.
   *
   * @param work queues a link, which it is told the number of
   */
  static double micros(CudaDevice device, CudaDevice.Stream stream, int chain, IntConsumer work) {
    device.synchronize(stream);
    device.beginCapture(stream);
    for (int i = 0; i < chain; i++) {
      work.accept(i);
    }
    CudaDevice.Graph graph = device.endCapture(stream);
    CudaDevice.Event from = device.createEvent();
    CudaDevice.Event to = device.createEvent();
    double[] micros = new double[REPEATS];
    for (int i = -2; i < REPEATS; i++) {
      device.record(from, stream);
      device.launch(graph, stream);
      device.record(to, stream);
      float millis = device.elapsedMillis(from, to);
      if (i >= 0) {
        micros[i] = millis * 1000.0 / chain;
      }
    }
    device.destroy(graph);
    device.destroy(from);
    device.destroy(to);
    Arrays.sort(micros);
    return micros[REPEATS / 2];
  }
}
