package org.sinkq.cuda;

import org.junit.jupiter.api.Tag;
import org.sinkq.contract.MassContract;

/** Sinks by attention mass on a GPU. */
@Tag("gpu")
class CudaMassTest extends MassContract {
  @Override
  protected String engine() {
    return CudaEngineProvider.NAME;
  }
}
