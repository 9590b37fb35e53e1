package org.sinkq.cpu;

import org.sinkq.contract.MassContract;

/** Sinks by attention mass on the cpu engine. */
class CpuMassTest extends MassContract {
  @Override
  protected String engine() {
    return "cpu";
  }
}
