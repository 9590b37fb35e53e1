package org.sinkq.cuda;

import java.util.function.Supplier;

/** A machine with a single device, which is what the opener makes. */
record OneDevice(Supplier<CudaDevice> opener) implements CudaDriver {
  @Override
  public int count() {
    return 1;
  }

  @Override
  public CudaDevice.Facts facts(int ordinal) {
    throw new AssertionError("device 0 is open, and there is no other");
  }

  @Override
  public CudaDevice open(int ordinal) {
    return opener.get();
  }
}
