package org.sinkq.cuda;

/** On the interpreter. */
class InterpretedLengthTest extends LengthContract {
  @Override
  String engine() {
    return InterpretedEngineProvider.NAME;
  }
}
