// Partial results of attention, and how several become one.
//
// A partial result of COLUMNS columns: weighted sums of values, then for each column its largest base-2
// logit and the sum of its weights relative to that.
#pragma once
#include "ptx.cuh"

namespace sinkq {

// PADDING floats follow each column's D values.
template <int COLUMNS, int D, int PADDING>
struct PartialResults {
  static constexpr int STRIDE = D + PADDING;
  static constexpr int STATE = COLUMNS * (STRIDE + 2);  // floats

  // Values of a column from a channel on.
  static __device__ __forceinline__ float* values(float* state, int column, int channel) {
    return state + column * STRIDE + channel;
  }

  static __device__ __forceinline__ float2* extent(float* state) {
    return reinterpret_cast<float2*>(state + COLUMNS * STRIDE);
  }

  // Four values of each of `MOST` parts from the first on; nothing waits for them yet.
  template <int MOST>
  static __device__ __forceinline__ void load(float4 (&x)[MOST], float* states, int first, int parts, int column,
                                              int channel) {
#pragma unroll
    for (int i = 0; i < MOST; i++) {
      if (first + i < parts) {
        x[i] = *reinterpret_cast<const float4*>(values(states + int64_t{first + i} * STATE, column, channel));
      }
    }
  }

  template <int MOST>
  static __device__ __forceinline__ void add(float4& sum, const float4 (&x)[MOST], int first, int parts,
                                             const float* weights) {
#pragma unroll
    for (int i = 0; i < MOST; i++) {
      if (first + i < parts) {
        float weight = weights[first + i];
        sum.x = fmaf(x[i].x, weight, sum.x);
        sum.y = fmaf(x[i].y, weight, sum.y);
        sum.z = fmaf(x[i].z, weight, sum.z);
        sum.w = fmaf(x[i].w, weight, sum.w);
      }
    }
  }
};

// What several parts of a column have as their maxima and sums, spread over a warp: part i in lane i % 32.
template <typename Partial>
struct Extents {
  static constexpr int KEPT = 2;
  float2 kept[KEPT];  // of the first parts
  float* states;
  int parts;
  int column;

  // Asks for them; nothing waits yet.
  __device__ __forceinline__ void load(float* of, int count, int c) {
    states = of;
    parts = count;
    column = c;
#pragma unroll
    for (int i = 0; i < KEPT; i++) kept[i] = at(i * 32 + threadIdx.x % 32);
  }

  __device__ __forceinline__ float2 at(int part) const {
    if (part >= parts) return {-INFINITY, 0};
    return Partial::extent(states + int64_t{part} * Partial::STATE)[column];
  }

  // Weights with which the parts enter the normalized result; returns the extent of the whole.
  __device__ __forceinline__ float2 weigh(float* weights) const {
    int lane = threadIdx.x % 32;
    int rounds = (parts + 31) / 32;
    float top = fmaxf(kept[0].x, kept[1].x);
    for (int i = KEPT; i < rounds; i++) top = fmaxf(top, at(i * 32 + lane).x);
#pragma unroll
    for (int i = 16; i > 0; i /= 2) top = fmaxf(top, __shfl_xor_sync(~0u, top, i));
    float safe = top == -INFINITY ? 0 : top;
    float factor[KEPT];
    float total = 0;
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
      factor[i] = exp2_fast(kept[i].x - safe);
      total = fmaf(kept[i].y, factor[i], total);
    }
    for (int i = KEPT; i < rounds; i++) {
      float2 more = at(i * 32 + lane);
      total = fmaf(more.y, exp2_fast(more.x - safe), total);
    }
#pragma unroll
    for (int i = 16; i > 0; i /= 2) total += __shfl_xor_sync(~0u, total, i);
    float norm = 1 / total;
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
      if (i * 32 + lane < parts) weights[i * 32 + lane] = factor[i] * norm;
    }
    for (int i = KEPT; i < rounds; i++) {
      if (i * 32 + lane < parts) weights[i * 32 + lane] = exp2_fast(at(i * 32 + lane).x - safe) * norm;
    }
    return {top, total};
  }
};

}  // namespace sinkq
