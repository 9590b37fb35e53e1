// The tiles of tokens of prefill: where they lie in pages, sinks and window, and how they come into shared
// memory. Pages are expanded to the order of dense rows, keys as two fp16 parts, so that logits lose nothing
// by it; values as one.
#pragma once
#include "elements.cuh"
#include "layout.cuh"
#include "params.cuh"
#include "ptx.cuh"
#include "sinks.cuh"
#include "units.cuh"

namespace sinkq {

template <int D>
struct PrefillShape {
  static constexpr int C = D / TILE;
  static constexpr int ROW_TILES = D <= 128 ? 2 : 1;  // 16 columns each, of a warp
  static constexpr int WARP_COLUMNS = ROW_TILES * TILE;
  static constexpr int COLUMNS = WARPS * WARP_COLUMNS;
  static constexpr int TOKENS = D <= 128 ? 64 : 32;  // of a tile
  static constexpr int BLOCKS = TOKENS / TILE;
  static constexpr int QUERY_BYTES = COLUMNS * D * 2;
  static constexpr int TILE_HALF = TOKENS * D * 2;  // keys or values of a tile
  static constexpr int DENSE_BLOCK = 2 * dense_half(D);
  static constexpr int THREADS = WARPS * 32;
  // Floats of a partial result: of a thread's columns two maxima and sums a row tile, and the weighted sums.
  static constexpr int PARTIAL = COLUMNS * D + 4 * ROW_TILES * THREADS;
};

template <int D>
struct Tiles {
  using S = PrefillShape<D>;
  static constexpr int C = S::C;

  const Params& p;
  const Sequence& seq;
  const Item& item;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  uint8_t* keys;
  uint8_t* values;
  int* positions;  // of the tile's tokens; FREE: none
  Window win;
  int first_row;        // of the item's columns
  int first_head;       // of the group
  int flushed;          // position of the first window token
  int page_blocks;      // blocks of 16 tokens in pages
  int last_block;       // of the window
  int sink_tile;        // first tile of sinks
  int window_tile;      // first tile of the window
  int first_tile;       // of the item
  int end_tile;
  int page_from;        // first tile of pages that any column sees
  int window_from;      // first tile of the window that any column sees
  int whole_from;       // tiles whose tokens every column sees all
  int whole_end;
  int warp_end;         // end of the tiles that this warp's columns see; 0: it has no columns

  __device__ Tiles(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared, int* positions)
      : p(p), seq(seq), item(item), keys(shared), values(shared + S::TILE_HALF), positions(positions) {
    win = window<S::DENSE_BLOCK>(p, seq, item.head);
    flushed = seq.flushed;
    page_blocks = flushed / TILE;
    last_block = (seq.length + seq.rows - 1 - flushed) / TILE;
    sink_tile = ceil_div(flushed, S::TOKENS);
    window_tile = sink_tile + (flushed == 0 ? 0 : ceil_div(p.sink_slots, S::TOKENS));
    first_row = item.first_column / p.group;
    first_head = item.first_column - first_row * p.group;
    int lowest_position = position(0);
    int highest_position = position(item.columns - 1);
    int tiles = window_tiles(highest_position);
    first_tile = static_cast<int>(int64_t{tiles} * item.split / item.splits);
    end_tile = static_cast<int>(int64_t{tiles} * (item.split + 1) / item.splits);
    page_from = min(lowest(lowest_position) / S::TOKENS, sink_tile);
    window_from = window_tile + max(lowest(lowest_position) - flushed, 0) / S::TOKENS;
    whole_from = window_tile + ceil_div(max(lowest(highest_position) - flushed, 0), S::TOKENS);
    whole_end = window_tile + (lowest_position + 1 - flushed) / S::TOKENS;
    int first = warp * S::WARP_COLUMNS;
    int last = min(first + S::WARP_COLUMNS, item.columns) - 1;
    warp_end = first < item.columns ? window_tiles(position(last)) : 0;
  }

  // Position of a column's row.
  __device__ __forceinline__ int position(int column) const {
    return seq.length + first_row + row_of(p, first_head + column);
  }

  // Where a column begins in the caller's queries or results.
  __device__ __forceinline__ int64_t offset(const Tensor& x, int column) const {
    int row = row_of(p, first_head + column);
    int head = first_head + column - row * p.group;
    return (seq.first_row + first_row + row) * x.token_stride + (item.head * p.group + head) * x.head_stride;
  }

  // End of the tiles that are seen at a position.
  __device__ __forceinline__ int window_tiles(int position) const {
    return window_tile + ceil_div(position + 1 - flushed, S::TOKENS);
  }

