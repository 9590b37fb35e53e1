// Byte map of a page of the codec INT2_ADAPTIVE, whose every operation its Javadoc defines; CudaLayout derives
// the same numbers. Pages have 128 tokens.
//
// page       K codes | rows of K | K minima | mask | V codes | V scales | V means     each half in whole blocks of 64 bytes
//   codes    as in layout.cuh, 2 bits. K: a row is a digit of a channel, highest first; there are D * 9 / 8, a multiple
//            of 8. Row tiles pair up as channel tiles do there, position = token tile % 4:
//              a pair of tiles          two word sets of 512 bytes, token tiles 0 to 3 and 4 to 7; registers 0 and 1 are the
//                                       first tile's rows of tokens g and g + 8, 2 and 3 the second one's
//              a tile left over         one word set: registers 0 and 1 are those of token tiles 0 to 3, 2 and 3 of 4 to 7
//              half a tile left over    256 bytes, 8 for each lane: registers 0 and 1, whose lower two bytes are rows 2t and
//                                       2t+1 of token tiles 0 to 3, the upper two of 4 to 7
//            V: tile (group * 4 + token tile / 2) * channel tiles of a group + channel tile of the group
//   rows     32 bytes for 16 rows, 8 for each t: channels of rows 2t, 2t+1, 2t+8, 2t+9 | what a step of the digit is
//            worth, the channel's scale times 1, 4 or 16: scales of 8 bits, the upper ones of fp16
//   minima   32 bytes for 16 channels, 8 for each t: of channels 2t, 2t+1, 2t+8, 2t+9, as fp16
//   mask     16 bytes: bit t is set where token t lives elsewhere
//   scales   128 bytes for a channel group, 16 for each g: of the tokens g, g + 8, g + 16, ...
//   means    32 bytes for 16 channels, 4 for each g: of channels g, g+8, as fp16
//
// A channel of keys without digits has no row, and its minimum is its mean.
#pragma once
#include "layout.cuh"
#include "units.cuh"

namespace sinkq {

// In place of the bits of a code where a template asks for them.
constexpr int ADAPTIVE = 1;

// All offsets are from the beginning of a half.
template <int D>
struct AdaptiveShape {
  static constexpr int TOKENS = 128;
  static constexpr int TOKEN_TILES = TOKENS / TILE;
  static constexpr int GROUPS = value_groups(D);
  static constexpr int GROUP = D / GROUPS;
  static constexpr int GROUP_TILES = GROUP / TILE;
  static constexpr int ROTATED = GROUP & -GROUP;  // channels that are rotated together
  static constexpr int ROWS = D * 9 / 8 / 8 * 8;
  static constexpr int ROW_TILES = ceil_div(ROWS, TILE);
  static constexpr int ROW_PAIRS = ROWS / (2 * TILE);
  static constexpr bool TILE_LEFT = ROWS / TILE % 2 == 1;
  static constexpr bool HALF_LEFT = ROWS % TILE != 0;
  static constexpr int ROW_BYTES = TOKENS / 4;

  static constexpr int LEFT_AT = ROW_PAIRS * 2 * TILE_BYTES;  // codes of rows without a partner
  static constexpr int HALF_AT = LEFT_AT + TILE_LEFT * TILE_BYTES;
  static constexpr int KEY_ROWS_AT = ROWS * ROW_BYTES;
  static constexpr int KEY_MINIMA_AT = KEY_ROWS_AT + ROW_TILES * 32;
  static constexpr int MASK_AT = KEY_MINIMA_AT + D * 2;
  static constexpr int KEY_HALF = ceil_div(MASK_AT + TOKENS / 8, 64) * 64;
  static constexpr int VALUE_SCALES_AT = D * ROW_BYTES;
  static constexpr int VALUE_MEANS_AT = VALUE_SCALES_AT + GROUPS * TOKENS;
  static constexpr int VALUE_HALF = ceil_div(VALUE_MEANS_AT + D * 2, 64) * 64;
  static constexpr int PAGE_BYTES = KEY_HALF + VALUE_HALF;
  static constexpr float NORM = static_cast<float>(1 / square_root(ROTATED));

  // The byte that holds a token's digit of a row; its bit there is digit_shift.
  static __device__ __forceinline__ int digit_at(int token, int row) {
    int tile = row / TILE;
    int half = token / (TOKENS / 2);
    if (row / (2 * TILE) < ROW_PAIRS) {
      return (tile / 2 * 2 + half) * TILE_BYTES + key_byte_offset(tile % 2, token % TILE, row % TILE);
    }
    if (TILE_LEFT && tile == 2 * ROW_PAIRS) return LEFT_AT + key_byte_offset(half, token % TILE, row % TILE);
    return HALF_AT + ((token & 7) * 4 + (row & 7) / 2) * 8 + (token >> 3 & 1) * 4 + half * 2 + (row & 1);
  }

  static __device__ __forceinline__ int digit_shift(int token) { return token / TILE % 4 * 2; }

  // Byte offset of a token's scale.
  static __device__ __forceinline__ int value_scale_at(int group, int token) {
    return VALUE_SCALES_AT + group * TOKENS + token % 8 * 16 + token / 8;
  }

  static __device__ __forceinline__ CodeTile code_tile_of_value(int group, int token_tile, int tile_of_group) {
    return CodeTile::of_value(2, GROUP_TILES, group * TOKEN_TILES + token_tile, tile_of_group);
  }
};

template <int D, int G>
struct PageShape<ADAPTIVE, D, G> {
  using A = AdaptiveShape<D>;
  static_assert(G == A::TOKENS, "pages of 128 tokens");
  static constexpr bool QUANTIZED = true;
  static constexpr int VALUE_BITS = 2;
  static constexpr int KEY_ROWS = A::ROWS;
  static constexpr int CHANNEL_TILES = D / TILE;
  static constexpr int TOKEN_TILES = A::TOKEN_TILES;
  static constexpr int DENSE_HALF = dense_half(D);
  static constexpr int DENSE_BLOCK = 2 * DENSE_HALF;
  static constexpr int KEY_HALF = A::KEY_HALF;
  static constexpr int VALUE_HALF = A::VALUE_HALF;
  // In whole rows of the banks.
  static constexpr int KEY_BUFFER = ceil_div(KEY_HALF > DENSE_HALF ? KEY_HALF : DENSE_HALF, 128) * 128;
  static constexpr int VALUE_BUFFER = ceil_div(VALUE_HALF > DENSE_HALF ? VALUE_HALF : DENSE_HALF, 128) * 128;
  static constexpr int WARP_BUFFER = KEY_BUFFER + VALUE_BUFFER;
  static constexpr int GROUPS = A::GROUPS;
  static constexpr int PAGE_BYTES = A::PAGE_BYTES;
  static constexpr bool BY_CHANNEL = true;

  // A lane looks rows up that are two apart, hence mostly channels that are: of four such rows, or of eight with 4 columns,
  // those of different columns are in different banks as far as there are enough.
  static __host__ __device__ constexpr int step_pitch(bool wide) { return wide ? D + 4 : D + 8; }
};

// Place of one of 16 columns among four neighbours that a lane of number t reads together: 4 t + this.
__device__ __forceinline__ int lane_order(int column) {
  return ((column & 7) >> 1) * 4 + (column >> 3) * 2 + (column & 1);
}

// Bytes 0 and 1 (or 2 and 3) of four 8-bit scales, as a pair of fp16.
__device__ __forceinline__ uint32_t scale_pair(uint32_t scales, int half) {
  return __byte_perm(scales, 0, half == 0 ? 0x4140 : 0x4342) << 7;
}

}  // namespace sinkq
