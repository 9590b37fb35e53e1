// Queries of a warp on their way into shared memory as fp16, a few columns at once.
#pragma once
#include "elements.cuh"
#include "layout.cuh"
#include "ptx.cuh"

namespace sinkq {

// A lane has channels 2 lane and 2 lane + 1 of every 64 of each column.
template <int D>
struct QueryRows {
  static constexpr int AT_ONCE = 4;  // columns
  static constexpr int PAIRS = ceil_div(D, 64);

  const int lane;
  float x[AT_ONCE][PAIRS][2] = {};

  __device__ __forceinline__ explicit QueryRows(int lane) : lane(lane) {}

  // The first channel of this lane's i-th pair; from D on it has none.
  __device__ __forceinline__ int channel(int i) const { return i * 64 + 2 * lane; }

  // Loads the k-th column from where it begins.
  template <DType TYPE>
  __device__ __forceinline__ void load_column(int k, const Tensor& q, int64_t at) {
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int d = channel(i);
      if (d >= D) continue;
      x[k][i][0] = load<TYPE>(q.data, at + d);
      x[k][i][1] = load<TYPE>(q.data, at + d + 1);
    }
  }

  // The power of two that the k-th column is divided by.
  __device__ __forceinline__ PowerAbove power(int k) const {
    float largest = 0;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) largest = fmaxf(largest, fmaxf(fabsf(x[k][i][0]), fabsf(x[k][i][1])));
#pragma unroll
    for (int i = 16; i > 0; i /= 2) largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, i));
    return PowerAbove(largest);
  }

  // A pair of the k-th column, times a power of two.
  __device__ __forceinline__ float2 pair(int k, int i, float normalize) const {
    return {x[k][i][0] * normalize, x[k][i][1] * normalize};
  }

  // What fp16 loses of a pair.
  static __device__ __forceinline__ uint32_t rest(float2 pair, uint32_t halves) {
    float2 back = __half22float2(*reinterpret_cast<const __half2*>(&halves));
    return pack_halves(pair.x - back.x, pair.y - back.y);
  }
};

}  // namespace sinkq
