package org.sinkq.cuda;

import org.sinkq.cuda.ptx.InterpretedDevice;

/** Replays on the interpreted device. */
class InterpretedGraphTest extends GraphContract {
  @Override
  CudaDevice openDevice() {
    return InterpretedDevice.ampere(11);
  }
}
