package org.sinkq.bench;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
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

/** A chunk of a prompt: append and attend, one layer. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class PrefillBenchmark {
  /** Kind of cache. */
  @Param({"FP32", "FP16", "SINKQ2"})
  public Cache cache;

  /** 128: 32/8 heads; 64: 9/3 heads. */
  @Param({"128", "64"})
  public String headDim;

  /** Tokens before the chunk. */
  @Param("7936")
  public int tokens;

  /** Rows of the chunk. */
  @Param("256")
  public int rows;

  /** Threads of the engine. */
  @Param("2")
  public int threads;

  private FilledCache filled;
  private LongSupplier chunk;

  /** Creates the state that JMH fills. */
  public PrefillBenchmark() {}

  /** Fills the cache. */
  @Setup
  public void fill() {
    Workload workload = headDim.equals("128") ? Workload.d128(1, tokens) : Workload.d64(1, tokens);
    filled = new FilledCache(workload, cache, threads);
    chunk = filled.chunk(rows);
  }

  /** One chunk. */
  @Benchmark
  public long chunk() {
    return chunk.getAsLong();
  }

  /** Frees the cache. */
  @TearDown
  public void close() {
    filled.close();
  }
}
