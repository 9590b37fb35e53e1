package org.sinkq.llm;

import org.junit.jupiter.api.Tag;

/** Replayed steps on a GPU. */
@Tag("gpu")
class GpuDecodeLoopTest extends DecodeLoopContract {
  @Override
  String engine() {
    return "cuda";
  }

  @Override
  boolean productsAreExact() {
    return false;
  }

  @Override
  boolean deviceIsOurs() {
    return false;
  }
}
