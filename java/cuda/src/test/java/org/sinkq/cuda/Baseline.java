package org.sinkq.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Times of PyTorch's fp16 attention in the same run, as {@code sdpa-baseline.py} prints them. */
final class Baseline {
  /**
   * The best of a shape.
   *
   * @param backend of PyTorch
   * @param micros its time
   */
  record Time(String backend, double micros) {}

  private final List<String> lines;

  private Baseline(List<String> lines) {
    this.lines = lines;
  }

  /** Reads the file that the system property names; without one nothing is known. */
  static Baseline load() throws IOException {
    String file = System.getProperty("sinkq.bench.baseline", "");
    return new Baseline(file.isEmpty() ? List.of() : Files.readAllLines(Path.of(file)));
  }

  /** The fastest backend of a shape, such as {@code decode 32 8 1 8192}. */
  Optional<Time> best(String shape) {
    List<Time> times = new ArrayList<>();
    for (String line : lines) {
      if (line.startsWith(shape + " ")) {
        List<String> rest = List.of(line.substring(shape.length() + 1).split(" ", -1));
        times.add(new Time(rest.get(0), Double.parseDouble(rest.get(1))));
      }
    }
    return times.stream().min(Comparator.comparingDouble(Time::micros));
  }
}
