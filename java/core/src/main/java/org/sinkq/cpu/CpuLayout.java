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
 * adaptive page              K codes | V codes | K min | V mean | K scale | K digits | V scale     in whole blocks of 64 bytes
 *   codes                    as above; the rows of K are the digits of its channels, highest first
 *   K min, V mean            [D], [Dp] fp16
 *   K scale, V scale         [D], [groups][G] bytes, see {@link Scale8}
 *   K digits                 [D / 4] bytes; channel d in bits 2 (d % 4) and the next
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

  /** Rows of the keys' codes: channels, or under the adaptive codec digits. */
  final int keyRows;

  final int keyScaleOffset;
  final int keyMinOffset;
  final int keyDigitsOffset;
  final int keyCodesOffset;
  final int valueScaleOffset;
  final int valueMinOffset;
  final int valueMeanOffset;
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
    keyRows = isAdaptive() ? geometry.adaptiveKeyDigits() : headDim;
    int keyCodes = pageTokens * keyRows * codec.bits() / Byte.SIZE;
    int valueCodes = pageTokens * headLanes * codec.bits() / Byte.SIZE;
    int scales = valueGroups * pageTokens;
    if (isAdaptive()) {
      keyCodesOffset = 0;
      valueCodesOffset = keyCodes;
      keyMinOffset = valueCodesOffset + valueCodes;
      valueMeanOffset = keyMinOffset + headDim * Short.BYTES;
      keyScaleOffset = valueMeanOffset + headLanes * Short.BYTES;
      keyDigitsOffset = keyScaleOffset + headDim;
      valueScaleOffset = keyDigitsOffset + headDim / 4;
      valueMinOffset = -1;
      pageLength = CacheGeometry.roundUp(valueScaleOffset + scales, CODE_BLOCK_LENGTH);
      return;
    }
    keyScaleOffset = 0;
    keyMinOffset = headDim * Short.BYTES;
    keyCodesOffset = keyMinOffset + headDim * Short.BYTES;
    valueScaleOffset = keyCodesOffset + keyCodes;
    valueMinOffset = valueScaleOffset + scales * Short.BYTES;
    valueCodesOffset = valueMinOffset + scales * Short.BYTES;
    keyDigitsOffset = -1;
    valueMeanOffset = -1;
    pageLength =
        codec.isQuantized() ? valueCodesOffset + valueCodes : pageTokens / BLOCK * denseBlockLength;
  }

  /** Whether keys have digits and values are rotated. */
  boolean isAdaptive() {
    return codec == KvCodec.INT2_ADAPTIVE;
  }

  /** Byte offset within a dense block of a token's value. */
  int denseValueOffset(int token, int channel) {
    int row = channel / BLOCK * BLOCK + token;
    return denseValueOffset + (row * BLOCK + channel % BLOCK) * elementLength;
  }

  /** Byte offset within a page of the code in a row of the keys. */
  int keyCodeOffset(int token, int row) {
    return keyCodesOffset + codeOffset(row, token, keyRows);
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
