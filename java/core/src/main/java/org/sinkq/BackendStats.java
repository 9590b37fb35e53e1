package org.sinkq;

/**
 * A snapshot of a backend's use. Pages and sinks of open plans are counted as the plans have left
 * them so far, tokens as committed.
 *
 * @param sequences open sequences
 * @param maxSequences sequences that can be open at a time
 * @param pages pages in use; a page holds one group of tokens for all layers and heads
 * @param maxPages pages in all
 * @param tokens committed tokens of all sequences
 * @param allocatedBytes everything the backend holds for its lifetime: pages, rows, index tables;
 *     what an engine's threads and a step in progress work in comes on top
 * @param usedBytes the part of it that open sequences occupy
 * @param fp16Bytes what an fp16 cache would take for the same tokens
 * @param sinkTokens tokens in pools, summed over sequences, layers and heads
 * @param spillTokens tokens in spill areas, summed likewise
 * @param frozenHeads pools that are frozen because their spill area is full
 */
public record BackendStats(
    int sequences,
    int maxSequences,
    int pages,
    int maxPages,
    long tokens,
    long allocatedBytes,
    long usedBytes,
    long fp16Bytes,
    long sinkTokens,
    long spillTokens,
    int frozenHeads) {

  /** fp16 bytes over used bytes: how many times smaller the cache is. 0 for an empty cache. */
  public double compression() {
    return usedBytes == 0 ? 0 : (double) fp16Bytes / usedBytes;
  }
}
