package org.sinkq.cli;

import java.util.List;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.DeviceException;
import org.sinkq.EngineStatus;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;
import org.sinkq.llm.LanguageModel;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which engine runs, and on how many threads. */
final class EngineOptions {
  private static final int MAX_THREADS = 1024;
  private static final String CUDA = "cuda";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--engine",
      paramLabel = "NAME",
      defaultValue = BackendConfig.AUTO,
      description = "Engine, or auto for the best that runs here (see 'sinkq doctor').")
  private String engine;

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "0",
      description = "Threads on the CPU (default: one for each processor).")
  private int threads;

  @Option(
      names = "--device",
      paramLabel = "N",
      description = "Number of the GPU (default: the first one; 'sinkq doctor' lists them).")
  private Integer device;

  /** Refuses names and numbers that can never work; what cannot run here is found on opening. */
  void check() {
    List<String> names = AttentionBackends.probe().stream().map(EngineStatus::name).toList();
    if (!engine.equals(BackendConfig.AUTO) && !names.contains(engine)) {
      String known = BackendConfig.AUTO + ", " + String.join(", ", names);
      throw new ParameterException(
          spec.commandLine(), "--engine=" + engine + ", expected one of " + known);
    }
    if (threads < 0 || threads > MAX_THREADS) {
      throw new ParameterException(
          spec.commandLine(),
          "--threads=" + threads + ", expected 0 (one for each processor) to " + MAX_THREADS);
    }
    checkDevice();
  }

  private void checkDevice() {
    if (device == null) {
      return;
    }
    if (device < 0) {
      throw new ParameterException(
          spec.commandLine(), "--device=" + device + ", expected 0 or more");
    }
    if (!engine.equals(CUDA) && !engine.equals(BackendConfig.AUTO)) {
      throw new ParameterException(
          spec.commandLine(),
          "--device=" + device + " with --engine=" + engine + ", expected --engine=" + CUDA);
    }
  }

  /** Threads, with 0 resolved. */
  int threads() {
    return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
  }

  BackendConfig config(ModelShape shape, KvCacheSpec cache) {
    int number = device == null ? BackendConfig.DEFAULT_DEVICE : device;
    return new BackendConfig(shape, cache, engine, threads(), number);
  }

  /**
   * Lets a model run where its attention does. What that lacks is an error where the engine was
   * asked for by name, and a line on stderr where it was chosen automatically.
   */
  void place(LanguageModel model, AttentionBackend backend) {
    if (!backend.engine().name().equals(CUDA)) {
      return;
    }
    try {
      model.moveTo(backend);
    } catch (DeviceException | InvalidArgumentException e) {
      if (engine.equals(CUDA)) {
        throw e;
      }
      spec.commandLine().getErr().println("sinkq: the weights stay on the CPU: " + e.getMessage());
    }
  }
}
