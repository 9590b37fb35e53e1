package org.sinkq.cuda;

import java.util.List;
import org.sinkq.BackendConfig;
import org.sinkq.DeviceException;
import org.sinkq.EngineStatus;
import org.sinkq.InvalidArgumentException;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/** The engine for NVIDIA GPUs. */
public final class CudaEngineProvider implements EngineProvider {
  /** Name to ask for. */
  public static final String NAME = "cuda";

  private static final int PRIORITY = 100;
  private static final int LEAST_MAJOR = 8;

  /** Number of the device to use where the configuration of a backend names none. */
  private static final String DEVICE_PROPERTY = "sinkq.cuda.device";

  private static final CudaRuntime SHARED = new CudaRuntime(new JcudaDriver());

  private final CudaRuntime runtime;

  /** For {@link java.util.ServiceLoader}. */
  public CudaEngineProvider() {
    runtime = SHARED;
  }

  /** An engine on other kinds of devices. */
  CudaEngineProvider(CudaDriver driver) {
    runtime = new CudaRuntime(driver);
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int priority() {
    return PRIORITY;
  }

  @Override
  public EngineStatus probe() {
    try {
      int ordinal = defaultDevice();
      CudaDevice.Facts facts = runtime.device(ordinal).facts();
      return CudaKernels.arePresent()
          ? withOthers(judge(facts, CudaKernels.ptxVersion()), ordinal)
          : missing(
              "this build has no GPU kernels",
              "build without -Dsinkq.kernels.skip=true; './sinkq' does for --engine cuda");
    } catch (InvalidArgumentException e) {
      return missing(e.getMessage(), "set -D" + DEVICE_PROPERTY + " to one of those");
    } catch (LinkageError e) {
      return missing(
          "no CUDA driver: " + reason(e), "install the NVIDIA driver, or use a machine with a GPU");
    } catch (DeviceException e) {
      return missing(
          e.getMessage(), "look at nvidia-smi and at CUDA_VISIBLE_DEVICES, then start again");
    }
  }

  private static int defaultDevice() {
    return Integer.getInteger(DEVICE_PROPERTY, 0);
  }

  /** Where there are several devices, names all of them, the default one first. */
  private EngineStatus withOthers(EngineStatus status, int ordinal) {
    int count = runtime.count();
    if (count == 1) {
      return status;
    }
    StringBuilder devices = new StringBuilder();
    devices.append("device %d of %d: %s".formatted(ordinal, count, status.description()));
    for (int i = 0; i < count; i++) {
      if (i != ordinal) {
        CudaDevice.Facts other = runtime.facts(i);
        devices.append(
            "; device %d: %s, compute capability %d.%d"
                .formatted(i, other.name(), other.major(), other.minor()));
      }
    }
    return status.available()
        ? new EngineStatus(NAME, true, devices.toString(), status.reason(), status.remedy())
        : status;
  }

  /** JCuda's message is a page of stack traces; the loader's own line names the library. */
  private static String reason(LinkageError e) {
    List<String> lines = String.valueOf(e.getMessage()).lines().map(String::strip).toList();
    String fallback = lines.isEmpty() ? "" : lines.getFirst();
    return lines.stream()
        .filter(line -> line.contains(JcudaDriver.LIBRARY))
        .map(line -> line.substring(line.indexOf(JcudaDriver.LIBRARY)))
        .findFirst()
        .orElse(fallback);
  }

  /** Whether a device can run kernels in this version of PTX. */
  static EngineStatus judge(CudaDevice.Facts facts, String ptxVersion) {
    String device =
        "%s, compute capability %d.%d, driver for CUDA %d.%d"
            .formatted(
                facts.name(),
                facts.major(),
                facts.minor(),
                facts.driverVersion() / 1000,
                facts.driverVersion() % 1000 / 10);
    int needed = cudaVersion(ptxVersion);
    if (facts.driverVersion() < needed) {
      return missing(
          "driver too old for PTX " + ptxVersion + ": " + device,
          "install a driver for CUDA %d.%d or later".formatted(needed / 1000, needed % 1000 / 10));
    }
    if (facts.major() < LEAST_MAJOR) {
      return missing(
          "compute capability too low: " + device, "use a GPU of the Ampere generation or later");
    }
    return new EngineStatus(NAME, true, device, "", "");
  }

  /** The first CUDA version, as drivers report it, that takes a version of PTX from 7.0 on. */
  private static int cudaVersion(String ptxVersion) {
    String[] parts = ptxVersion.split("\\.", -1);
    int major = Integer.parseInt(parts[0]);
    int minor = Integer.parseInt(parts[1]);
    // PTX 7.x came with CUDA 11.x, 8.x with 12.x, 9.x with 13.x.
    return (major + 4) * 1000 + minor * 10;
  }

  private static EngineStatus missing(String reason, String remedy) {
    return new EngineStatus(NAME, false, "", reason, remedy);
  }

  @Override
  public Footprint footprint(CacheGeometry geometry) {
    long page = 0;
    long sequence = SinkMirror.bytesPerSequence(geometry) + CudaLayout.windowLogitBytes(geometry);
    int heads = geometry.shape().numKvHeads();
    for (int layer = 0; layer < geometry.shape().numLayers(); layer++) {
      CudaLayout layout = new CudaLayout(geometry, layer);
      page += (long) heads * layout.pageBytes;
      sequence += heads * layout.headBytes;
    }
    return new Footprint(page, sequence);
  }

  @Override
  public PageFormat pageFormat(CacheGeometry geometry) {
    return new CudaPages(geometry);
  }

  @Override
  public Engine open(CacheMemory memory, int threads) {
    int ordinal =
        memory.device() == BackendConfig.DEFAULT_DEVICE ? defaultDevice() : memory.device();
    CudaDevice device = runtime.device(ordinal);
    CudaKernels kernels = runtime.kernels(ordinal, memory.geometry().shape().headDim());
    return new CudaEngine(memory, device, kernels, () -> runtime.drop(device));
  }
}
