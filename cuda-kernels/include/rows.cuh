// Moving dense rows: keep, publish (staged tails into the ring) and reopen (pages back into rows).
#pragma once
#include <cuda_fp16.h>
#include "append.cuh"
#include "layout.cuh"
#include "params.cuh"
#include "sinks.cuh"

namespace sinkq {

constexpr int COPY_THREADS = 128;

// keep: the staged tail that no page takes, put aside until the step commits.
// publish: from there into the ring. Grid (kv_heads, sequences), COPY_THREADS a block.
template <int D, bool PUBLISH>
__device__ void move_tail(const Params& p) {
  constexpr int BLOCK = 2 * dense_half(D);
  constexpr int WORDS = BLOCK / 16;
  const Sequence& s = sequence(p, blockIdx.y);
  if (s.staged_block < 0) return;
  int head = blockIdx.x;
  int64_t kept_block = s.kept_block + int64_t{head} * s.kept_blocks;
  uint8_t* kept = p.kept + kept_block * BLOCK;
  uint64_t* kept_scores = p.kept_scores + kept_block * TILE;
  int first = s.new_pages * p.page_tokens;
  Window w = window<BLOCK>(p, s, head);
  uint8_t* ring = head_rows(p, s.slot, head);
  uint64_t* scores = ring_scores<BLOCK>(p, s, head, false);
  for (int i = threadIdx.x; i < s.kept_blocks * WORDS; i += COPY_THREADS) {
    uint4* aside = reinterpret_cast<uint4*>(kept) + i;
    if (PUBLISH) {
      int slot = (s.flushed + first + i / WORDS * TILE) % p.ring_tokens;
      reinterpret_cast<uint4*>(ring + slot / TILE * BLOCK)[i % WORDS] = *aside;
    } else {
      *aside = reinterpret_cast<const uint4*>(w.blocks + int64_t{first / TILE + i / WORDS} * BLOCK)[i % WORDS];
    }
  }
  if (p.sink_slots == 0) return;
  for (int i = threadIdx.x; i < s.kept_blocks * TILE; i += COPY_THREADS) {
    if (PUBLISH) {
      scores[(s.flushed + first + i) % p.ring_tokens] = kept_scores[i];
    } else {
      kept_scores[i] = w.scores[first + i];
    }
  }
}

// Code of a value, by the tile it is in and its place there.
template <int BITS>
__device__ __forceinline__ uint32_t read_code(const uint8_t* codes, CodeTile tile, int row, int column) {
  int offset = tile.word_set * TILE_BYTES + tile_offset(row, column);
  uint16_t half = *reinterpret_cast<const uint16_t*>(codes + offset);
  return half >> tile.shift & ((1 << BITS) - 1);
}

// The same of a key.
template <int BITS>
__device__ __forceinline__ uint32_t read_key_code(const uint8_t* codes, CodeTile tile, int token, int column) {
  uint32_t byte = codes[tile.word_set * TILE_BYTES + key_byte_offset(tile.half, token, column)];
  return byte >> tile.shift & ((1 << BITS) - 1);
}

__device__ __forceinline__ float read_half(const uint8_t* at) {
  return __half2float(*reinterpret_cast<const __half*>(at));
}

// Rounded to fp16 and clamped to its finite range: a code times a rounded scale can exceed it by a little.
__device__ __forceinline__ uint16_t clamped_half(float x) {
  return __half_as_ushort(__float2half_rn(fminf(fmaxf(x, -65504.f), 65504.f)));
}

// Reads a page's rows, each by a warp: fp16 bits of channels lane, lane + 32, ...
template <int BITS, int D>
struct RowReader {
  static constexpr int CHANNELS = (D + 31) / 32;

  const uint8_t* record;
  int tokens;

  static __device__ int64_t bytes(int tokens) { return page_bytes(BITS, D, tokens); }

