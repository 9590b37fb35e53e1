package org.sinkq.cuda.ptx;

/** A launch that the sanitizer ended: where, and what was found. */
final class KernelFault extends RuntimeException {
  private static final long serialVersionUID = 1L;

  final transient Fault.Kind kind;

  KernelFault(Fault.Kind kind, String message) {
    super(message);
    this.kind = kind;
  }
}
