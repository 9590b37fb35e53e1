package org.sinkq.cpu;

import org.sinkq.KvCodec;
import org.sinkq.layout.CacheGeometry;

/**
 * Byte map of one layer in the CPU engine. All sizes are of one KV head.
 *
 * <pre>
 * quantized page             K scale | K min | K codes | V scale | V min | V codes     in the order in which attention reads
 *   codes                    [lanes / 32][rows / r] blocks of 64 bytes; K: lanes = tokens, rows = channels; V: the other way round
 *   block, r = 16 / bits     16 little-endian ints; int i: lane i in its low half, lane i + 16 in its high half,
 *                            row j in bits [bits * j, bits * j + bits) of a half
 *   K scale, K min           [D] fp16
 *   V scale, V min           [groups][G] fp16
 * dense page                 [G / 32] blocks
 *   block of 32 tokens       K [D][32 tokens], V [Dp / 32][32 tokens][32 channels]; fp16, or fp32 for codec FP32
 * dense rows of a sequence   ring blocks, then sink blocks, in the block format
 * </pre>
 *
 * <p>Lanes over channels are padded to a multiple of 32 (Dp), which only D = 80 feels. Tokens as
 * lanes of K and channels as lanes of V make scores and output the same loop: {@code out[lane] +=
 * coefficient[row] * x[row][lane]}.
 */
final class CpuLayout {
  static final int BLOCK = CacheGeometry.BLOCK_TOKENS;
  static final int CODE_BLOCK_LENGTH = 64;

  final KvCodec codec;
  final int headDim;
  final int headLanes;
  final int pageTokens;
  final int elementLength;
  final int denseBlockLength;
  final int denseValueOffset;
  final int rowsPerBlock;
  final int keyMinOffset;
  final int keyCodesOffset;
  final int valueScaleOffset;
  final int valueMinOffset;
  final int valueCodesOffset;
  final int pageLength;
  final int valueGroup;
  final int valueGroups;

  CpuLayout(CacheGeometry geometry, int layer) {
    codec = geometry.layer(layer).codec();
    headDim = geometry.shape().headDim();
    headLanes = CacheGeometry.roundUp(headDim, BLOCK);
    pageTokens = geometry.pageTokens();
    valueGroup = geometry.valueGroup();
    valueGroups = geometry.valueGroups();
    elementLength = codec == KvCodec.FP32 ? Float.BYTES : Short.BYTES;
    denseValueOffset = headDim * BLOCK * elementLength;
    denseBlockLength = denseValueOffset + BLOCK * headLanes * elementLength;
    rowsPerBlock = codec.isQuantized() ? 16 / codec.bits() : 1;
    keyMinOffset = headDim * Short.BYTES;
    keyCodesOffset = keyMinOffset + headDim * Short.BYTES;
    valueScaleOffset = keyCodesOffset + pageTokens * headDim * codec.bits() / Byte.SIZE;
    valueMinOffset = valueScaleOffset + valueGroups * pageTokens * Short.BYTES;
    valueCodesOffset = valueMinOffset + valueGroups * pageTokens * Short.BYTES;
    int quantizedLength = valueCodesOffset + pageTokens * headLanes * codec.bits() / Byte.SIZE;
    pageLength = codec.isQuantized() ? quantizedLength : pageTokens / BLOCK * denseBlockLength;
  }

  /** Byte offset within a dense block of a token's value. */
  int denseValueOffset(int token, int channel) {
    int row = channel / BLOCK * BLOCK + token;
    return denseValueOffset + (row * BLOCK + channel % BLOCK) * elementLength;
  }

  /** Byte offset within a page of the code of a key's channel. */
  int keyCodeOffset(int token, int channel) {
    return keyCodesOffset + codeOffset(channel, token, headDim);
  }

  /** Byte offset within a page of the code of a value's channel. */
  int valueCodeOffset(int token, int channel) {
    return valueCodesOffset + codeOffset(token, channel, pageTokens);
  }

  /** Byte offset of the int that holds a code. */
  private int codeOffset(int row, int lane, int rows) {
    int block = lane / BLOCK * (rows / rowsPerBlock) + row / rowsPerBlock;
    return block * CODE_BLOCK_LENGTH + lane % 16 * Integer.BYTES;
  }

  /** Bit of that int at which the code begins. */
  int codeShift(int row, int lane) {
    return (lane % BLOCK) / 16 * 16 + row % rowsPerBlock * codec.bits();
  }
}
