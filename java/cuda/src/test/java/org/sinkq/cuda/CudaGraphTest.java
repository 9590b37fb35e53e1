package org.sinkq.cuda;

import org.junit.jupiter.api.Tag;

/** Replays on a GPU. */
@Tag("gpu")
class CudaGraphTest extends GraphContract {
  @Override
  CudaDevice openDevice() {
    return new JcudaDevice(0);
  }
}
