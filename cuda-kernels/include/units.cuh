// The units of work of attend: which a warp takes, where they lie, and how they come into its part of
// shared memory. A warp has one buffer for the key half and one for the value half of a unit; each is
// refilled as soon as it has been used, while the other half is being worked on.
#pragma once
#include "layout.cuh"
#include "params.cuh"
#include "ptx.cuh"
#include "sinks.cuh"

namespace sinkq {

constexpr int WARPS = 4;

template <int BITS, int D, int G>
struct PageShape {
  static constexpr bool QUANTIZED = BITS < 16;
  static constexpr int VALUE_BITS = BITS;
  static constexpr int KEY_ROWS = D;  // codes of a token
  static constexpr int CHANNEL_TILES = D / TILE;
  static constexpr int TOKEN_TILES = G / TILE;
  static constexpr int DENSE_HALF = dense_half(D);
  static constexpr int DENSE_BLOCK = 2 * DENSE_HALF;
  static constexpr int KEY_CODES = code_bytes(BITS, D, G);
  static constexpr int KEY_HALF = key_half(BITS, D, G);
  static constexpr int VALUE_HALF = value_half(BITS, D, G);
  static constexpr int KEY_BUFFER = QUANTIZED && KEY_HALF > DENSE_HALF ? KEY_HALF : DENSE_HALF;
  static constexpr int VALUE_BUFFER = QUANTIZED && VALUE_HALF > DENSE_HALF ? VALUE_HALF : DENSE_HALF;
  static constexpr int WARP_BUFFER = KEY_BUFFER + VALUE_BUFFER;
  static constexpr int GROUPS = value_groups(D);
  static constexpr int PAGE_BYTES = page_bytes(BITS, D, G);
  static constexpr bool BY_CHANNEL = false;

  // Floats between two columns' queries in shared memory; the banks of neighbouring columns differ.
  static __host__ __device__ constexpr int step_pitch(bool) { return D + 16; }
};

template <int BITS, int D, int G>
struct Units {
  using S = PageShape<BITS, D, G>;

  const Params& p;
  const Sequence& seq;
  const Item& item;
  const int warp = threadIdx.x / 32;
  // Which of an item's first units is this warp's. An SM has four parts, and each gets a warp of both of its blocks, most
  // often one of the grid's lower half and one of the upper one. Where units do not come out even, a block's first
  // warps have one more: the upper half begins with other warps.
  const int turn = (warp + (2 * blockIdx.x >= gridDim.x ? WARPS / 2 : 0)) % WARPS;
  const int lane = threadIdx.x % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  uint8_t* keys;
  uint8_t* values;
  Window win;
  const int* page_list;       // of the sequence
  const uint8_t* lane_pages;  // where the first page has this lane's bytes
  uint32_t page_stride;       // bytes
  int page_end;     // first unit that is no quantized page of this item
  int sink_unit;    // first unit of sinks
  int window_unit;  // first unit of the window
  int lowest_all;   // first position that any column sees
  int highest_all;  // last one

  __device__ Units(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared)
      : p(p), seq(seq), item(item) {
    keys = shared + warp * S::WARP_BUFFER;
    values = keys + S::KEY_BUFFER;
    page_list = p.plan + seq.page_table;
    lane_pages = p.pages + int64_t{item.head} * S::PAGE_BYTES + lane * 16;
    page_stride = p.kv_heads * S::PAGE_BYTES;
    win = window<S::DENSE_BLOCK>(p, seq, item.head);
    sink_unit = S::QUANTIZED ? seq.pages : seq.pages * (p.page_tokens / TILE);
    window_unit = sink_unit + min(seq.sink_blocks, sink_blocks(p.sink_slots));
    int last_column = item.first_column + item.columns - 1;
    highest_all = seq.length + row_of(p, last_column);
    lowest_all = lowest(seq.length + row_of(p, item.first_column));
    page_end = S::QUANTIZED ? min(sink_unit, item.end_unit) : 0;
  }

  __device__ __forceinline__ int lowest(int position) const {
    return p.sliding_window == 0 ? 0 : max(0, position - p.sliding_window + 1);
  }

