package org.sinkq;

/** Element type of a tensor that the host hands over or receives. */
public enum DType {
  /** IEEE 754 binary32. */
  F32(Float.BYTES),
  /** IEEE 754 binary16. */
  F16(Short.BYTES),
  /** bfloat16: the upper half of a binary32. */
  BF16(Short.BYTES);

  private final int byteSize;

  DType(int byteSize) {
    this.byteSize = byteSize;
  }

  /** Size of one element in bytes. */
  public int byteSize() {
    return byteSize;
  }
}
