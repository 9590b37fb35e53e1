package org.sinkq.llm.model;

/**
 * Addresses of what a forward pass on a device keeps of its rows.
 *
 * @param rows room for so many
 * @param x [rows, width] the residual stream
 * @param normed [rows, width] fp16
 * @param qkv [rows, query heads + 2 KV heads, headDim] fp16
 * @param attended [rows, query heads, headDim] fp16
 * @param gateUp [rows, 2, feedForward] fp16
 * @param gated [rows, feedForward] fp16
 */
record Activations(
    int rows, long x, long normed, long qkv, long attended, long gateUp, long gated) {
  /** No room for any row. */
  static final Activations NONE = new Activations(0, 0, 0, 0, 0, 0, 0);

  /** Room for so many rows; what it holds is undefined. */
  static Activations allocate(DeviceMemory memory, ModelConfig config, int rows) {
    long n = rows;
    int dim = config.shape().headDim();
    int heads = config.shape().numQoHeads();
    int allHeads = heads + 2 * config.shape().numKvHeads();
    return new Activations(
        rows,
        memory.allocate(n * config.width() * Float.BYTES),
        memory.allocate(n * config.width() * Short.BYTES),
        memory.allocate(n * allHeads * dim * Short.BYTES),
        memory.allocate(n * heads * dim * Short.BYTES),
        memory.allocate(n * 2 * config.feedForward() * Short.BYTES),
        memory.allocate(n * config.feedForward() * Short.BYTES));
  }

  /** Of all its parts. */
  long[] addresses() {
    return new long[] {x, normed, qkv, attended, gateUp, gated};
  }

  /** Frees all of it; nothing that uses it may be under way. */
  void free(DeviceMemory memory) {
    for (long address : addresses()) {
      memory.free(address);
    }
  }
}
