package org.sinkq.cuda;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.KvCodec;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.SinkTable;
import org.sinkq.layout.CacheGeometry;

/**
 * Byte map of one layer in device memory; the same numbers as {@code
 * cuda-kernels/include/layout.cuh}. Sizes are of one KV head.
 *
 * <pre>
 * tile of 16 rows x 16 columns   512 bytes: lane 4 g + t holds 4 registers; register r holds row
 *                                g + 8 (r % 2), columns 2 t + 8 (r / 2) and the next one
 * dense block of 16 tokens       K tiles [token][channel] by channel | V tiles [channel][token] by channel
 * quantized page                 K codes | K parameters | V codes | V parameters
 *   codes                        8 / bits pairs of tiles share the registers of one word set; pair j lies at
 *                                bit bits * (j % (8 / bits)) of each byte in word set j / (8 / bits).
 *                                K: channel tiles 2 m and 2 m + 1 lie in registers 0 and 1, and 2 and 3, their bytes
 *                                are channels 2 t, 2 t + 1, 2 t + 8, 2 t + 9 of tokens g and g + 8;
 *                                j = m * token tiles + token tile. An odd last channel tile pairs token
 *                                tiles 2 i and 2 i + 1 instead, j = m * token tiles + i
 *                                V: token tiles 2 m and 2 m + 1 lie in the lower and upper byte of each half;
 *                                j = m * channel tiles + channel tile
 *   parameters                   64 bytes for 16 channels (K) or 16 tokens of a channel group (V)
 * adaptive page                  see {@link AdaptivePageLayout}
 * dense rows of a sequence       ring blocks | sink blocks | scores of the ring (tracked layers; masses twice)
 * </pre>
 */
final class CudaLayout {
  static final int TILE = 16;
  static final int TILE_BYTES = 512;
  private static final int PARAMETER_BYTES = 64;
  private static final int WARPS = 4;
  private static final int LARGEST_PAGE = 128;

  /** Bytes of a row of shared memory's banks. */
  private static final int BANKS = 128;

  /** Bits of a stored element: 2, 4 or 16. */
  final int bits;

  final int headDim;
  final int pageTokens;
  final int valueGroups;
  final int ringTokens;
  final int sinkSlots;

  /** Whether scores are attention masses. */
  final boolean tracksMass;

  final int denseHalf;
  final int denseBlock;
  final int codeBytes;
  final int keyHalf;
  final int valueHalf;
  final int pageBytes;
  final long headBytes;

  /** The page's own byte map under the adaptive codec, else null. */
  final AdaptivePageLayout adaptive;

  CudaLayout(CacheGeometry geometry, int layer) {
    KvCodec codec = checked(geometry, layer);
    bits = codec.bits();
    headDim = geometry.shape().headDim();
    pageTokens = geometry.pageTokens();
    valueGroups = geometry.valueGroups();
    ringTokens = geometry.ringTokens();
    sinkSlots = geometry.layer(layer).sinks().slots();
    tracksMass = geometry.tracksMass(layer);
    adaptive =
        codec == KvCodec.INT2_ADAPTIVE
            ? new AdaptivePageLayout(headDim, geometry.adaptiveKeyDigits(), valueGroups)
            : null;
    denseHalf = headDim / TILE * TILE_BYTES;
    denseBlock = 2 * denseHalf;
    int tiles = headDim / TILE * (pageTokens / TILE);
    codeBytes = ceilDiv(tiles, 16 / bits) * TILE_BYTES;
    keyHalf = isAdaptive() ? adaptive.keyHalf : codeBytes + headDim / TILE * PARAMETER_BYTES;
    valueHalf =
        isAdaptive()
            ? adaptive.valueHalf
            : codeBytes + valueGroups * (pageTokens / TILE) * PARAMETER_BYTES;
    pageBytes = isQuantized() ? keyHalf + valueHalf : pageTokens / TILE * denseBlock;
    int scores = sinkSlots == 0 ? 0 : tracksMass ? 2 : 1;
    headBytes = scoreOffset() + scores * scoreBytes();
  }