  __device__ __forceinline__ int lowest(int position) const {
    return p.sliding_window == 0 ? 0 : max(0, position - p.sliding_window + 1);
  }

  // The first tile from this one on that any column sees.
  __device__ __forceinline__ int next(int tile) const {
    if (tile < sink_tile) tile = max(tile, page_from);
    return tile < window_tile ? tile : max(tile, window_from);
  }

  __device__ __forceinline__ bool is_page(int tile) const { return p.bits < 16 && tile < sink_tile; }

  // Record of the page that a block of 16 positions is in, and its place there.
  __device__ __forceinline__ const uint8_t* record(int block, int& in_page) const {
    int blocks = p.page_tokens / TILE;
    in_page = block % blocks;
    int page = p.plan[seq.page_table + block / blocks];
    return p.pages + (int64_t{page} * p.kv_heads + item.head) * page_bytes(p.bits, D, p.page_tokens);
  }

  // Block i of a tile of dense rows; beyond the last one, the last one again, because rows have to be finite.
  __device__ __forceinline__ const uint8_t* dense_block(int tile, int i) const {
    if (tile >= window_tile) {
      int block = min((tile - window_tile) * S::BLOCKS + i, last_block);
      return win.blocks + int64_t{win.slot(block * TILE) / TILE} * S::DENSE_BLOCK;
    }
    if (tile >= sink_tile) {
      int block = min((tile - sink_tile) * S::BLOCKS + i, sink_blocks(p.sink_slots) - 1);
      return sink_rows<S::DENSE_BLOCK>(p, seq.slot, item.head) + block * S::DENSE_BLOCK;
    }
    int in_page;
    const uint8_t* page = record(min(tile * S::BLOCKS + i, page_blocks - 1), in_page);
    return page + in_page * S::DENSE_BLOCK;
  }

  // A warp's block of a tile, and the first of the channel tiles that it brings of it: all, or every second.
  static constexpr int SHARES = WARPS / S::BLOCKS;
  __device__ __forceinline__ int block_of_warp() const { return SHARES == 1 ? warp : warp % S::BLOCKS; }
  __device__ __forceinline__ int share_of_warp() const { return SHARES == 1 ? 0 : warp / S::BLOCKS; }

  // What this thread copies of a tile of dense rows, keys first; null if that is none.
  __device__ __forceinline__ const uint8_t* source(int tile) const {
    if (tile >= end_tile || is_page(tile)) return nullptr;
    return dense_block(tile, block_of_warp()) + share_of_warp() * TILE_BYTES + lane * 16;
  }

  // Begins to copy the keys (or values) of a tile.
  __device__ __forceinline__ void fetch(uint8_t* to, const uint8_t* from) const {
    if (from != nullptr) {
      uint8_t* target = to + (block_of_warp() * C + share_of_warp()) * TILE_BYTES + lane * 16;
#pragma unroll
      for (int c = 0; c < C; c += SHARES) copy16_async(target + c * TILE_BYTES, from + c * TILE_BYTES);
    }
    commit_copies();
  }

  // Two codes at the lower end of their halves, times scale plus minimum.
  static __device__ __forceinline__ float2 expand(uint32_t codes, uint32_t scale, uint32_t minimum) {
    float2 s = __half22float2(*reinterpret_cast<const __half2*>(&scale));
    float2 z = __half22float2(*reinterpret_cast<const __half2*>(&minimum));
    float low = fmaf(static_cast<float>(codes & 0xFF), s.x, z.x);
    float high = fmaf(static_cast<float>(codes >> 16), s.y, z.y);
    // A code times a rounded scale can exceed fp16 by a little.
    return {fminf(fmaxf(low, -65504.f), 65504.f), fminf(fmaxf(high, -65504.f), 65504.f)};
  }

  // The codes of a tile of values, two at the lower end of their halves in each register.
  __device__ __forceinline__ uint4 value_codes(const uint8_t* codes, CodeTile tile) const {
    uint32_t mask = ((1u << p.bits) - 1) * 0x10001u;
    uint4 word = reinterpret_cast<const uint4*>(codes + tile.word_set * TILE_BYTES)[lane];
    return {word.x >> tile.shift & mask, word.y >> tile.shift & mask, word.z >> tile.shift & mask,
            word.w >> tile.shift & mask};
  }

