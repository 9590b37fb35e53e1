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

/** A decode step of one sequence: append and attend, all layers. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class DecodeBenchmark {
  /** Kind of cache. */
  @Param({"FP32", "FP16", "INT4", "KIVI2", "SINKQ2", "SINKQ2A"})
  public Cache cache;

  /** 128: 32/8 heads; 64: 9/3 heads. */
  @Param({"128", "64"})
  public String headDim;

  /** Context. */
  @Param({"8192", "32768"})
  public int tokens;

  /** Threads of the engine. */
  @Param({"1", "2"})
  public int threads;

  /** Layers, which a step takes in turn. */
  @Param("4")
  public int layers;

  private FilledCache filled;

  /** Creates the state that JMH fills. */
  public DecodeBenchmark() {}

  /** Fills the cache. */
  @Setup
  public void fill() {
    Workload workload =
        headDim.equals("128") ? Workload.d128(layers, tokens) : Workload.d64(layers, tokens);
    filled = new FilledCache(workload, cache, threads);
  }

  /** One step. */
  @Benchmark
  public float[] step() {
    filled.step();
    return filled.output();
  }

  /** Frees the cache. */
  @TearDown
  public void close() {
    filled.close();
  }
}
