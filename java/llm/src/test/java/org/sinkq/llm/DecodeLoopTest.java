package org.sinkq.llm;

/** Replayed steps on the interpreted device. */
class DecodeLoopTest extends DecodeLoopContract {
  @Override
  String engine() {
    return "cuda-interpreted";
  }

  @Override
  boolean productsAreExact() {
    return true;
  }

  @Override
  boolean deviceIsOurs() {
    return true;
  }
}
