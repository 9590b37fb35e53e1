package org.sinkq.cuda.ptx;

/**
 * A PTX text that this parser cannot read, or an instruction that the interpreter does not know.
 */
final class PtxSyntaxException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  PtxSyntaxException(int line, String message) {
    super(message + " at line " + line);
  }
}
