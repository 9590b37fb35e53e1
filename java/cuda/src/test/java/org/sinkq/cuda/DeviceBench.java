package org.sinkq.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Locale;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.DeviceException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/**
 * Times the kernels on a GPU; run from the GPU bundle. Prints Markdown, and writes it to the file
 * that is named, with two plots beside it.
 */
public final class DeviceBench {
  /** Query heads, KV heads, batch, context. */
  private static final int[][] CASES = {
    {32, 8, 1, 8 << 10},
    {32, 8, 1, 32 << 10},
    {32, 8, 1, 128 << 10},
    {32, 8, 8, 32 << 10},
    {32, 8, 32, 8 << 10},
    {32, 8, 8, 128 << 10},
    {64, 8, 8, 32 << 10},
    {32, 32, 8, 8 << 10}
  };

  private static final int DIM = 128;

  /** How many times faster than fp16 each case has to be on an H100. */
  private static final double[] REQUIRED = {1.8, 3, 5, 5.7, 5.7, 6.4, 5.4, 5.6};

  private final JcudaDevice device;
  private final Baseline baseline;
  private final BenchPlots plots = new BenchPlots();
  private final StringBuilder results = new StringBuilder();
  private double copied;

  private DeviceBench(JcudaDevice device, Baseline baseline) {
    this.device = device;
    this.baseline = baseline;
  }

  /** Runs everything; the argument, if there is one, is the file for the results. */
  public static void main(String[] args) throws IOException {
    Baseline baseline = Baseline.load();
    try (JcudaDevice device = new JcudaDevice(0)) {
      DeviceBench bench = new DeviceBench(device, baseline);
      bench.run();
      if (args.length > 0) {
        Path file = Path.of(args[0]);
        String stem = file.getFileName().toString().replaceFirst("[.]md$", "");
        Files.writeString(file, bench.results);
        Files.writeString(file.resolveSibling(stem + "-context.svg"), bench.plots.times());
        Files.writeString(
            file.resolveSibling(stem + "-roofline.svg"), bench.plots.roofline(bench.copied));
      }
    }
  }

  private void print(String format, Object... values) {
    String line = String.format(Locale.ROOT, format, values);
    System.out.println(line);
    results.append(line).append('\n');
  }

  private void run() {
    CudaDevice.Facts facts = device.facts();
    print("# Kernels on a GPU, %s, `sinkq-gpu/bench`", LocalDate.now(ZoneOffset.UTC));
    print("");
    print(
        "%s, %d SMs, driver for CUDA %d.%d",
        facts.name(),
        facts.multiprocessors(),
        facts.driverVersion() / 1000,
        facts.driverVersion() % 1000 / 10);
    copied = copyBandwidth();
    print("device-to-device copy: %.0f GB/s read and written", copied);
    print("");
    print(
        "D = 128, page 128, window 95, 18 sinks; microseconds of one layer in a chain, its new row appended.");
    print(
        "fp16: the same kernel over fp16 pages. PyTorch: its fastest fp16 attention in this run."
            + " cuBLAS: two batched products and a softmax, over fp16. adaptive: codec INT2_ADAPTIVE.");
    print("");
    print(
        "| q/KV heads, batch, context | fp16 | 2 bit | x | PyTorch fp16 | x | cuBLAS fp16 | required | of copy"
            + " rate | flush | flush / 128 steps | adaptive | x | to 2 bit"
            + " | flush / 128 steps |");
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    CudaKernels kernels = new CudaKernels(device, DIM);
    for (int i = 0; i < CASES.length; i++) {
      int[] c = CASES[i];
      double dense;
      long denseBytes;
      try (BenchCase fp16 = decode(kernels, KvCodec.FP16, c)) {
        dense = fp16.attendMicros();
        denseBytes = fp16.usefulBytes();
      }
      try (BenchCase int2 = decode(kernels, KvCodec.INT2, c)) {
        double attend = int2.attendMicros();
        double flush = int2.flushMicros();
        String shape = "decode %d %d %d %d".formatted(c[0], c[1], c[2], c[3]);
        double torch = baseline.best(shape).map(Baseline.Time::micros).orElse(0.0);
        plots.add(new BenchPlots.Row(c, dense, attend, torch, denseBytes, int2.usefulBytes()));
        String row =
            "| %d/%d, %d, %dK | %.1f | %.1f | %.2f | %s | %s | %.1f | %.0f %% | %.1f | %.1f %% | %s |";
        print(
            row,
            c[0],
            c[1],
            c[2],
            c[3] >> 10,
            dense,
            attend,
            dense / attend,
            compare(shape, attend),
            cublas(c),
            REQUIRED[i],
            100 * int2.usefulBytes() / (attend * 1e-6) / (copied * 1e9),
            flush,
            100 * flush / (128 * attend),
            adaptive(kernels, c, dense, attend));
      }
    }
    print("");
    prompt();
    print("");
    PromptCase.rows(device, kernels).forEach(row -> print("%s", row));
    print("");
    MassBench.rows(device, kernels).forEach(row -> print("%s", row));
    print("");
    PageSizeBench.rows(device, kernels).forEach(row -> print("%s", row));
    hostCost();
  }

