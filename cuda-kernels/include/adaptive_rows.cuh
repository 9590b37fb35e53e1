// Rows of a page of the codec INT2_ADAPTIVE, for reopen.
#pragma once
#include "adaptive.cuh"
#include "rows.cuh"

namespace sinkq {

template <int D>
struct AdaptiveRowReader {
  using A = AdaptiveShape<D>;
  static constexpr int CHANNELS = (D + 31) / 32;

  const uint8_t* record;
  int tokens;

  static __device__ int64_t bytes(int) { return A::PAGE_BYTES; }

  static __device__ __forceinline__ float scale(uint8_t bits) {
    return __half2float(__ushort_as_half(static_cast<uint16_t>(bits << 7)));
  }

  // The 2 bits of a token in a row of the keys.
  __device__ __forceinline__ uint32_t digit(int token, int row) const {
    return record[A::digit_at(token, row)] >> A::digit_shift(token) & 3;
  }

  __device__ void read(int token, uint16_t (&keys)[CHANNELS], uint16_t (&values)[CHANNELS]) const {
    int code[CHANNELS] = {};
    float step[CHANNELS] = {};
#pragma unroll 1
    for (int r = 0; r < A::ROWS; r++) {
      int column = lane_order(r % TILE);
      const uint8_t* row = record + A::KEY_ROWS_AT + r / TILE * 32 + (column & ~3) * 2 + (column & 3);
#pragma unroll
      for (int i = 0; i < CHANNELS; i++) {
        if (row[0] != threadIdx.x + 32 * i) continue;
        // The last digit counts steps of the channel's scale.
        code[i] = code[i] << 2 | digit(token, r);
        step[i] = scale(row[4]);
      }
    }
    const uint8_t* half = record + A::KEY_HALF;
    float x[CHANNELS] = {};
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) {
      int d = threadIdx.x + 32 * i;
      if (d >= D) continue;
      float minimum = read_half(record + A::KEY_MINIMA_AT + (d / TILE * TILE + lane_order(d % TILE)) * 2);
      keys[i] = clamped_half(__fadd_rn(__fmul_rn(code[i], step[i]), minimum));
      int group = d / A::GROUP;
      float s = scale(half[A::value_scale_at(group, token)]);
      float mean = read_half(half + A::VALUE_MEANS_AT + ((d / TILE * 8 + d % 8) * 2 + d % TILE / 8) * 2);
      CodeTile tile = A::code_tile_of_value(group, token / TILE, d % A::GROUP / TILE);
      uint32_t value = read_code<2>(half, tile, d % TILE, token % TILE);
      x[i] = __fadd_rn(__fadd_rn(__fmul_rn(value, s), __fmul_rn(-1.5f, s)), mean);
    }
    // Channel threadIdx.x + 32 i.
#pragma unroll
    for (int n = 1; n < A::ROTATED; n *= 2) {
#pragma unroll
      for (int i = 0; i < CHANNELS; i++) {
        if (n < 32) {
          float other = __shfl_xor_sync(~0u, x[i], n);
          x[i] = threadIdx.x & n ? __fsub_rn(other, x[i]) : __fadd_rn(x[i], other);
        } else if ((i & n / 32) == 0) {
          float a = x[i];
          float b = x[i + n / 32];
          x[i] = __fadd_rn(a, b);
          x[i + n / 32] = __fsub_rn(a, b);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) values[i] = clamped_half(__fmul_rn(x[i], A::NORM));
  }
};

}  // namespace sinkq
