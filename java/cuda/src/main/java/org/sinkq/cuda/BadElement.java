package org.sinkq.cuda;

/**
 * The first key or value of a layer's step that fp16 cannot hold, as {@code report} in append.cuh
 * codes it.
 *
 * @param sequence of the step
 * @param head KV head
 * @param row of the sequence in the step
 * @param isValue whether it is a value
 * @param channel within the head
 */
record BadElement(int sequence, int head, int row, boolean isValue, int channel) {
  /** The code of no bad element. */
  static final long NONE = -1;

  static BadElement decode(long code) {
    return new BadElement(
        (int) (code >>> 45),
        (int) (code >>> 35 & 0x3FF),
        (int) (code >>> 9 & 0x3FFFFFF),
        (code >>> 8 & 1) != 0,
        (int) (code & 0xFF));
  }

  /** What it is. */
  String name() {
    return isValue ? "value" : "key";
  }
}
