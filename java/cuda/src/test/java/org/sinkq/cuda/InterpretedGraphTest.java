package org.sinkq.cuda;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.cuda.ptx.InterpretedDevice;

/** Replays on the interpreted device. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedGraphTest extends GraphContract {
  @Override
  CudaDevice openDevice() {
    return InterpretedDevice.ampere(11);
  }
}
