// append: rows of k and v into the window, with the L1 score of each key.
// Also moves the committed window to the front of the staging area where a step uses one.
// Grid (rows of the longest sequence incl. its staged window, kv_heads, sequences), one warp a block.
#pragma once
#include "elements.cuh"
#include "layout.cuh"
#include "params.cuh"

namespace sinkq {

// Code of a bad element: sequence | head | row of the sequence | value or key | channel, in 18, 10, 26,
// 1 and 8 bits, so that the smallest is the first. The host decodes it to name the element.
__device__ __forceinline__ void report(const Params& p, int row, int head, int value, int channel) {
  unsigned long long code = (static_cast<unsigned long long>(blockIdx.z) << 45) |
                            (static_cast<unsigned long long>(head) << 35) |
                            (static_cast<unsigned long long>(row) << 9) | (value << 8) | channel;
  atomicMin(p.error, code);
}

// fp16 bits of an element, 0 if it is not finite there.
__device__ __forceinline__ uint16_t checked(const Params& p, float x, int row, int head, int value, int channel) {
  uint16_t bits = __half_as_ushort(__float2half_rn(x));
  if ((bits & 0x7C00) == 0x7C00) {
    report(p, row, head, value, channel);
    return 0;
  }
  return bits;
}

// |x| in units of 2^-24.
__device__ __forceinline__ uint64_t score_units(uint16_t bits) {
  unsigned exponent = (bits >> 10) & 31;
  uint64_t mantissa = bits & 0x3FF;
  return exponent == 0 ? mantissa : (mantissa | 0x400) << (exponent - 1);
}

template <int D>
__device__ void append_row(const Params& p) {
  constexpr int BLOCK = 2 * dense_half(D);
  const Sequence& s = sequence(p, blockIdx.z);
  int head = blockIdx.y;
  int lane = threadIdx.x;
  int window_tokens = s.length - s.flushed;
  bool staged = s.staged_block >= 0;
  int index = staged ? blockIdx.x : blockIdx.x + window_tokens;  // token of the window
  if (index >= window_tokens + s.rows) return;
  Window w = window<BLOCK>(p, s, head);
  int slot = w.slot(index);
  uint8_t* block = w.blocks + int64_t{slot / TILE} * BLOCK;
  uint64_t score = 0;
  if (index < window_tokens) {
    int from = (s.flushed + index) % p.ring_tokens;
    const uint8_t* source = head_rows(p, s.slot, head) + from / TILE * BLOCK;
    for (int d = lane; d < D; d += 32) {
      *reinterpret_cast<uint16_t*>(block + dense_key_offset(slot, d)) =
          *reinterpret_cast<const uint16_t*>(source + dense_key_offset(from, d));
      *reinterpret_cast<uint16_t*>(block + dense_value_offset<D>(slot, d)) =
          *reinterpret_cast<const uint16_t*>(source + dense_value_offset<D>(from, d));
    }
    if (p.sink_slots > 0 && lane == 0) w.scores[slot] = ring_scores<BLOCK>(p, s.slot, head)[from];
    return;
  }
  int row_of_step = index - window_tokens;
  int row = s.first_row + row_of_step;
  for (int d = lane; d < D; d += 32) {
    float key = load(p.k, row * p.k.token_stride + head * p.k.head_stride + d);
    float value = load(p.v, row * p.v.token_stride + head * p.v.head_stride + d);
    uint16_t key_bits = checked(p, key, row_of_step, head, 0, d);
    score += score_units(key_bits & 0x7FFF);
    *reinterpret_cast<uint16_t*>(block + dense_key_offset(slot, d)) = key_bits;
    *reinterpret_cast<uint16_t*>(block + dense_value_offset<D>(slot, d)) = checked(p, value, row_of_step, head, 1, d);
  }
  for (int i = 16; i > 0; i /= 2) score += __shfl_xor_sync(~0u, score, i);
  if (p.sink_slots > 0 && lane == 0) w.scores[slot] = score;
}

}  // namespace sinkq
