package org.sinkq.cuda;

import static org.sinkq.cuda.CudaLayout.TILE;
import static org.sinkq.cuda.CudaLayout.TILE_BYTES;
import static org.sinkq.cuda.CudaLayout.ceilDiv;

/**
 * Byte map of a page of {@link org.sinkq.KvCodec#INT2_ADAPTIVE} in device memory, of one KV head;
 * the same numbers as {@code cuda-kernels/include/adaptive.cuh}. Pages have 128 tokens.
 *
 * <pre>
 * page       K codes | rows of K | K minima | mask | V codes | V scales | V means     each half in whole blocks of 64 bytes
 *   codes    8 tiles of 2 bits share the registers of a word set
 *            K: rows are digits of channels; position = token tile % 4, bytes of a register are rows 2t, 2t+1,
 *            2t+8, 2t+9. Two tiles of 16 rows are two sets, of token tiles 0 to 3 and 4 to 7: registers 0 and 1
 *            are the first tile, 2 and 3 the second one. A tile left over is one set: registers 0 and 1 are
 *            token tiles 0 to 3, 2 and 3 are 4 to 7. Half a tile left over is two registers of each lane,
 *            whose bytes 0 and 1 are rows 2t and 2t+1 of token tiles 0 to 3, 2 and 3 of 4 to 7
 *            V: tile (group * 4 + token tile / 2) * channel tiles of a group + channel tile of the group
 *   rows     32 bytes for 16 rows, 8 for each t: channels of four rows | their scales times 1, 4 or 16, 8 bits
 *   minima   [D] fp16, 8 bytes for each t of a tile
 *   mask     a bit for each token that lives elsewhere
 *   scales   [groups][128] bytes, 16 for each g: of tokens g, g + 8, g + 16, ...
 *   means    [D] fp16, 4 bytes for each g of a tile: channels g and g + 8
 * </pre>
 */
final class AdaptivePageLayout {
  static final int TOKENS = 128;
  private static final int BITS = 2;
  private static final int TOKEN_TILES = TOKENS / TILE;
  private static final int POSITIONS = Byte.SIZE / BITS;
  private static final int ROW_BYTES = TOKENS * BITS / Byte.SIZE;
  private static final int TILE_ROWS_BYTES = 32;
  private static final int BLOCK_BYTES = 64;
  private static final int ROWS_OF_4_LANES = 4;
  private static final int GRIDS = 4;

  /** Rows of the keys' codes. */
  final int rows;

  final int valueGroup;
  final int keyHalf;
  final int valueHalf;
  private final int headDim;
  private final int keyRowsAt;
  private final int keyMinimaAt;
  private final int maskAt;
  private final int valueScalesAt;
  private final int valueMeansAt;

  AdaptivePageLayout(int headDim, int rows, int valueGroups) {
    this.rows = rows;
    this.headDim = headDim;
    valueGroup = headDim / valueGroups;
    keyRowsAt = rows * ROW_BYTES;
    keyMinimaAt = keyRowsAt + ceilDiv(rows, TILE) * TILE_ROWS_BYTES;
    maskAt = keyMinimaAt + headDim * Short.BYTES;
    keyHalf = ceilDiv(maskAt + TOKENS / Byte.SIZE, BLOCK_BYTES) * BLOCK_BYTES;
    valueScalesAt = keyHalf + headDim * ROW_BYTES;
    valueMeansAt = valueScalesAt + valueGroups * TOKENS;
    valueHalf = ceilDiv(valueMeansAt - keyHalf + headDim * Short.BYTES, BLOCK_BYTES) * BLOCK_BYTES;
  }

