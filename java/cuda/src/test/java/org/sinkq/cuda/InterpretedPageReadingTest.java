package org.sinkq.cuda;

/** On the interpreter. */
class InterpretedPageReadingTest extends PageReadingContract {
  @Override
  CudaDevice device() {
    return InterpretedEngineProvider.device();
  }
}
