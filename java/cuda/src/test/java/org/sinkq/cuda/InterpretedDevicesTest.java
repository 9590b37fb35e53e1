package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.AttentionBackend;
import org.sinkq.BackendConfig;
import org.sinkq.EngineAccess;
import org.sinkq.EngineStatus;
import org.sinkq.cuda.ptx.InterpretedDevice;

/** On two interpreted devices. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedDevicesTest extends DevicesContract {
  private static final CudaDevice.Facts FACTS =
      new CudaDevice.Facts("PTX interpreter", 8, 0, 13000, 2, 160 << 10, 1 << 20);

  /** A machine with two of them. */
  private static final class Machine implements CudaDriver {
    @Override
    public int count() {
      return 2;
    }

    @Override
    public CudaDevice.Facts facts(int ordinal) {
      return FACTS;
    }

    @Override
    public CudaDevice open(int ordinal) {
      return new InterpretedDevice(FACTS, 256 << 20, 7, ordinal);
    }
  }

  private final CudaEngineProvider provider = new CudaEngineProvider(new Machine());

  @Override
  AttentionBackend open(BackendConfig config) {
    return EngineAccess.open(config, provider);
  }

  @Override
  String description() {
    return provider.probe().description();
  }

  @Test
  void theProbeListsAllDevices() {
    EngineStatus status = provider.probe();
    String device = "PTX interpreter, compute capability 8.0";
    assertEquals(
        "device 0 of 2: " + device + ", driver for CUDA 13.0; device 1: " + device,
        status.description());
  }
}
