package org.sinkq.cuda;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.contract.MassContract;

/** Sinks by attention mass on the interpreted device. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedMassTest extends MassContract {
  @Override
  protected String engine() {
    return InterpretedEngineProvider.NAME;
  }

  /** Few tokens are divided already, and each takes its time. */
  @Override
  protected int longLength() {
    return 600;
  }
}