  // The same of keys.
  __device__ __forceinline__ uint4 key_codes(const uint8_t* codes, CodeTile tile) const {
    uint32_t mask = ((1u << p.bits) - 1) * 0x1010101u;
    uint2 word = reinterpret_cast<const uint2*>(codes + tile.word_set * TILE_BYTES)[2 * lane + tile.half];
    uint32_t upper = word.x >> tile.shift & mask;
    uint32_t lower = word.y >> tile.shift & mask;
    return {__byte_perm(upper, 0, 0x4140), __byte_perm(lower, 0, 0x4140), __byte_perm(upper, 0, 0x4342),
            __byte_perm(lower, 0, 0x4342)};
  }

  // A 16 x 16 tile of codes to fp16, and what that loses, if `rests` is not null. Parameters are in the order of keys.
  __device__ __forceinline__ void expand(uint8_t* to, uint8_t* rests, uint4 codes, uint4 par) const {
    float2 x[4] = {
        expand(codes.x, par.y & 0x7FFF7FFF, par.x), expand(codes.y, par.y & 0x7FFF7FFF, par.x),
        expand(codes.z, par.w & 0x7FFF7FFF, par.z), expand(codes.w, par.w & 0x7FFF7FFF, par.z)};
    uint32_t high[4];
    uint32_t rest[4];
#pragma unroll
    for (int r = 0; r < 4; r++) {
      high[r] = pack_halves(x[r].x, x[r].y);
      float2 back = __half22float2(*reinterpret_cast<const __half2*>(&high[r]));
      rest[r] = pack_halves(x[r].x - back.x, x[r].y - back.y);
    }
    reinterpret_cast<uint4*>(to)[lane] = {high[0], high[1], high[2], high[3]};
    if (rests != nullptr) reinterpret_cast<uint4*>(rests)[lane] = {rest[0], rest[1], rest[2], rest[3]};
  }

  // Expands the keys (or values) of a tile of pages, a block for each warp, or part of one.
  __device__ void expand_page(int tile, bool of_values) const {
    int i = block_of_warp();
    int token_tiles = p.page_tokens / TILE;
    int in_page;
    const uint8_t* codes = record(min(tile * S::BLOCKS + i, page_blocks - 1), in_page);
    if (of_values) codes += key_half(p.bits, D, p.page_tokens);
    const uint8_t* parameters = codes + code_bytes(p.bits, D, p.page_tokens);
#pragma unroll 4
    for (int c = share_of_warp(); c < C; c += SHARES) {
      int at = (i * C + c) * TILE_BYTES;
      if (of_values) {
        int group = c / (C / value_groups(D));
        uint4 par = reinterpret_cast<const uint4*>(parameters + (group * token_tiles + in_page) * PARAMETER_BYTES)[t];
        uint4 by_kind = {__byte_perm(par.x, par.z, 0x5410), __byte_perm(par.x, par.z, 0x7632),
                         __byte_perm(par.y, par.w, 0x5410), __byte_perm(par.y, par.w, 0x7632)};
        expand(values + at, nullptr, value_codes(codes, CodeTile::of_value(p.bits, C, in_page, c)), by_kind);
      } else {
        uint4 par = reinterpret_cast<const uint4*>(parameters + c * PARAMETER_BYTES)[t];
        CodeTile tile = CodeTile::of_key(p.bits, C, token_tiles, in_page, c);
        expand(keys + at, values + at, key_codes(codes, tile), par);
      }
    }
  }

  // Positions of a tile's tokens.
  __device__ __forceinline__ void locate(int tile) const {
    int token = threadIdx.x;
    if (token >= S::TOKENS) return;
    int position = FREE;
    if (tile >= window_tile) {
      position = flushed + (tile - window_tile) * S::TOKENS + token;
      if (position >= seq.length + seq.rows) position = FREE;
    } else if (tile >= sink_tile) {
      int slot = (tile - sink_tile) * S::TOKENS + token;
      if (slot < p.sink_slots) position = sink_head(p, seq.slot, seq.sink_side, item.head).position[slot];
    } else if (tile * S::TOKENS + token < flushed) {
      position = tile * S::TOKENS + token;
      if (p.bits < 16) {
        int in_page;
        const uint8_t* page = record(position / TILE, in_page);
        const uint8_t* parameters = page + key_half(p.bits, D, p.page_tokens) + code_bytes(p.bits, D, p.page_tokens);
        int at = in_page * PARAMETER_BYTES + value_parameter_offset(token % TILE) + VALUE_SCALE_OFFSET;
        if (*reinterpret_cast<const uint16_t*>(parameters + at) & 0x8000) position = FREE;
      }
    }
    positions[token] = position;
  }
};

}  // namespace sinkq
