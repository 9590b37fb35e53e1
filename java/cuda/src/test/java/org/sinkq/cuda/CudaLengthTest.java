package org.sinkq.cuda;

import org.junit.jupiter.api.Tag;

/** On a GPU. */
@Tag("gpu")
class CudaLengthTest extends LengthContract {
  @Override
  String engine() {
    return CudaEngineProvider.NAME;
  }
}