  private static KvCodec checked(CacheGeometry geometry, int layer) {
    KvCodec codec = geometry.layer(layer).codec();
    require(
        codec != KvCodec.FP32,
        "codec of layer %d=%s, expected FP16, INT4, INT2 or INT2_ADAPTIVE for the cuda engine",
        layer,
        codec);
    require(
        codec != KvCodec.INT2_ADAPTIVE || geometry.pageTokens() == AdaptivePageLayout.TOKENS,
        "pageTokens=%d with codec INT2_ADAPTIVE, expected 128 for the cuda engine",
        geometry.pageTokens());
    require(
        geometry.hasUsualValueGroup(),
        "valueGroup=%d, expected 128 (the default) for the cuda engine",
        geometry.valueGroup());
    require(
        geometry.sinks().selection() != SinkPolicy.Selection.FIRST_TOKENS,
        "selection of sinks=%s, expected SMALLEST_KEYS or MOST_ATTENDED for the cuda engine",
        geometry.sinks().selection());
    return codec;
  }

  static int ceilDiv(int a, int b) {
    return (a + b - 1) / b;
  }

  boolean isQuantized() {
    return bits < 16;
  }

  /** Whether keys have digits and values are rotated. */
  boolean isAdaptive() {
    return adaptive != null;
  }

  int sinkBlocks() {
    return ceilDiv(sinkSlots, TILE);
  }

  /** Byte offset of the first sink block within a head's dense rows. */
  long sinkOffset() {
    return (long) ringTokens / TILE * denseBlock;
  }

  /** Byte offset of the ring's scores within a tracked head's dense rows. */
  long scoreOffset() {
    return sinkOffset() + (long) sinkBlocks() * denseBlock;
  }

  /** Bytes of one copy of the ring's scores. */
  long scoreBytes() {
    return (long) ringTokens * Long.BYTES;
  }

  /** Bytes of one copy of a tracked head's sink table. */
  static int sinkHeadBytes(int slots) {
    return SinkTable.imageLength(slots);
  }

  /** Dynamic shared memory of a block of {@code attend}. */
  int attendShared() {
    int keys = isQuantized() ? Math.max(keyHalf, denseHalf) : denseHalf;
    int values = isQuantized() ? Math.max(valueHalf, denseHalf) : denseHalf;
    if (!isQuantized()) {
      return WARPS * (keys + values);
    }
    // The queries of up to 8 columns come after the buffers.
    if (!isAdaptive()) {
      return WARPS * (keys + values) + 8 * (headDim + 16) * Float.BYTES;
    }
    // In whole rows of the banks.
    int buffers = ceilDiv(keys, BANKS) + ceilDiv(values, BANKS);
    return WARPS * BANKS * buffers + 8 * (headDim + 4) * Float.BYTES;
  }

  /** Columns that a block of {@code prefill} takes. */
  static int prefillColumns(int headDim) {
    return headDim <= 128 ? 128 : 64;
  }

  /** Logits of a sequence's window that {@code attend} leaves where it gives masses itself. */
  static long windowLogitBytes(CacheGeometry geometry) {
    boolean needed =
        geometry.tracksMass() && geometry.shape().groupSize() <= CudaKernels.MANY_COLUMNS;
    long floats =
        (long) geometry.shape().numKvHeads() * geometry.ringTokens() * CudaKernels.MANY_COLUMNS;
    return needed ? floats * Float.BYTES : 0;
  }

  /** Window tokens that a block of {@code mass} takes. */
  static int massTokens(int headDim) {
    return headDim <= 128 ? 128 : 64;
  }

  /** Threads of a block of {@code mass}. */
  static int massThreads(int headDim) {
    return headDim <= 128 ? 256 : 128;
  }

  /** Bytes of a partial result of {@code prefill}: sums of values, maxima and sums of weights. */
  static int prefillPartial(int headDim) {
    int columns = prefillColumns(headDim);
    return (columns * headDim + 8 * columns) * Float.BYTES;
  }

  /**
   * Dynamic shared memory of a block of {@code prefill}.
   *
   * @param rests whether queries have second parts, because fp16 cannot hold them
   */
  static int prefillShared(int headDim, boolean rests) {
    int rows = prefillColumns(headDim) * (rests ? 2 : 1) + (headDim <= 128 ? 128 : 64);
    return rows * headDim * Short.BYTES;
  }

