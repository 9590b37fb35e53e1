package org.sinkq.cuda.ptx;

/** The parameters of a launch: constant, and the same for all threads. */
final class ParamSpace extends Space {
  ParamSpace(byte[] params) {
    bytes = params;
  }

  @Override
  int locate(Warp warp, int lane, long address, int size, Access access) {
    if (address < 0 || address > bytes.length - size) {
      throw new Fault(
          Fault.Kind.ADDRESS,
          lane,
          "out-of-bounds read of %d bytes at parameter address=%s, expected [0x0, %s)"
              .formatted(size, Fault.hex(address), Fault.hex(bytes.length)));
    }
    if ((address & (size - 1)) != 0) {
      throw misaligned(lane, "parameter", address, size);
    }
    if (access != Access.READ) {
      throw new Fault(Fault.Kind.ADDRESS, lane, "write to parameter address=" + Fault.hex(address));
    }
    return (int) address;
  }

  /** Bytes that an entry's parameters take. */
  static int layout(PtxFunction function) {
    return function.params().isEmpty()
        ? 0
        : offset(function, function.params().getLast()) + function.params().getLast().bytes();
  }

  /** Offset of a parameter: each is aligned as it asks for. */
  static int offset(PtxFunction function, PtxVariable param) {
    int at = 0;
    for (PtxVariable each : function.params()) {
      at = (at + each.align() - 1) / each.align() * each.align();
      if (each.equals(param)) {
        return at;
      }
      at += each.bytes();
    }
    throw new IllegalArgumentException("param=" + param.name() + ", expected one of the entry's");
  }
}