  /**
   * Dynamic shared memory of a block of {@code pack}: keys as fp16 with their grids, or a group of
   * values as floats with the errors of theirs.
   */
  int packShared() {
    int keys =
        TOKENS * (headDim + 2) * Short.BYTES
            + headDim * ((GRIDS - 1) * Long.BYTES + GRIDS * Long.BYTES + Long.BYTES)
            + ceilDiv(rows, TILE) * TILE * Short.BYTES;
    int values = (TOKENS * (valueGroup + 2 + 2 * GRIDS) + valueGroup) * Float.BYTES;
    return Math.max(keys, values) + TOKENS / Byte.SIZE;
  }

  /** Place of one of 16 columns among those of four lanes, each of which has four neighbours. */
  private static int laneOrder(int column) {
    return ((column & 7) >> 1) * 4 + (column >> 3) * 2 + (column & 1);
  }

  /** Byte offset of the channel of a row of the keys. */
  int rowChannelOffset(int row) {
    int order = laneOrder(row % TILE);
    return keyRowsAt
        + row / TILE * TILE_ROWS_BYTES
        + order / ROWS_OF_4_LANES * 2 * ROWS_OF_4_LANES
        + order % ROWS_OF_4_LANES;
  }

  /** Byte offset of what a step of a row's digit is worth, as 8 bits. */
  int rowScaleOffset(int row) {
    return rowChannelOffset(row) + ROWS_OF_4_LANES;
  }

  /** Byte offset of a key channel's minimum. */
  int keyMinimumOffset(int channel) {
    return keyMinimaAt + (channel / TILE * TILE + laneOrder(channel % TILE)) * Short.BYTES;
  }

  /** Byte offset of the eight tokens' mask that a token is in, at bit token % 8. */
  int maskOffset(int token) {
    return maskAt + token / Byte.SIZE;
  }

  /** Byte offset of the half that holds a digit of a key, at {@link #digitShift}. */
  int digitOffset(int token, int row) {
    int tile = row / TILE;
    int half = token / (TOKENS / 2);
    int lane = (token & 7) * 4 + ((row & 7) >> 1);
    int lower = token >> 3 & 1;
    boolean paired = tile < rows / (2 * TILE) * 2;
    boolean whole = paired || tile < rows / TILE;
    if (!whole) {
      return tile * TILE_BYTES + lane * 8 + lower * 4 + half * 2;
    }
    int set = paired ? tile / 2 * 2 + half : tile;
    int first = paired ? tile % 2 : half;
    return set * TILE_BYTES + lane * 16 + first * 8 + lower * 4 + (row >> 3 & 1) * 2;
  }

  /** Bit of that half at which the digit begins. */
  static int digitShift(int token, int row) {
    return BITS * (token / TILE % POSITIONS) + row % 2 * Byte.SIZE;
  }

  private int valueTile(int token, int channel) {
    return (channel / valueGroup * TOKEN_TILES + token / TILE) / 2 * (valueGroup / TILE)
        + channel % valueGroup / TILE;
  }

  /** Byte offset of the half that holds a value's code. */
  int valueCodeOffset(int token, int channel) {
    return keyHalf
        + valueTile(token, channel) / POSITIONS * TILE_BYTES
        + CudaLayout.tileOffset(channel % TILE, token % TILE);
  }

  /** Bit of that half at which the code begins. */
  int valueCodeShift(int token, int channel) {
    return BITS * (valueTile(token, channel) % POSITIONS) + token / TILE % 2 * Byte.SIZE;
  }

  /** Byte offset of a value's scale, 8 bits. */
  int valueScaleOffset(int token, int group) {
    return valueScalesAt + group * TOKENS + token % 8 * (TOKENS / 8) + token / 8;
  }

  /** Byte offset of the mean of a rotated channel of the values. */
  int valueMeanOffset(int channel) {
    int lane = channel / TILE * 8 + channel % 8;
    return valueMeansAt + (lane * 2 + channel % TILE / 8) * Short.BYTES;
  }

  /** What the 8 bits of a scale mean: the upper bits of an fp16 number. */
  static float scale(byte bits) {
    return Float.float16ToFloat((short) ((bits & 0xFF) << 7));
  }
}
