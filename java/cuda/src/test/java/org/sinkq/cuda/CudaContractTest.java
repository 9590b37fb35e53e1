package org.sinkq.cuda;

import org.junit.jupiter.api.Tag;
import org.sinkq.contract.EngineContract;

/** The contract on a GPU. */
@Tag("gpu")
class CudaContractTest extends EngineContract {
  @Override
  protected String engine() {
    return CudaEngineProvider.NAME;
  }
}
