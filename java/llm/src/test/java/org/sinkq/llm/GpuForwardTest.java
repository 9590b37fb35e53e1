package org.sinkq.llm;

import org.junit.jupiter.api.Tag;

/** The forward pass on a GPU, products by cuBLAS. */
@Tag("gpu")
class GpuForwardTest extends DeviceForwardContract {
  @Override
  String engine() {
    return "cuda";
  }
}
