// What a forward pass needs besides matrix products and attention: embedding, RMS norm, RoPE, gate.
// The residual stream and what products yield is fp32, what goes into a product fp16.
#pragma once
#include <cuda_fp16.h>
#include <cstdint>

namespace sinkq {

constexpr int FORWARD_THREADS = 256;

struct Embed {
  const __half* table;  // [vocabulary, width]
  const int* tokens;    // [rows]
  float* x;             // [rows, width]
  int64_t width;
};

struct Norm {
  const float* x;       // [.., width]
  const float* weight;  // [width]
  __half* out;          // [rows, width]
  const int* rows;      // which rows of x; null: all in order
  int width;
  float epsilon;
};

struct Turn {
  float* qkv;              // [rows, q_heads + 2 kv_heads, dim]: queries, keys, values
  const float* bias;       // [q_heads + 2 kv_heads, dim], or null
  const float* q_norm;     // [dim], or null
  const float* k_norm;     // [dim], or null
  const float2* table;     // [positions, pairs] cosine and sine
  const int* positions;    // [rows]
  int q_heads;
  int kv_heads;
  int dim;
  int pairs;
  int interleaved;         // pairs are 2i, 2i + 1; else i, i + pairs
  float epsilon;
};

struct Gate {
  const float* x;     // [rows, 2, inner]: gate, up
  const float* bias;  // [2, inner], or null
  __half* out;        // [rows, inner]
  int64_t inner;
};

struct Bias {
  float* x;           // [rows, width]
  const float* bias;  // [width]
  int64_t width;
};

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) x += __shfl_xor_sync(~0u, x, i);
  return x;
}

// Grid (rows).
__device__ inline void embed(const Embed& p) {
  const __half* from = p.table + p.tokens[blockIdx.x] * p.width;
  for (int i = threadIdx.x; i < p.width; i += FORWARD_THREADS) {
    p.x[blockIdx.x * p.width + i] = __half2float(from[i]);
  }
}

// x / sqrt(mean(x^2) + epsilon) * weight. Grid (rows).
__device__ inline void norm(const Norm& p) {
  __shared__ float sums[FORWARD_THREADS / 32];
  int row = p.rows == nullptr ? blockIdx.x : p.rows[blockIdx.x];
  const float* x = p.x + int64_t{row} * p.width;
  float sum = 0;
  for (int i = threadIdx.x; i < p.width; i += FORWARD_THREADS) sum = fmaf(x[i], x[i], sum);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = 0;
#pragma unroll
  for (int i = 0; i < FORWARD_THREADS / 32; i++) sum += sums[i];
  float scale = __fdiv_rn(1, __fsqrt_rn(__fdiv_rn(sum, p.width) + p.epsilon));
  for (int i = threadIdx.x; i < p.width; i += FORWARD_THREADS) {
    p.out[int64_t{blockIdx.x} * p.width + i] = __float2half_rn(x[i] * scale * p.weight[i]);
  }
}

// Bias, norm of a head and RoPE, in place. Grid (rows, heads of q, k and v), one warp a block.
__device__ inline void turn(const Turn& p) {
  int head = blockIdx.y;
  int lane = threadIdx.x;
  int64_t heads = p.q_heads + 2 * p.kv_heads;
  float* x = p.qkv + (blockIdx.x * heads + head) * p.dim;
  if (p.bias != nullptr) {
    for (int i = lane; i < p.dim; i += 32) x[i] += p.bias[head * p.dim + i];
  }
  if (head >= p.q_heads + p.kv_heads) return;
  __syncwarp();
  const float* weight = head < p.q_heads ? p.q_norm : p.k_norm;
  if (weight != nullptr) {
    float sum = 0;
    for (int i = lane; i < p.dim; i += 32) sum = fmaf(x[i], x[i], sum);
    sum = warp_sum(sum);
    float scale = __fdiv_rn(1, __fsqrt_rn(__fdiv_rn(sum, p.dim) + p.epsilon));
    for (int i = lane; i < p.dim; i += 32) x[i] *= scale * weight[i];
    __syncwarp();
  }
  const float2* table = p.table + int64_t{p.positions[blockIdx.x]} * p.pairs;
  for (int i = lane; i < p.pairs; i += 32) {
    int a = p.interleaved ? 2 * i : i;
    int b = p.interleaved ? 2 * i + 1 : i + p.pairs;
    float2 angle = table[i];
    float first = x[a];
    float second = x[b];
    x[a] = first * angle.x - second * angle.y;
    x[b] = first * angle.y + second * angle.x;
  }
}

// silu(gate) * up. Grid (ceil(inner / FORWARD_THREADS), rows).
__device__ inline void gate(const Gate& p) {
  int i = blockIdx.x * FORWARD_THREADS + threadIdx.x;
  if (i >= p.inner) return;
  const float* x = p.x + blockIdx.y * 2 * p.inner;
  float g = x[i];
  float up = x[p.inner + i];
  if (p.bias != nullptr) {
    g += p.bias[i];
    up += p.bias[p.inner + i];
  }
  p.out[blockIdx.y * p.inner + i] = __float2half_rn(__fdividef(g, 1 + __expf(-g)) * up);
}

// Grid (rows).
__device__ inline void add_bias(const Bias& p) {
  for (int i = threadIdx.x; i < p.width; i += FORWARD_THREADS) p.x[blockIdx.x * p.width + i] += p.bias[i];
}

}  // namespace sinkq