  private BenchCase decode(CudaKernels kernels, KvCodec codec, int[] c) {
    KvCacheSpec.Builder cache = KvCacheSpec.builder().codec(codec);
    return new BenchCase(device, kernels, cache, new int[] {c[0], c[1]}, c[2], c[3]);
  }

  /** Cells of a table: the adaptive codec beside fp16 and the published 2 bits. */
  private String adaptive(CudaKernels kernels, int[] c, double dense, double int2) {
    try (BenchCase bench = decode(kernels, KvCodec.INT2_ADAPTIVE, c)) {
      double attend = bench.attendMicros();
      return String.format(
          Locale.ROOT,
          "%.1f | %.2f | %.2f | %.1f %%",
          attend,
          dense / attend,
          attend / int2,
          100 * bench.flushMicros() / (128 * attend));
    }
  }

  /** Cells of a table: the best time of PyTorch, and how many times longer it is. */
  private String compare(String shape, double micros) {
    return baseline
        .best(shape)
        .map(
            t ->
                String.format(
                    Locale.ROOT, "%.1f %s | %.2f", t.micros(), t.backend(), t.micros() / micros))
        .orElse("not measured | -");
  }

  /** Time of plain attention, or why there is none. */
  private String cublas(int[] c) {
    try (CublasAttention plain =
        new CublasAttention(device, new int[] {c[0], c[1]}, DIM, c[2], c[3])) {
      return String.format(Locale.ROOT, "%.1f", plain.micros());
    } catch (DeviceException e) {
      System.err.println("cuBLAS: " + e.getMessage());
      return "not measured";
    }
  }

  private double copyBandwidth() {
    long bytes = 2L << 30;
    long from = device.allocate(bytes);
    long to = device.allocate(bytes);
    CudaDevice.Stream stream = device.createStream();
    CudaDevice.Event a = device.createEvent();
    CudaDevice.Event b = device.createEvent();
    device.fill(from, (byte) 1, bytes, stream);
    float best = Float.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      device.record(a, stream);
      device.copy(to, from, bytes, stream);
      device.record(b, stream);
      best = Math.min(best, device.elapsedMillis(a, b));
    }
    device.free(from);
    device.free(to);
    device.destroy(stream);
    return 2 * bytes / (best * 1e-3) / 1e9;
  }

  private static KvCacheSpec spec(int tokens) {
    return KvCacheSpec.builder().firstSinkLayer(0).capacityTokens(tokens).build();
  }

  private static TensorView tensor(long address, int rows, int heads) {
    return TensorView.ofDevice(address, DType.F16, rows, heads, DIM);
  }

  /** A prompt of 8K tokens in one call: append, causal attention, selection, packing. */
  private void prompt() {
    int rows = 8 << 10;
    long bytes = (long) rows * 32 * DIM * Short.BYTES;
    long memory = device.allocate(4 * bytes);
    CudaDevice.Stream stream = device.createStream();
    device.fill(memory, (byte) 0x30, 4 * bytes, stream);
    device.synchronize(stream);
    ModelShape shape = ModelShape.of(1, 32, 8, DIM);
    double[] millis = new double[15];
    try (AttentionBackend backend =
        AttentionBackends.open(BackendConfig.of(shape, spec(2 * rows)).withEngine("cuda"))) {
      for (int i = -millis.length; i < millis.length; i++) {
        try (KvSequence sequence = backend.newSequence();
            AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
          long start = System.nanoTime();
          plan.run(
              0,
              tensor(memory, rows, 32),
              tensor(memory + bytes, rows, 8),
              tensor(memory + 2 * bytes, rows, 8),
              tensor(memory + 3 * bytes, rows, 32));
          millis[Math.max(i, 0)] = (System.nanoTime() - start) * 1e-6;
          plan.commit();
        }
      }
    }
    device.free(memory);
    Arrays.sort(millis);
    print(
        "prompt of 8K tokens, 32/8 heads, one layer, all kernels: %.2f ms",
        millis[millis.length / 2]);
    baseline
        .best("prefill 32 8 8192")
        .ifPresent(
            t ->
                print(
                    "the same in PyTorch, attention alone: %.2f ms (%s)",
                    t.micros() / 1000, t.backend()));
  }

  /** What a decode step of 32 layers costs the host. */
  private void hostCost() {
    HostCost.Micros micros;
    try (HostCost cost = new HostCost(device)) {
      micros = cost.measure();
    }
    print("");
    print("| decode step of 32 layers through the API, batch 1 | us |");
    print("|---|---|");
    print("| plain: host time of 31 layers, 31 launches | %.0f |", micros.launched());
    print("| plain: until the result is there | %.0f |", micros.waited());
    print("| replayed: host time (required: 50) | %.0f |", micros.replayed());
    print("| replayed: until the result is there | %.0f |", micros.replayedWaited());
  }
}
