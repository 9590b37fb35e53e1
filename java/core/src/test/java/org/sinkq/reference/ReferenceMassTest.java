package org.sinkq.reference;

import org.sinkq.contract.MassContract;

/** Sinks by attention mass on the reference engine. */
class ReferenceMassTest extends MassContract {
  @Override
  protected String engine() {
    return "reference";
  }
}
