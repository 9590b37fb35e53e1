package org.sinkq.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.sinkq.DeviceException;
import org.sinkq.ModelShape;

/** The kernels of one head dimension on one device, compiled when first used. */
final class CudaKernels {
  /** Threads of a block of {@code append}, {@code select} and {@code reopen}: one warp. */
  static final int WARP = 32;

  /** Threads of a block of {@code attend} and {@code prefill}. */
  static final int ATTEND_THREADS = 128;

  /** Threads of a block of {@code pack}. */
  static final int PACK_THREADS = 512;

  /** Threads of a block of {@code keep} and {@code publish}. */
  static final int COPY_THREADS = 128;

  /** Columns that a block of {@code attend} takes where there are no more, or only so many fit. */
  static final int FEW_COLUMNS = 4;

  /** Columns that it takes at most. */
  static final int MANY_COLUMNS = 8;

  private final CudaDevice device;
  private final int headDim;
  private final CudaDevice.Module module;
  private CudaDevice.Module masses;
  private final Map<String, CudaDevice.Function> functions = new HashMap<>();

  CudaKernels(CudaDevice device, int headDim) {
    this.device = device;
    this.headDim = headDim;
    module = device.load(ptx(headDim));
  }

  /** Loads what layers need besides whose sinks go by attention mass; few do. */
  void loadMasses() {
    if (masses == null) {
      masses = device.load(massesPtx(headDim));
    }
  }

  private static String name(int headDim) {
    return "sinkq_d" + headDim + ".ptx";
  }

  /** A head dimension whose kernels this build contains; a developer's may have but one. */
  private static OptionalInt builtDim() {
    return ModelShape.HEAD_DIMS.stream()
        .mapToInt(Integer::intValue)
        .filter(dim -> CudaKernels.class.getResource(name(dim)) != null)
        .findFirst();
  }

  /** Whether this build contains kernels. */
  static boolean arePresent() {
    return builtDim().isPresent();
  }

  /** PTX text of a head dimension. */
  static String ptx(int headDim) {
    return resource(name(headDim));
  }

  /** PTX text of a head dimension's kernels for attention masses. */
  static String massesPtx(int headDim) {
    return resource("sinkq_d" + headDim + "_masses.ptx");
  }

  /** A file of PTX. */
  static String resource(String name) {
    try (InputStream in = CudaKernels.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new DeviceException(
            0,
            "NO_KERNELS",
            name + " is not in this build; build without -Dsinkq.kernels.skip=true",
            null);
      }
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** First line of the kernels' PTX that tells the version of the language, such as "9.0". */
  static String ptxVersion() {
    return ptx(builtDim().orElseThrow())
        .lines()
        .filter(line -> line.startsWith(".version "))
        .findFirst()
        .orElseThrow()
        .substring(".version ".length())
        .strip();
  }

  /** An entry for a head dimension, such as {@code append}. */
  CudaDevice.Function function(String name) {
    return function(name, 0);
  }

  /** An entry that may need more dynamic shared memory than blocks get without asking. */
  private CudaDevice.Function function(String name, int dynamicShared) {
    return function(module, name, dynamicShared);
  }

  private CudaDevice.Function function(CudaDevice.Module from, String name, int dynamicShared) {
    return functions.computeIfAbsent(
        name + "_d" + headDim,
        n -> {
          CudaDevice.Function f = device.function(from, n);
          if (dynamicShared > 0) {
            device.allowDynamicShared(f, dynamicShared);
          }
          return f;
        });
  }

  private static String codec(CudaLayout layout) {
    if (layout.isAdaptive()) {
      return "q2a";
    }
    return layout.isQuantized() ? "q" + layout.bits : "f16";
  }

  /** Columns of an item for sequences with this many columns at most. */
  int columns(CudaLayout layout, int most) {
    boolean wide = headDim <= 128 && (!layout.isQuantized() || layout.pageTokens == 128);
    return wide && most > FEW_COLUMNS ? MANY_COLUMNS : FEW_COLUMNS;
  }

  CudaDevice.Function attend(CudaLayout layout, int columns) {
    return function(attendName(layout, columns), layout.attendShared());
  }

  /** The same, giving window tokens their attention masses, too; of a layer that tracks them. */
  CudaDevice.Function attendWithMasses(CudaLayout layout, int columns) {
    return function(masses, attendName(layout, columns) + "_masses", layout.attendShared());
  }

  private static String attendName(CudaLayout layout, int columns) {
    String page = layout.isQuantized() ? "_g" + layout.pageTokens : "";
    return "attend_" + codec(layout) + page + "_c" + columns;
  }

  /** Masses of window tokens in a step in which attention does not give them. */
  CudaDevice.Function mass() {
    return function(masses, "mass", 0);
  }

  /** The kernel of sequences with many columns; its shared memory depends on the queries' type. */
  CudaDevice.Function prefill() {
    return function("prefill", CudaLayout.prefillShared(headDim, true));
  }

  CudaDevice.Function pack(CudaLayout layout) {
    // One entry serves every page size, so it is allowed what the largest takes.
    return function("pack_" + codec(layout), layout.largestPackShared());
  }

  CudaDevice.Function reopen(CudaLayout layout) {
    return function("reopen_" + codec(layout));
  }
}
