package org.sinkq.bench;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** A decode step of many sequences; {@link PlanTable} tells plan and commit apart. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class PlanBenchmark {
  /** Sequences of the batch. */
  @Param("1024")
  public int sequences;

  /** Layers. */
  @Param("32")
  public int layers;

  /** Threads of the engine. */
  @Param("2")
  public int threads;

  private StepBatch batch;

  /** Creates the state that JMH fills. */
  public PlanBenchmark() {}

  /** Opens the backend. */
  @Setup
  public void open() {
    batch = new StepBatch(sequences, layers, threads);
  }

  /** Plan, run, commit. */
  @Benchmark
  public long step() {
    batch.step();
    return batch.tokens();
  }

  /** Frees the backend. */
  @TearDown
  public void close() {
    batch.close();
  }
}
