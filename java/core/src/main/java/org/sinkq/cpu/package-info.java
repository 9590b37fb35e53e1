/**
 * The CPU engine: pages and rows outside the heap, attention on the Vector API or in plain Java
 * with the same bits.
 *
 * <pre>
 *   CpuEngine ── CpuLayer per layer ── pages      [head][page] of CpuLayout.pageLength bytes
 *                                   └─ DenseRows  [sequence slot][head]: ring blocks | sink blocks
 *
 *   page, 2 bits, D = 128, G = 128                 dense block of 32 tokens, fp16, D = 128
 *   0     K scale   [128] fp16                     0      K  [128][32 tokens]
 *   256   K min     [128] fp16                     8192   V  [4][32 tokens][32 channels]
 *   512   K codes   [4 lane blocks][16] x 64 B     16384
 *   4608  V scale   [1][128] fp16
 *   4864  V min     [1][128] fp16
 *   5120  V codes   [4 lane blocks][16] x 64 B
 *   9216
 * </pre>
 *
 * The adaptive codec has codes first and its parameters after them, see {@code CpuLayout}.
 *
 * <p>One decode step of one layer:
 *
 * <pre>
 *   append   Appender      one task per (sequence, head): check, round, ring slot, score
 *   attend   Attention     items of (sequence, head, query rows, 2,048 tokens of pages)
 *              AttentionTile  per page: q * K scale ─► codes ─► softmax ─► p * V scale ─► codes
 *                             the last item of a tile also takes sink and ring blocks, and whoever
 *                             completes the softmax gives the window its masses, if they count
 *            merge         partial (max, sum, out) of a tile's items, in order
 *   flush    Flusher       full windows only: select, mask, Quantizer or AdaptiveQuantizer packs the page
 * </pre>
 *
 * A step longer than the ring works in blocks of its own ({@code StagedRows}) and moves the tail
 * into the ring on commit; everything else writes only to slots that no committed token uses, so a
 * rollback has nothing to undo here.
 */
package org.sinkq.cpu;
