// Byte map of pages and dense rows; java/cuda's CudaLayout derives the same numbers, and a test
// compares them with the constants that src/kernels.cu leaves in the PTX.
//
// Everything is kept in the order of mma.m16n8k16's A fragments, so that a lane reads the four
// registers of a 16 x 16 tile as one uint4. Lane = 4 g + t; register r of the tile holds
//   row    g + 8 (r % 2)
//   column 2 t + 8 (r / 2), and the next one in its upper half.
// A key tile is 16 tokens (rows) x 16 channels (columns), a value tile 16 channels x 16 tokens.
//
// dense block of 16 tokens     K tiles by channel | V tiles by channel: 2 x D / 16 x 512 bytes
// quantized page of G tokens   K codes | K parameters | V codes | V parameters
//   codes       8 / bits pairs of tiles share the registers of a word set of 512 bytes. Pair j takes bits
//               [bits * p, bits * p + bits) of each byte, p = j % (8 / bits), of word set j / (8 / bits), so that a
//               masked register is four bytes of an A operand of mma.m16n8k32.
//               K: j = m * token tiles + token tile of channel tiles 2m and 2m + 1, which have registers 0 and 1, and
//               2 and 3; their bytes are channels 2t, 2t+1, 2t+8 and 2t+9 of tokens g and g + 8. An odd last
//               channel tile pairs token tiles 2i and 2i + 1 instead, j = m * token tiles + i.
//               V: j = m * channel tiles + channel tile of token tiles 2m and 2m + 1, which have the lower and
//               the upper byte of each half.
//   parameters  64 bytes for 16 channels (K) or 16 tokens of a channel group (V), fp16
//               K: 16 bytes for each t: minimum of columns 2t, 2t+1 | their scale | minimum of 2t+8, 2t+9 |
//               their scale; read as a tile, rows 0 to 7 are all minima and rows 8 to 15 all scales
//               V: 8 bytes for each g: minimum and scale of token g | of token g + 8
//               The sign of a value's scale (of group 0) marks a masked token; the sign of the scale
//               of key channel 0 says that the page has any.
#pragma once
#include <cstdint>

namespace sinkq {

constexpr int TILE = 16;             // rows and columns of a tile, tokens of a dense block
constexpr int TILE_BYTES = 512;      // of 32 lanes x 4 registers
constexpr int PARAMETER_BYTES = 64;  // of 16 columns: scales and minima
constexpr int MAX_VALUE_GROUP = 128;

__host__ __device__ constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

// By Newton's method, for constants.
__host__ __device__ constexpr double square_root(double x) {
  double root = x > 1 ? x : 1;
  for (int i = 0; i < 40; i++) root = (root + x / root) / 2;
  return root;
}

// Bytes of the key (or value) half of a dense block.
__host__ __device__ constexpr int dense_half(int head_dim) { return head_dim / TILE * TILE_BYTES; }

__host__ __device__ constexpr int value_groups(int head_dim) { return ceil_div(head_dim, MAX_VALUE_GROUP); }

// Bytes of the codes of keys, or of values.
__host__ __device__ constexpr int code_bytes(int bits, int head_dim, int page_tokens) {
  return ceil_div((head_dim / TILE) * (page_tokens / TILE), 16 / bits) * TILE_BYTES;
}

__host__ __device__ constexpr int key_half(int bits, int head_dim, int page_tokens) {
  return code_bytes(bits, head_dim, page_tokens) + head_dim / TILE * PARAMETER_BYTES;
}

__host__ __device__ constexpr int value_half(int bits, int head_dim, int page_tokens) {
  return code_bytes(bits, head_dim, page_tokens) +
         value_groups(head_dim) * (page_tokens / TILE) * PARAMETER_BYTES;
}

__host__ __device__ constexpr int page_bytes(int bits, int head_dim, int page_tokens) {
  return bits == 16 ? page_tokens / TILE * 2 * dense_half(head_dim)
                    : key_half(bits, head_dim, page_tokens) + value_half(bits, head_dim, page_tokens);
}

// Byte offset within a word set of the byte that a key's code is in.
__device__ __forceinline__ int key_byte_offset(int half, int token, int column) {
  int lane = (token & 7) * 4 + ((column & 7) >> 1);
  return lane * 16 + half * 8 + (token >> 3 & 1) * 4 + (column >> 3) * 2 + (column & 1);
}

// Byte offset within a tile of the half at (row, column).
__device__ __forceinline__ int tile_offset(int row, int column) {
  int lane = (row & 7) * 4 + ((column & 7) >> 1);
  int reg = (row >> 3) + 2 * (column >> 3);
  return lane * 16 + reg * 4 + (column & 1) * 2;
}

// Byte offset within a dense block of a key's or value's channel.
__device__ __forceinline__ int dense_key_offset(int token, int channel) {
  return channel / TILE * TILE_BYTES + tile_offset(token % TILE, channel % TILE);
}

template <int D>
__device__ __forceinline__ int dense_value_offset(int token, int channel) {
  return dense_half(D) + channel / TILE * TILE_BYTES + tile_offset(channel % TILE, token % TILE);
}

// Where the codes of a 16 x 16 tile are.
struct CodeTile {
  int word_set;
  int shift;  // within each byte of a key, or half of a value
  int half;   // of a key's registers

  static __device__ __forceinline__ CodeTile of_pair(int bits, int j) {
    int log = bits == 2 ? 2 : 1;
    return {j >> log, bits * (j & ((1 << log) - 1)), 0};
  }

  static __device__ __forceinline__ CodeTile of_key(int bits, int channel_tiles, int token_tiles, int token_tile,
                                                    int channel_tile) {
    bool paired = (channel_tile | 1) < channel_tiles;
    CodeTile tile = of_pair(bits, channel_tile / 2 * token_tiles + (paired ? token_tile : token_tile / 2));
    tile.half = (paired ? channel_tile : token_tile) % 2;
    return tile;
  }

  static __device__ __forceinline__ CodeTile of_value(int bits, int channel_tiles, int token_tile, int channel_tile) {
    CodeTile tile = of_pair(bits, token_tile / 2 * channel_tiles + channel_tile);
    tile.shift += token_tile % 2 * 8;
    return tile;
  }
};

// Byte offset within a parameter block of the minimum of a key's channel, and from there to its scale.
__device__ __forceinline__ int parameter_offset(int column) {
  return ((column & 7) >> 1) * 16 + (column >> 3) * 8 + (column & 1) * 2;
}
constexpr int SCALE_OFFSET = 4;

// The same of a value's token.
__device__ __forceinline__ int value_parameter_offset(int token) { return (token & 7) * 8 + (token >> 3) * 4; }
constexpr int VALUE_SCALE_OFFSET = 2;

}  // namespace sinkq
