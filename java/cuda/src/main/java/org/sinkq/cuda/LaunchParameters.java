package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.sinkq.DType;

/**
 * The struct that every kernel takes, {@code Params} in {@code cuda-kernels/include/params.cuh}.
 * Bytes from the start:
 *
 * <pre>
 *     0  plan, pages, rows, rows stride, head stride, staging, staging scores, kept, kept scores,
 *        sinks, sinks stride, picks, partials, counters, error        (15 longs)
 *   120  q, k, v, out: address, token stride, head stride, type       (16 longs)
 *   248  sequence table, item table, page list, layer, KV heads, group, page tokens, ring tokens,
 *        sink slots, pool, spill, tracked head, tracked heads, sliding window, bits, prompt table
 *                                                                   (16 ints)
 *   312  softmax scale, soft cap, both for base 2                     (2 floats)
 *   320  extents                                                      (1 long)
 *   328  whether scores are masses                                    (1 int and a gap)
 *   336  logits of the window, where attention gives masses itself    (1 long)
 * </pre>
 */
final class LaunchParameters {
  static final int LENGTH = 344;
  static final int FLOATS_OFFSET = 312;
  static final int MASSES_OFFSET = 328;

  /** Pointers and strides, with their byte offsets. */
  enum Long8 {
    PLAN(0),
    PAGES(8),
    ROWS(16),
    ROWS_STRIDE(24),
    HEAD_STRIDE(32),
    STAGING(40),
    STAGING_SCORES(48),
    KEPT(56),
    KEPT_SCORES(64),
    SINKS(72),
    SINKS_STRIDE(80),
    PICKS(88),
    PARTIALS(96),
    COUNTERS(104),
    ERROR(112),
    EXTENTS(320),
    WINDOW_LOGITS(336);

    private final int offset;

    Long8(int offset) {
      this.offset = offset;
    }
  }

  /** Counts, with their byte offsets. */
  enum Int4 {
    SEQUENCE_TABLE(248),
    ITEM_TABLE(252),
    PAGE_LIST(256),
    LAYER(260),
    KV_HEADS(264),
    GROUP(268),
    PAGE_TOKENS(272),
    RING_TOKENS(276),
    SINK_SLOTS(280),
    POOL_TOKENS(284),
    SPILL_TOKENS(288),
    TRACKED_HEAD(292),
    TRACKED_HEADS(296),
    SLIDING_WINDOW(300),
    BITS(304),
    PROMPT_TABLE(308),
    MASSES(MASSES_OFFSET);

    private final int offset;

    Int4(int offset) {
      this.offset = offset;
    }
  }

  /** The caller's tensors, with their byte offsets. */
  enum Operand {
    Q(120),
    K(152),
    V(184),
    OUT(216);

    private final int offset;

    Operand(int offset) {
      this.offset = offset;
    }
  }

  private final MemorySegment segment;

  LaunchParameters(Arena arena) {
    segment = arena.allocate(LENGTH, Long.BYTES);
  }

  MemorySegment segment() {
    return segment;
  }

  LaunchParameters set(Long8 field, long value) {
    segment.set(JAVA_LONG, field.offset, value);
    return this;
  }

  long get(Long8 field) {
    return segment.get(JAVA_LONG, field.offset);
  }

  LaunchParameters set(Int4 field, int value) {
    segment.set(JAVA_INT, field.offset, value);
    return this;
  }

  LaunchParameters set(
      Operand operand, long address, long tokenStride, long headStride, DType dtype) {
    long at = operand.offset;
    segment.set(JAVA_LONG, at, address);
    segment.set(JAVA_LONG, at + Long.BYTES, tokenStride);
    segment.set(JAVA_LONG, at + 2 * Long.BYTES, headStride);
    segment.set(
        JAVA_LONG,
        at + 3 * Long.BYTES,
        switch (dtype) {
          case F32 -> 0;
          case F16 -> 1;
          case BF16 -> 2;
        });
    return this;
  }

  /**
   * Where attention leaves what masses come from: logits of the window if it gives the masses
   * itself, else extents of its columns for {@code mass}; 0 where nobody needs them.
   */
  LaunchParameters setMasses(boolean given, long extents, long windowLogits) {
    return set(Long8.EXTENTS, given ? 0 : extents)
        .set(Long8.WINDOW_LOGITS, given ? windowLogits : 0);
  }

  LaunchParameters setSoftmax(float scale, float softCap) {
    float log2e = (float) (1 / Math.log(2));
    segment.set(JAVA_FLOAT, FLOATS_OFFSET, scale * log2e);
    segment.set(JAVA_FLOAT, FLOATS_OFFSET + Float.BYTES, softCap * log2e);
    return this;
  }
}
