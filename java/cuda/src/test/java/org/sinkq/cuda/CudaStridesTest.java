package org.sinkq.cuda;

import org.junit.jupiter.api.Tag;

/** On a GPU. */
@Tag("gpu")
class CudaStridesTest extends StridesContract {
  @Override
  CudaDevice openDevice() {
    return new JcudaDevice(0);
  }
}
