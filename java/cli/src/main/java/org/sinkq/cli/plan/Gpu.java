package org.sinkq.cli.plan;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** GPUs with what bounds a decode step on them. */
public enum Gpu {
  /** Measured: docs/results. */
  H100_80("h100-80", 81559, 132, 3.10e12, Rates.H100_ELEMENTS, 535e12, true),
  /** Measured: docs/results. */
  H200("h200", 143771, 132, 4.58e12, Rates.HOPPER_ELEMENTS, 535e12, true),
  A100_80(
      "a100-80",
      81920,
      108,
      2.04e12 * Rates.READ,
      Rates.elements(108, 1.41),
      Rates.gemm(312),
      false),
  A100_40(
      "a100-40",
      40960,
      108,
      1.56e12 * Rates.READ,
      Rates.elements(108, 1.41),
      Rates.gemm(312),
      false),
  L40S(
      "l40s", 46068, 142, 0.864e12 * Rates.READ, Rates.elements(142, 2.52), Rates.gemm(362), false),
  L4("l4", 23034, 58, 0.300e12 * Rates.READ, Rates.elements(58, 2.04), Rates.gemm(121), false),
  RTX_4090(
      "4090", 24564, 128, 1.008e12 * Rates.READ, Rates.elements(128, 2.52), Rates.gemm(165), false),
  RTX_5090(
      "5090", 32607, 170, 1.792e12 * Rates.READ, Rates.elements(170, 2.41), Rates.gemm(210), false);

  private final String label;
  private final long memoryMib;
  private final int multiprocessors;
  private final double readRate;
  private final double elementRate;
  private final double gemmRate;
  private final boolean measured;

  Gpu(
      String label,
      long memoryMib,
      int multiprocessors,
      double readRate,
      double elementRate,
      double gemmRate,
      boolean measured) {
    this.label = label;
    this.memoryMib = memoryMib;
    this.multiprocessors = multiprocessors;
    this.readRate = readRate;
    this.elementRate = elementRate;
    this.gemmRate = gemmRate;
    this.measured = measured;
  }

  /** The GPU of that name, in any case. */
  public static Optional<Gpu> find(String name) {
    String wanted = name.toLowerCase(Locale.ROOT);
    return Arrays.stream(values()).filter(gpu -> gpu.label.equals(wanted)).findFirst();
  }

  /** Names that {@link #find} knows. */
  public static List<String> names() {
    return Arrays.stream(values()).map(Gpu::toString).toList();
  }

  /**
   * The GPU that a driver calls so.
   *
   * @param device such as {@code NVIDIA H100 80GB HBM3}
   * @param memoryBytes of it, which tells sizes apart
   */
  public static Optional<Gpu> ofDevice(String device, long memoryBytes) {
    String name = device.toLowerCase(Locale.ROOT);
    return Arrays.stream(values())
        .filter(gpu -> name.matches(".*\\b(rtx )?" + gpu.label.split("-", -1)[0] + "\\b.*"))
        .filter(gpu -> Math.abs(memoryBytes - gpu.memoryBytes()) < gpu.memoryBytes() / 10)
        .findFirst();
  }

  /** Bytes of device memory, as nvidia-smi reports it. */
  public long memoryBytes() {
    return memoryMib << 20;
  }

  /** Its SMs. */
  int multiprocessors() {
    return multiprocessors;
  }

  /** Bytes a second that a long read reaches. */
  double readRate() {
    return readRate;
  }

  /** Quantized elements a second that the attention kernel can dequantize and multiply. */
  double elementRate() {
    return elementRate;
  }

  /** fp16 operations a second that matrix products of a few hundred rows reach. */
  double gemmRate() {
    return gemmRate;
  }

  /** Whether the rates were measured on this GPU; else they are scaled by its data sheet. */
  public boolean isMeasured() {
    return measured;
  }

  /** As on the command line. */
  @Override
  public String toString() {
    return label;
  }

  /** How the measured rates carry over to another GPU. */
  private static final class Rates {
    /**
     * Slope of the 2-bit kernel's time from 8 x 32K to 8 x 128K on an H200: 453 MB in 100.3 us, 9
     * bits for 4 elements. Memory binds it, so that it is a lower bound.
     */
    static final double HOPPER_ELEMENTS = 16e12;

    /**
     * The same before codes were multiplied as bytes, 137.9 us: what an H100 was measured with
     * last.
     */
    static final double H100_ELEMENTS = 11.7e12;

    /** Share of the data sheet's bandwidth that a long read reaches (H100: 3.10 of 3.35 TB/s). */
    static final double READ = 0.925;

    private static final double HOPPER_SM_GHZ = 132 * 1.755;

    /** Share of the data sheet's dense fp16 rate that a step's products reach on an H100. */
    private static final double GEMM = 0.54;

    static double elements(int multiprocessors, double gigahertz) {
      return HOPPER_ELEMENTS * multiprocessors * gigahertz / HOPPER_SM_GHZ;
    }

    static double gemm(double dataSheetTeraflops) {
      return dataSheetTeraflops * 1e12 * GEMM;
    }
  }
}
