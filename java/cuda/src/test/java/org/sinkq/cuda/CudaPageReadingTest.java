package org.sinkq.cuda;

import org.junit.jupiter.api.Tag;

/** On a GPU. */
@Tag("gpu")
class CudaPageReadingTest extends PageReadingContract {
  @Override
  CudaDevice device() {
    return new JcudaDevice(0);
  }
}
