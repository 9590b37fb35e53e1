package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.DeviceException;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;

/** On two GPUs. */
@Tag("gpus")
class CudaDevicesTest extends DevicesContract {
  @Override
  AttentionBackend open(BackendConfig config) {
    return AttentionBackends.open(config);
  }

  /** More than any device has: the message tells by how much. */
  @Test
  void memoryThatIsNotThereIsNamed() {
    KvCacheSpec spec = KvCacheSpec.builder().capacityBytes(400L << 30).maxSequences(1).build();
    BackendConfig config =
        BackendConfig.of(ModelShape.of(1, 1, 1, 256), spec).withEngine("cuda").withDevice(1);
    DeviceException e = assertThrows(DeviceException.class, () -> open(config));
    assertEquals("CUDA_ERROR_OUT_OF_MEMORY", e.codeName());
    assertTrue(
        e.getMessage().matches(".*allocating \\d{12} bytes on .*, \\d+ free of \\d+"),
        e.getMessage());
    KvCacheSpec little = KvCacheSpec.builder().capacityBytes(64 << 20).maxSequences(1).build();
    open(BackendConfig.of(config.shape(), little).withEngine("cuda").withDevice(1)).close();
  }

  @Override
  String description() {
    return new CudaEngineProvider().probe().description();
  }
}
