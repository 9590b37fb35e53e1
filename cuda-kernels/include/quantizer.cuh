// How fp16 numbers become codes of 2 or 4 bits: the range of some, what it makes of one, and words of codes.
#pragma once
#include <cuda_fp16.h>
#include "ptx.cuh"

namespace sinkq {

// How numbers of one range become codes; minimum and scale are rounded to fp16 before any code is computed with them.
struct alignas(16) Quantizer {
  float minimum;
  float scale;
  float inverse;  // 0 where all codes are
  float padding;  // read along with the others
};

__device__ __forceinline__ float2 floats(uint32_t pair) {
  return __half22float2(*reinterpret_cast<const __half2*>(&pair));
}

// The largest and the smallest of pairs of numbers in fp16, -0 below +0, as Java's Math.min has it.
struct PairRange {
  uint32_t high = 0xFC00FC00;  // -infinity
  uint32_t negated_low = 0xFC00FC00;

  __device__ __forceinline__ void add(uint32_t pair) {
    high = larger_halves(high, pair);
    negated_low = larger_halves(negated_low, pair ^ 0x80008000);
  }

  // With what `lanes` neighbouring lanes have found.
  __device__ __forceinline__ void join(int lanes) {
    for (int i = lanes / 2; i > 0; i /= 2) {
      high = larger_halves(high, __shfl_xor_sync(~0u, high, i));
      negated_low = larger_halves(negated_low, __shfl_xor_sync(~0u, negated_low, i));
    }
  }

  template <int BITS>
  __device__ __forceinline__ Quantizer quantizer(bool second) const {
    constexpr float LEVELS = (1 << BITS) - 1;
    float2 both = floats(high);
    float2 negated = floats(negated_low);
    float most = second ? both.y : both.x;
    float least = -(second ? negated.y : negated.x);
    float scale = __half2float(__float2half_rn(__fdiv_rn(__fsub_rn(most, least), LEVELS)));
    return {least, scale, scale == 0 ? 0 : __frcp_rn(scale), 0};
  }
};

// The codes of a word, one byte after the other, as they come: each adds to its byte what its position is worth.
template <int BITS, bool EXACT>
struct Word {
  static constexpr float LEVELS = (1 << BITS) - 1;
  float bytes[4] = {};
  float farthest = 0;  // from a whole number

  __device__ __forceinline__ void add(int byte, int position, float x, const Quantizer& q) {
    constexpr float ROUNDING = 12582912;  // 1.5 * 2^23: has no place for fractions
    float above = __fsub_rn(x, q.minimum);
    float steps = EXACT ? (q.inverse == 0 ? 0 : __fdiv_rn(above, q.scale)) : __fmul_rn(above, q.inverse);
    steps = fminf(fmaxf(steps, 0.f), LEVELS);
    float nearest = __fsub_rn(__fadd_rn(steps, ROUNDING), ROUNDING);
    farthest = fmaxf(farthest, fabsf(steps - nearest));
    bytes[byte] = fmaf(nearest, 1 << BITS * position, bytes[byte]);
  }

  // Steps that are off by 2 units in the last place round like the exact ones, unless they are near a tie.
  __device__ __forceinline__ bool near_tie() const { return !EXACT && farthest > 0.5f - 1e-5f; }

  __device__ __forceinline__ uint32_t bits() const {
    uint32_t b[4];
#pragma unroll
    for (int i = 0; i < 4; i++) b[i] = __float_as_uint(__fadd_rn(bytes[i], 0x1p23f));
    return __byte_perm(__byte_perm(b[0], b[1], 0x0040), __byte_perm(b[2], b[3], 0x0040), 0x5410);
  }
};

}  // namespace sinkq
