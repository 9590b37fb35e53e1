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
  uint64_t* scores = ring_scores<BLOCK>(p, s.slot, head);
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

// Code of an element, by the tile it is in and its place there.
template <int BITS>
__device__ __forceinline__ uint32_t read_code(const uint8_t* codes, int j, int row, int column) {
  constexpr int POSITIONS = 16 / BITS;
  int offset = j / POSITIONS * TILE_BYTES + tile_offset(row, column);
  uint16_t half = *reinterpret_cast<const uint16_t*>(codes + offset);
  return half >> (BITS * (j % POSITIONS)) & ((1 << BITS) - 1);
}

__device__ __forceinline__ float read_half(const uint8_t* at) {
  return __half2float(*reinterpret_cast<const __half*>(at));
}

// Rounded to fp16 and clamped to its finite range: a code times a rounded scale can exceed it by a little.
__device__ __forceinline__ uint16_t clamped_half(float x) {
  return __half_as_ushort(__float2half_rn(fminf(fmaxf(x, -65504.f), 65504.f)));
}

// reopen: the first tokens of a sequence's page back into window rows, sinks from their slots.
// One sequence in the plan; new_pages is the page's index, rows the tokens. Grid (tokens, kv_heads),
// one warp a block.
template <int BITS, int D>
__device__ void reopen(const Params& p) {
  constexpr int BLOCK = 2 * dense_half(D);
  constexpr int CHANNEL_TILES = D / TILE;
  const Sequence& s = sequence(p, 0);
  int token = blockIdx.x;
  int head = blockIdx.y;
  int lane = threadIdx.x;
  int tokens = p.page_tokens;
  int position = s.new_pages * tokens + token;
  int page = p.plan[s.page_table];
  const uint8_t* record = p.pages + (int64_t{page} * p.kv_heads + head) * page_bytes(BITS, D, tokens);
  int sink = -1;
  if (p.sink_slots > 0) {
    SinkHead table = sink_head(p, s.slot, s.sink_side, head);
    for (int i = 0; i < p.sink_slots; i++) sink = table.position[i] == position ? i : sink;
  }
  const uint8_t* dense = sink_rows<BLOCK>(p, s.slot, head) + (sink < 0 ? 0 : sink) / TILE * BLOCK;
  int from = sink;
  if (BITS == 16) {
    dense = record + token / TILE * BLOCK;
    from = token;
  }
  int slot = position % p.ring_tokens;
  uint8_t* to = head_rows(p, s.slot, head) + slot / TILE * BLOCK;
  uint64_t score = 0;
  for (int d = lane; d < D; d += 32) {
    uint16_t key;
    uint16_t value;
    if (BITS == 16 || sink >= 0) {
      key = *reinterpret_cast<const uint16_t*>(dense + dense_key_offset(from, d));
      value = *reinterpret_cast<const uint16_t*>(dense + dense_value_offset<D>(from, d));
    } else {
      constexpr int B = BITS == 16 ? 2 : BITS;
      int codes = code_bytes(B, D, tokens);
      int token_tiles = tokens / TILE;
      const uint8_t* key_parameters = record + codes + d / TILE * PARAMETER_BYTES + parameter_offset(d % TILE);
      float key_scale = fabsf(read_half(key_parameters + SCALE_OFFSET));
      uint32_t key_code =
          read_code<B>(record, d / TILE * token_tiles + token / TILE, token % TILE, d % TILE);
      key = clamped_half(__fmaf_rn(key_code, key_scale, read_half(key_parameters)));
      const uint8_t* half = record + key_half(B, D, tokens);
      int group = d / (D / value_groups(D));
      const uint8_t* value_parameters = half + codes + (group * token_tiles + token / TILE) * PARAMETER_BYTES +
                                        parameter_offset(token % TILE);
      uint32_t value_code =
          read_code<B>(half, token / TILE * CHANNEL_TILES + d / TILE, d % TILE, token % TILE);
      value = clamped_half(__fmaf_rn(value_code, fabsf(read_half(value_parameters + SCALE_OFFSET)), read_half(value_parameters)));
    }
    *reinterpret_cast<uint16_t*>(to + dense_key_offset(slot, d)) = key;
    *reinterpret_cast<uint16_t*>(to + dense_value_offset<D>(slot, d)) = value;
    score += score_units(key & 0x7FFF);
  }
  for (int i = 16; i > 0; i /= 2) score += __shfl_xor_sync(~0u, score, i);
  if (p.sink_slots > 0 && lane == 0) ring_scores<BLOCK>(p, s.slot, head)[slot] = score;
}

}  // namespace sinkq
