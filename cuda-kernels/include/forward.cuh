// What a forward pass needs besides matrix products and attention: embedding, RMS norm, RoPE, gate.
// The residual stream and what products yield is fp32, what goes into a product fp16.
#pragma once
#include <cuda_fp16.h>
#include <cstdint>

namespace sinkq {

constexpr int FORWARD_THREADS = 256;
constexpr int CHOOSE_THREADS = 1024;

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

struct Choose {
  const float* logits;  // [rows, vocabulary]
  int* tokens;          // [rows]
  int vocabulary;
};

struct Randomize {
  __half* out;  // [count]
  int64_t count;
  uint64_t seed;
  float scale;
};

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) x += __shfl_xor_sync(~0u, x, i);
  return x;
}

// Grid (rows).
__device__ inline void embed(const Embed& p) {
  // A row without a token, see choose, is read as token 0.
  const __half* from = p.table + max(p.tokens[blockIdx.x], 0) * p.width;
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

// Logits in their order as unsigned numbers. What the host's sampler refuses is above all others.
__device__ __forceinline__ uint32_t logit_order(float x) {
  if (!(x < __int_as_float(0x7f800000))) return ~0u;
  uint32_t bits = __float_as_uint(x + 0.0f);  // No negative zero.
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

struct Choice {
  uint32_t order;
  int token;

  __device__ __forceinline__ void take(uint32_t other_order, int other_token) {
    if (other_order > order || (other_order == order && other_token < token)) {
      order = other_order;
      token = other_token;
    }
  }

  __device__ __forceinline__ void take_lanes() {
#pragma unroll
    for (int i = 16; i > 0; i /= 2) {
      uint32_t other = __shfl_xor_sync(~0u, order, i);
      take(other, __shfl_xor_sync(~0u, token, i));
    }
  }
};

// The most probable token, the lowest of several. Grid (rows).
__device__ inline void choose(const Choose& p) {
  constexpr uint32_t RULED_OUT = 0x007fffff;  // logit_order of negative infinity
  __shared__ Choice best[CHOOSE_THREADS / 32];
  const float* logits = p.logits + int64_t{blockIdx.x} * p.vocabulary;
  Choice mine{0, 0};
#pragma unroll 8
  for (int i = threadIdx.x; i < p.vocabulary; i += CHOOSE_THREADS) mine.take(logit_order(logits[i]), i);
  mine.take_lanes();
  if (threadIdx.x % 32 == 0) best[threadIdx.x / 32] = mine;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  mine = best[threadIdx.x];
  mine.take_lanes();
  if (threadIdx.x == 0) {
    bool refused = mine.order == ~0u || mine.order <= RULED_OUT;
    p.tokens[blockIdx.x] = refused ? -1 - mine.token : mine.token;
  }
}

// Numbers that look random, evenly spread: the finalizer of MurmurHash3 over a counter. Any grid.
__device__ inline void randomize(const Randomize& p) {
  int64_t step = int64_t{gridDim.x} * FORWARD_THREADS;
  for (int64_t i = int64_t{blockIdx.x} * FORWARD_THREADS + threadIdx.x; i < p.count; i += step) {
    uint64_t h = p.seed + static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    int spread = static_cast<int>(h >> 40) - (1 << 23);
    p.out[i] = __float2half_rn(static_cast<float>(spread) * (1.0f / (1 << 23)) * p.scale);
  }
}

}  // namespace sinkq
