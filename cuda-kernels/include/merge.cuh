// Partial results of attention, and how several become one.
//
// A partial result of COLUMNS columns: weighted sums of values [COLUMNS][D], then for each column its
// largest base-2 logit and the sum of its weights relative to that.
#pragma once
#include "ptx.cuh"

namespace sinkq {

template <int COLUMNS, int D>
struct PartialResults {
  static constexpr int STATE = COLUMNS * (D + 2);  // floats

  static __device__ __forceinline__ float* values(float* state) { return state; }
  static __device__ __forceinline__ float2* extent(float* state) {
    return reinterpret_cast<float2*>(state + COLUMNS * D);
  }

  // Weights with which `parts` results, one after the other, enter the merged one of a column; with
  // `normalize` they include the division by the sum. One warp. Returns the merged max and sum.
  static __device__ float2 weigh(float* states, int parts, int column, float* weights, bool normalize) {
    int lane = threadIdx.x % 32;
    float top = -INFINITY;
    float total = 0;
    for (int i = lane; i < parts; i += 32) {
      float2 part = extent(states + int64_t{i} * STATE)[column];
      float larger = fmaxf(top, part.x);
      float safe = larger == -INFINITY ? 0 : larger;
      total = total * exp2_fast(top - safe) + part.y * exp2_fast(part.x - safe);
      top = larger;
    }
    float all = top;
#pragma unroll
    for (int i = 16; i > 0; i /= 2) all = fmaxf(all, __shfl_xor_sync(~0u, all, i));
    float safe = all == -INFINITY ? 0 : all;
    total *= exp2_fast(top - safe);
#pragma unroll
    for (int i = 16; i > 0; i /= 2) total += __shfl_xor_sync(~0u, total, i);
    float norm = normalize ? 1 / total : 1;
    for (int i = lane; i < parts; i += 32) {
      weights[i] = exp2_fast(extent(states + int64_t{i} * STATE)[column].x - safe) * norm;
    }
    return {all, total};
  }

  // Weighted sum of four neighbouring values; the loads do not depend on each other, so many are under way.
  static __device__ float4 sum(float* states, int parts, int index, const float* weights) {
    float4 sum = {0, 0, 0, 0};
#pragma unroll 8
    for (int i = 0; i < parts; i++) {
      float4 part = *reinterpret_cast<const float4*>(values(states + int64_t{i} * STATE) + index);
      float weight = weights[i];
      sum.x = fmaf(part.x, weight, sum.x);
      sum.y = fmaf(part.y, weight, sum.y);
      sum.z = fmaf(part.z, weight, sum.z);
      sum.w = fmaf(part.w, weight, sum.w);
    }
    return sum;
  }
};

}  // namespace sinkq
