package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;

/**
 * A view of a tensor [tokens, heads, headDim] in host or device memory ("NHD"). The elements of one
 * head are contiguous; tokens and heads may be strided, so that q, k and v can be slices of one
 * fused projection.
 *
 * @param segment host memory, or null for a device tensor
 * @param devicePointer device address, or 0 for a host tensor
 * @param dtype element type
 * @param tokens rows
 * @param heads heads of a row
 * @param headDim elements of a head
 * @param tokenStride elements from one token to the next
 * @param headStride elements from one head to the next
 */
public record TensorView(
    MemorySegment segment,
    long devicePointer,
    DType dtype,
    int tokens,
    int heads,
    int headDim,
    long tokenStride,
    long headStride) {

  /**
   * Checks that the strides describe disjoint heads and tokens and that host memory is large
   * enough.
   */
  public TensorView {
    require(tokens >= 0, "tokens=%d, expected 0 or more", tokens);
    require(heads > 0, "heads=%d, expected 1 or more", heads);
    require(headDim > 0, "headDim=%d, expected 1 or more", headDim);
    require(
        headStride >= headDim || heads == 1,
        "headStride=%d, expected at least headDim=%d",
        headStride,
        headDim);
    long limit = Long.MAX_VALUE / 8 / Math.max(heads, Math.max(tokens, 1));
    require(
        Math.abs(headStride) <= limit && Math.abs(tokenStride) <= limit,
        "tokenStride=%d, headStride=%d, expected a tensor of fewer than 2^60 bytes",
        tokenStride,
        headStride);
    long rowExtent = (heads - 1) * headStride + headDim;
    require(
        tokenStride >= rowExtent || tokens <= 1,
        "tokenStride=%d, expected at least the extent of a row, %d",
        tokenStride,
        rowExtent);
    require(
        (segment == null) != (devicePointer == 0),
        "devicePointer=%d with segment=%s, expected exactly one of them",
        devicePointer,
        segment);
    if (segment != null && tokens > 0) {
      long needed = ((tokens - 1) * tokenStride + rowExtent) * dtype.byteSize();
      require(
          segment.byteSize() >= needed,
          "segment has %d bytes, expected at least %d for [%d, %d, %d] %s",
          segment.byteSize(),
          needed,
          tokens,
          heads,
          headDim,
          dtype);
    }
  }

  /** A contiguous host tensor. */
  public static TensorView of(
      MemorySegment segment, DType dtype, int tokens, int heads, int headDim) {
    return new TensorView(
        segment, 0, dtype, tokens, heads, headDim, (long) heads * headDim, headDim);
  }

  /** A contiguous F32 host tensor over an array. */
  public static TensorView of(float[] array, int tokens, int heads, int headDim) {
    return of(MemorySegment.ofArray(array), DType.F32, tokens, heads, headDim);
  }

  /** A contiguous device tensor. */
  public static TensorView ofDevice(long pointer, DType dtype, int tokens, int heads, int headDim) {
    return new TensorView(
        null, pointer, dtype, tokens, heads, headDim, (long) heads * headDim, headDim);
  }

  /** Whether the elements live in device memory. */
  public boolean isDevice() {
    return segment == null;
  }

  /** Byte offset of the first element of a head of a token. */
  public long byteOffset(int token, int head) {
    return (token * tokenStride + head * headStride) * dtype.byteSize();
  }
}
