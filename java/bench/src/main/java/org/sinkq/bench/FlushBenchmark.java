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
import org.sinkq.bench.Workload.Cache;

/** What a step adds to attention: the same step with and without a flush, and on nothing. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class FlushBenchmark {
  /** Kind of cache. */
  @Param({"FP16", "INT4", "SINKQ2", "SINKQ2A"})
  public Cache cache;

  /** 128: 32/8 heads; 64: 9/3 heads. */
  @Param({"128", "64"})
  public String headDim;

  /** Context, short, so that attention hides nothing. */
  @Param("512")
  public int tokens;

  /** Threads of the engine. */
  @Param("2")
  public int threads;

  /** Layers, which a step takes in turn. */
  @Param("4")
  public int layers;

  private FilledCache filled;

  /** Creates the state that JMH fills. */
  public FlushBenchmark() {}

  /** Fills the cache. */
  @Setup
  public void fill() {
    Workload workload =
        headDim.equals("128") ? Workload.d128(layers, tokens) : Workload.d64(layers, tokens);
    filled = new FilledCache(workload, cache, threads);
  }

  /** Append, attend. */
  @Benchmark
  public float[] step() {
    filled.step();
    return filled.output();
  }

  /** Append, attend, flush. */
  @Benchmark
  public float[] flushingStep() {
    filled.flushingStep();
    return filled.output();
  }

  /** Append to an empty sequence, attend to one token. */
  @Benchmark
  public float[] firstStep() {
    filled.firstStep();
    return filled.output();
  }

  /** Frees the cache. */
  @TearDown
  public void close() {
    filled.close();
  }
}
