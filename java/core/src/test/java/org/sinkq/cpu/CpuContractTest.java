package org.sinkq.cpu;

import org.sinkq.contract.EngineContract;

/** The contract on the CPU engine. */
class CpuContractTest extends EngineContract {
  @Override
  protected String engine() {
    return "cpu";
  }
}
