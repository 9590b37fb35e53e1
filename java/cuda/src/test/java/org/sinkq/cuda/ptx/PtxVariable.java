package org.sinkq.cuda.ptx;

/**
 * A variable or parameter. Two are the same only if they are one object: inner scopes may hide
 * names.
 *
 * @param space {@code global}, {@code const}, {@code shared}, {@code local} or {@code param}
 * @param align of the address, in bytes
 * @param bytes size; 0 for an extern array, whose size the launch gives
 * @param initial the first bytes, or null; the rest is zero
 */
record PtxVariable(
    String space, String name, PtxType type, int align, int bytes, byte[] initial, int line) {
  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }
}
