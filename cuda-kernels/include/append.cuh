// append: rows of k and v into the window, with the L1 score of each key. In a decode step attend does that
// itself, see append_own_row there.
// Also moves the committed window to the front of the staging area where a step uses one.
// Grid (rows of the longest sequence incl. its staged window, kv_heads, sequences), one warp a block.
#pragma once
#include "elements.cuh"
#include "layout.cuh"
#include "params.cuh"

namespace sinkq {

// Code of a bad element: sequence | head | row of the sequence | value or key | channel, in 18, 10, 26,
// 1 and 8 bits, so that the smallest is the first. The host decodes it to name the element.
__device__ __forceinline__ void report(const Params& p, int sequence, int row, int head, int value, int channel) {
  unsigned long long code = (static_cast<unsigned long long>(sequence) << 45) |
                            (static_cast<unsigned long long>(head) << 35) |
                            (static_cast<unsigned long long>(row) << 9) | (value << 8) | channel;
  atomicMin(p.error, code);
}

// fp16 bits of an element, 0 if it is not finite there.
__device__ __forceinline__ uint16_t checked(const Params& p, float x, int sequence, int row, int head, int value,
                                            int channel) {
  uint16_t bits = __half_as_ushort(__float2half_rn(x));
  if ((bits & 0x7C00) == 0x7C00) {
    report(p, sequence, row, head, value, channel);
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

// A row of a sequence's step into its slot of the window, by a warp.
template <int D>
__device__ __forceinline__ void put_row(const Params& p, const Sequence& s, int sequence, int head, const Window& w,
                                        int row_of_step) {
  constexpr int EACH = ceil_div(D, 32);
  int lane = threadIdx.x % 32;
  int slot = w.slot(s.length - s.flushed + row_of_step);
  uint8_t* block = w.blocks + int64_t{slot / TILE} * (2 * dense_half(D));
  int64_t row = s.first_row + row_of_step;
  int64_t key_at = row * p.k.token_stride + head * p.k.head_stride;
  int64_t value_at = row * p.v.token_stride + head * p.v.head_stride;
  uint32_t key[EACH];
  uint32_t value[EACH];
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int d = i * 32 + lane;
    if (d >= D) continue;
    key[i] = load_bits(p.k, key_at + d);
    value[i] = load_bits(p.v, value_at + d);
  }
  uint64_t score = 0;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int d = i * 32 + lane;
    if (d >= D) continue;
    uint16_t key_bits = checked(p, of_bits(p.k, key[i]), sequence, row_of_step, head, 0, d);
    score += score_units(key_bits & 0x7FFF);
    *reinterpret_cast<uint16_t*>(block + dense_key_offset(slot, d)) = key_bits;
    *reinterpret_cast<uint16_t*>(block + dense_value_offset<D>(slot, d)) =
        checked(p, of_bits(p.v, value[i]), sequence, row_of_step, head, 1, d);
  }
  for (int i = 16; i > 0; i /= 2) score += __shfl_xor_sync(~0u, score, i);
  if (p.sink_slots > 0 && lane == 0) w.scores[slot] = score;
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
  if (index < window_tokens) {
    int slot = w.slot(index);
    uint8_t* block = w.blocks + int64_t{slot / TILE} * BLOCK;
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
  put_row<D>(p, s, blockIdx.z, head, w, index - window_tokens);
}

}  // namespace sinkq
