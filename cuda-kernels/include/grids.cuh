// Grids of the codec INT2_ADAPTIVE, whose Javadoc defines every operation: rounded one by one.
#pragma once
#include <cuda_fp16.h>
#include <cstdint>

namespace sinkq {

// How many grids over shares of a range there are to choose from.
constexpr int GRIDS = 4;

__device__ __forceinline__ float of_half(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }
__device__ __forceinline__ uint16_t to_half(float x) { return __half_as_ushort(__float2half_rn(x)); }

// Rounded to fp16, and that half up to 3 bits of mantissa; 61440 at most.
__device__ __forceinline__ uint16_t scale8(float x) {
  int bits = to_half(x);
  return static_cast<uint16_t>(min((bits + 64) >> 7, 0xF7) << 7);
}

struct Grid {
  float steps;
  float minimum;
  float scale;
  float inverse;

  static __device__ __forceinline__ Grid of(float steps, float minimum, float scale) {
    return {steps, minimum, scale, scale == 0 ? 0 : __fdiv_rn(1, scale)};
  }

  // The k-th grid over a range above `low`.
  static __device__ __forceinline__ Grid above(float low, float range, float steps, int k) {
    float cut = k == 0 ? 0 : k == 1 ? 0.05f : k == 2 ? 0.1f : 0.15f;
    return of(steps, of_half(to_half(__fadd_rn(low, __fmul_rn(range, cut)))), scale_of(range, steps, k));
  }

  // The k-th grid of 3 steps over a range around 0.
  static __device__ __forceinline__ Grid around_zero(float range, int k) {
    float scale = scale_of(range, 3, k);
    return of(3, __fmul_rn(-1.5f, scale), scale);
  }

  static __device__ __forceinline__ float scale_of(float range, float steps, int k) {
    float kept = k == 0 ? 1 : k == 1 ? 0.9f : k == 2 ? 0.8f : 0.7f;
    return of_half(scale8(__fdiv_rn(__fmul_rn(range, kept), steps)));
  }

  // Rounded half to even.
  __device__ __forceinline__ float code(float x) const {
    float code = fmaxf(0, fminf(steps, __fmul_rn(__fsub_rn(x, minimum), inverse)));
    return __fsub_rn(__fadd_rn(code, 0x1.8p23f), 0x1.8p23f);
  }

  __device__ __forceinline__ float squared_error(float x) const {
    float e = __fsub_rn(__fadd_rn(__fmul_rn(code(x), scale), minimum), x);
    return __fmul_rn(e, e);
  }
};

}  // namespace sinkq
