package org.sinkq.cuda;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.cuda.ptx.InterpretedDevice;

/** On the interpreter. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedStridesTest extends StridesContract {
  @Override
  CudaDevice openDevice() {
    return InterpretedDevice.ampere(13);
  }
}
