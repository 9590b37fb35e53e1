package org.sinkq.llm;

/**
 * The forward pass on the interpreted device: the kernels of the jar run, only the matrix products
 * are Java.
 */
class DeviceForwardTest extends DeviceForwardContract {
  @Override
  String engine() {
    return "cuda-interpreted";
  }
}