  __device__ void read(int token, uint16_t (&keys)[CHANNELS], uint16_t (&values)[CHANNELS]) const {
    int codes = code_bytes(BITS, D, tokens);
    int token_tiles = tokens / TILE;
    const uint8_t* half = record + key_half(BITS, D, tokens);
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) {
      int d = threadIdx.x + 32 * i;
      if (d >= D) continue;
      const uint8_t* key_parameters = record + codes + d / TILE * PARAMETER_BYTES + parameter_offset(d % TILE);
      float key_scale = fabsf(read_half(key_parameters + SCALE_OFFSET));
      CodeTile key_tile = CodeTile::of_key(BITS, D / TILE, token_tiles, token / TILE, d / TILE);
      uint32_t key_code = read_key_code<BITS>(record, key_tile, token % TILE, d % TILE);
      keys[i] = clamped_half(__fmaf_rn(key_code, key_scale, read_half(key_parameters)));
      int group = d / (D / value_groups(D));
      const uint8_t* value_parameters =
          half + codes + (group * token_tiles + token / TILE) * PARAMETER_BYTES + value_parameter_offset(token % TILE);
      CodeTile value_tile = CodeTile::of_value(BITS, D / TILE, token / TILE, d / TILE);
      uint32_t value_code = read_code<BITS>(half, value_tile, d % TILE, token % TILE);
      float value_scale = fabsf(read_half(value_parameters + VALUE_SCALE_OFFSET));
      values[i] = clamped_half(__fmaf_rn(value_code, value_scale, read_half(value_parameters)));
    }
  }
};

template <int D>
__device__ __forceinline__ void read_dense(const uint8_t* blocks, int token, uint16_t (&keys)[(D + 31) / 32],
                                           uint16_t (&values)[(D + 31) / 32]) {
  const uint8_t* block = blocks + token / TILE * 2 * dense_half(D);
#pragma unroll
  for (int i = 0; i < (D + 31) / 32; i++) {
    int d = threadIdx.x + 32 * i;
    if (d >= D) continue;
    keys[i] = *reinterpret_cast<const uint16_t*>(block + dense_key_offset(token, d));
    values[i] = *reinterpret_cast<const uint16_t*>(block + dense_value_offset<D>(token, d));
  }
}

// Dense pages.
template <int D>
struct RowReader<16, D> {
  static constexpr int CHANNELS = (D + 31) / 32;

  const uint8_t* record;
  int tokens;

  static __device__ int64_t bytes(int tokens) { return page_bytes(16, D, tokens); }

  __device__ void read(int token, uint16_t (&keys)[CHANNELS], uint16_t (&values)[CHANNELS]) const {
    read_dense<D>(record, token, keys, values);
  }
};

// reopen: the first tokens of a sequence's page back into window rows, sinks from their slots.
// One sequence in the plan; new_pages is the page's index, rows the tokens. Grid (tokens, kv_heads),
// one warp a block.
template <typename Reader, int D>
__device__ void reopen(const Params& p) {
  constexpr int BLOCK = 2 * dense_half(D);
  constexpr int CHANNELS = Reader::CHANNELS;
  const Sequence& s = sequence(p, 0);
  int token = blockIdx.x;
  int head = blockIdx.y;
  int lane = threadIdx.x;
  int tokens = p.page_tokens;
  int position = s.new_pages * tokens + token;
  int page = p.plan[s.page_table];
  int sink = -1;
  if (p.sink_slots > 0) {
    SinkHead table = sink_head(p, s.slot, s.sink_side, head);
    for (int i = 0; i < p.sink_slots; i++) sink = table.position[i] == position ? i : sink;
  }
  uint16_t keys[CHANNELS] = {};
  uint16_t values[CHANNELS] = {};
  if (sink >= 0) {
    read_dense<D>(sink_rows<BLOCK>(p, s.slot, head), sink, keys, values);
  } else {
    Reader reader{p.pages + (int64_t{page} * p.kv_heads + head) * Reader::bytes(tokens), tokens};
    reader.read(token, keys, values);
  }
  int slot = position % p.ring_tokens;
  uint8_t* to = head_rows(p, s.slot, head) + slot / TILE * BLOCK;
  uint64_t score = 0;
#pragma unroll
  for (int i = 0; i < CHANNELS; i++) {
    int d = lane + 32 * i;
    if (d >= D) continue;
    *reinterpret_cast<uint16_t*>(to + dense_key_offset(slot, d)) = keys[i];
    *reinterpret_cast<uint16_t*>(to + dense_value_offset<D>(slot, d)) = values[i];
    score += score_units(keys[i] & 0x7FFF);
  }
  for (int i = 16; i > 0; i /= 2) score += __shfl_xor_sync(~0u, score, i);
  if (p.masses) score = sink < 0 ? NO_MASS : sink_head(p, s.slot, s.sink_side, head).score[sink];
  if (p.sink_slots > 0 && lane == 0) ring_scores<BLOCK>(p, s, head, true)[slot] = score;
}

}  // namespace sinkq
