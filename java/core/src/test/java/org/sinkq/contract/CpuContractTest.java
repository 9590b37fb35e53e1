package org.sinkq.contract;

/** The contract on the CPU engine. */
class CpuContractTest extends EngineContract {
  @Override
  protected String engine() {
    return "cpu";
  }
}