  __device__ __forceinline__ bool visible(int unit) const {
    if (unit >= window_unit) {
      int first = seq.flushed + (unit - window_unit) * TILE;
      return first <= highest_all && first + TILE > lowest_all;
    }
    if (unit >= sink_unit) return true;
    int tokens = S::QUANTIZED ? G : TILE;
    return (unit + 1) * tokens > lowest_all;
  }

  __device__ __forceinline__ int next(int unit) const {
    while (unit < item.end_unit && !visible(unit)) unit += WARPS;
    return unit;
  }

  // The next one after a page that columns see: they see all pages behind it, too.
  __device__ __forceinline__ int next_after_page(int unit) const {
    unit += WARPS;
    return unit < page_end ? unit : next(unit);
  }

  // Page that a unit is in, for units of pages. Long before its address is needed, so that nothing waits for it.
  __device__ __forceinline__ int page_of(int unit) const {
    if (S::QUANTIZED) return unit < page_end ? page_list[unit] : 0;
    return unit < sink_unit ? page_list[unit / (p.page_tokens / TILE)] : 0;
  }

  __device__ __forceinline__ const uint8_t* dense_address(int unit, int page) const {
    if (unit >= window_unit) {
      int slot = win.slot((unit - window_unit) * TILE);
      return win.blocks + int64_t{slot / TILE} * S::DENSE_BLOCK;
    }
    if (unit >= sink_unit) {
      return sink_rows<S::DENSE_BLOCK>(p, seq.slot, item.head) + (unit - sink_unit) * S::DENSE_BLOCK;
    }
    int blocks = p.page_tokens / TILE;
    int64_t block = (int64_t{page} * p.kv_heads + item.head) * blocks + unit % blocks;
    return p.pages + block * S::DENSE_BLOCK;
  }

  // Copies this lane's 16 of every 512 bytes.
  template <int BYTES, int FIRST = 0>
  __device__ __forceinline__ void copy(uint8_t* to, const uint8_t* from) const {
    if constexpr (FIRST < BYTES) {
      if (FIRST + 512 <= BYTES || FIRST + lane * 16 < BYTES) copy16_async_once<FIRST>(to, from);
      copy<BYTES, FIRST + 512>(to, from);
    }
  }

  // Begins to copy a unit's keys; returns where this lane's part of the unit is, for its values. Few branches, because
  // they are what is left to save in a page.
  __device__ __forceinline__ const uint8_t* fetch_keys(int unit, int page) const {
    uint8_t* to = keys + lane * 16;
    const uint8_t* from = nullptr;
    if (unit < page_end) {
      from = lane_pages + uint64_t{static_cast<uint32_t>(page)} * page_stride;
      copy<S::KEY_HALF>(to, from);
    } else if (unit < item.end_unit) {
      from = dense_address(unit, page) + lane * 16;
      copy<S::DENSE_HALF>(to, from);
    }
    commit_copies();
    return from;
  }

  __device__ __forceinline__ void fetch_values(int unit, const uint8_t* from) const {
    uint8_t* to = values + lane * 16;
    if (unit < page_end) {
      copy<S::VALUE_HALF>(to, from + S::KEY_HALF);
    } else if (unit < item.end_unit) {
      copy<S::DENSE_HALF>(to, from + S::DENSE_HALF);
    }
    commit_copies();
  }

  // Waits for all copies but the newest `PENDING` halves. A group is committed for each half in turn,
  // also where there is nothing to copy, so that all but the newest is the older half.
  template <int PENDING>
  __device__ __forceinline__ void wait() const {
    wait_copies<PENDING>();
    __syncwarp();
  }

  // Position of a token of a dense unit, or FREE.
  __device__ __forceinline__ int dense_position(int unit, int token) const {
    if (unit >= window_unit) {
      int position = seq.flushed + (unit - window_unit) * TILE + token;
      return position < seq.length + seq.rows ? position : FREE;
    }
    if (unit >= sink_unit) {
      int slot = (unit - sink_unit) * TILE + token;
      return slot < p.sink_slots ? sink_head(p, seq.slot, seq.sink_side, item.head).position[slot] : FREE;
    }
    return unit * TILE + token;
  }
};

}  // namespace sinkq
