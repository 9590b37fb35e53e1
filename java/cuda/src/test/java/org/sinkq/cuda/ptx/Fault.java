package org.sinkq.cuda.ptx;

/**
 * A finding of the sanitizer while an instruction runs. The warp that runs it adds kernel, line,
 * block and warp and throws the whole as {@link KernelFault}.
 */
final class Fault extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The kind of a finding; each ends a launch with its own error code. */
  enum Kind {
    ADDRESS,
    MISALIGNED,
    UNINITIALISED,
    RACE,
    DIVERGENCE,
    DEADLOCK,
    TRAP,
    ARGUMENT
  }

  final transient Kind kind;
  final int lane;

  /** A finding about one lane, or about the warp where {@code lane} is -1. */
  Fault(Kind kind, int lane, String message) {
    super(message, null, false, false);
    this.kind = kind;
    this.lane = lane;
  }

  static String hex(long address) {
    return "0x" + Long.toHexString(address);
  }

  /** Lanes of a mask, such as {@code 0-3,7}. */
  static String lanes(int mask) {
    StringBuilder text = new StringBuilder();
    for (int lane = 0; lane < 32; ) {
      if ((mask >>> lane & 1) == 0) {
        lane++;
        continue;
      }
      int end = lane;
      while (end < 31 && (mask >>> (end + 1) & 1) != 0) {
        end++;
      }
      text.append(text.isEmpty() ? "" : ",").append(lane);
      if (end > lane) {
        text.append('-').append(end);
      }
      lane = end + 1;
    }
    return text.isEmpty() ? "none" : text.toString();
  }
}