  /** Dynamic shared memory of a block of {@code pack}. */
  int packShared() {
    return packShared(pageTokens);
  }

  /** The same for the largest pages, whose entry serves all. */
  int largestPackShared() {
    return packShared(LARGEST_PAGE);
  }

  private int packShared(int tokens) {
    if (isAdaptive()) {
      return adaptive.packShared();
    }
    int elements = headDim * tokens + 8 * Math.max(headDim, tokens);
    int quantizers = Math.max(headDim, valueGroups * tokens);
    return isQuantized() ? 2 * elements + 16 * quantizers + 16 : 0;
  }

  /** Byte offset within a tile of the half at (row, column). */
  static int tileOffset(int row, int column) {
    int lane = (row & 7) * 4 + ((column & 7) >> 1);
    int register = (row >> 3) + 2 * (column >> 3);
    return lane * 16 + register * 4 + (column & 1) * 2;
  }

  /** Byte offset within a dense block of a key's channel. */
  static int denseKeyOffset(int token, int channel) {
    return channel / TILE * TILE_BYTES + tileOffset(token % TILE, channel % TILE);
  }

  /** Byte offset within a dense block of a value's channel. */
  int denseValueOffset(int token, int channel) {
    return denseHalf + channel / TILE * TILE_BYTES + tileOffset(channel % TILE, token % TILE);
  }

  /** Byte offset within a page of the half that holds a key's code. */
  int keyCodeOffset(int token, int channel) {
    int lane = token % 8 * 4 + channel % 8 / 2;
    int half = (isPaired(channel) ? channel : token) / TILE % 2;
    return keyPair(token, channel) / (8 / bits) * TILE_BYTES
        + lane * 16
        + half * 8
        + token % TILE / 8 * 4
        + channel % TILE / 8 * 2;
  }

  /** Bit of that half at which the code begins. */
  int keyCodeShift(int token, int channel) {
    return bits * (keyPair(token, channel) % (8 / bits)) + channel % 2 * Byte.SIZE;
  }

  /** Whether the tile that a channel is in has one to go with. */
  private boolean isPaired(int channel) {
    return channel < headDim / (2 * TILE) * (2 * TILE);
  }

  private int keyPair(int token, int channel) {
    return channel / (2 * TILE) * (pageTokens / TILE)
        + token / (isPaired(channel) ? TILE : 2 * TILE);
  }

  /** Byte offset within a page of the half that holds a value's code. */
  int valueCodeOffset(int token, int channel) {
    return keyHalf
        + valueTile(token, channel) / (8 / bits) * TILE_BYTES
        + tileOffset(channel % TILE, token % TILE);
  }

  /** Bit of that half at which the code begins. */
  int valueCodeShift(int token, int channel) {
    return bits * (valueTile(token, channel) % (8 / bits)) + token / TILE % 2 * Byte.SIZE;
  }

  private int valueTile(int token, int channel) {
    return token / (2 * TILE) * (headDim / TILE) + channel / TILE;
  }

  /** Byte offset within a page of a key channel's scale; the sign bit of channel 0's is a flag. */
  int keyScaleOffset(int channel) {
    int column = channel % TILE;
    return codeBytes
        + channel / TILE * PARAMETER_BYTES
        + ((column & 7) >> 1) * 16
        + (column >> 3) * 8
        + (column & 1) * 2
        + 2 * Short.BYTES;
  }

  /** Byte offset within a page of a value's scale; the sign bit marks a masked token. */
  int valueScaleOffset(int token, int group) {
    int tile = group * (pageTokens / TILE) + token / TILE;
    int column = token % TILE;
    return keyHalf
        + codeBytes
        + tile * PARAMETER_BYTES
        + (column & 7) * 8
        + (column >> 3) * 4
        + Short.BYTES;
  }

  /** Byte offset within a page of a key channel's minimum. */
  int keyMinimumOffset(int channel) {
    return keyScaleOffset(channel) - 2 * Short.BYTES;
  }

  /** Byte offset within a page of a value's minimum. */
  int valueMinimumOffset(int token, int group) {
    return valueScaleOffset(token, group) - Short.BYTES;
  }
}
