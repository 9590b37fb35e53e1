// What a forward pass needs besides matrix products and attention: embedding, RMS norm, RoPE, gate.
// The residual stream and logits are fp32; what goes into a product is fp16, and so is what comes out of one and is no
// sum, since fp32 there would only be traffic: products are summed in fp32 and rounded once.
#pragma once
#include <cuda_fp16.h>
#include <cstdint>

namespace sinkq {

constexpr int FORWARD_THREADS = 256;
constexpr int NORM_THREADS = 512;
constexpr int NORM_QUADS = 4;  // of a thread, so that rows up to 8192 are read once
constexpr int TURN_THREADS = 128;
constexpr int GATE_ELEMENTS = 8;  // of a thread
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
  __half* qkv;             // [rows, q_heads + 2 kv_heads, dim]: queries, keys, values
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
  const __half* x;    // [rows, 2, inner]: gate, up
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

// Sum over a block of NORM_THREADS.
__device__ __forceinline__ float block_sum(float x) {
  __shared__ float sums[NORM_THREADS / 32];
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
  __syncthreads();
  x = 0;
#pragma unroll
  for (int i = 0; i < NORM_THREADS / 32; i++) x += sums[i];
  return x;
}

__device__ __forceinline__ float norm_scale(float squares, int n, float epsilon) {
  return __fdiv_rn(1, __fsqrt_rn(__fdiv_rn(squares, n) + epsilon));
}

__device__ __forceinline__ uint32_t pack_halves(float a, float b) {
  __half2 pair = __floats2half2_rn(a, b);
  return *reinterpret_cast<uint32_t*>(&pair);
}

// x / sqrt(mean(x^2) + epsilon) * weight. Grid (rows).
__device__ inline void norm(const Norm& p) {
  int row = p.rows == nullptr ? blockIdx.x : p.rows[blockIdx.x];
  const float* x = p.x + int64_t{row} * p.width;
  __half* out = p.out + int64_t{blockIdx.x} * p.width;
  float sum = 0;
  if (p.width % 4 != 0 || p.width > 4 * NORM_QUADS * NORM_THREADS) {
    for (int i = threadIdx.x; i < p.width; i += NORM_THREADS) sum = fmaf(x[i], x[i], sum);
    float scale = norm_scale(block_sum(sum), p.width, p.epsilon);
    for (int i = threadIdx.x; i < p.width; i += NORM_THREADS) out[i] = __float2half_rn(x[i] * scale * p.weight[i]);
    return;
  }
  float4 quads[NORM_QUADS];
#pragma unroll
  for (int i = 0; i < NORM_QUADS; i++) {
    int at = threadIdx.x + i * NORM_THREADS;
    quads[i] = at < p.width / 4 ? reinterpret_cast<const float4*>(x)[at] : make_float4(0, 0, 0, 0);
  }
#pragma unroll
  for (int i = 0; i < NORM_QUADS; i++) {
    float4 q = quads[i];
    sum = fmaf(q.x, q.x, fmaf(q.y, q.y, fmaf(q.z, q.z, fmaf(q.w, q.w, sum))));
  }
  float scale = norm_scale(block_sum(sum), p.width, p.epsilon);
#pragma unroll
  for (int i = 0; i < NORM_QUADS; i++) {
    int at = threadIdx.x + i * NORM_THREADS;
    if (at < p.width / 4) {
      float4 q = quads[i];
      float4 w = reinterpret_cast<const float4*>(p.weight)[at];
      reinterpret_cast<uint2*>(out)[at] = make_uint2(pack_halves(q.x * scale * w.x, q.y * scale * w.y),
                                                     pack_halves(q.z * scale * w.z, q.w * scale * w.w));
    }
  }
}

constexpr float HALF_MAX = 65504;

__device__ __forceinline__ float in_half_range(float x) { return fminf(fmaxf(x, -HALF_MAX), HALF_MAX); }

// Bias, norm of a head and RoPE, in place; a query stays within the fp16 range, a key that leaves it is for append to
// refuse. Grid (rows, ceil(heads / warps)), a warp a head; without a bias the heads of v are left out.
__device__ inline void turn(const Turn& p) {
  constexpr int MOST = 8;  // elements of a lane: heads of up to 256
  int head = blockIdx.y * (TURN_THREADS / 32) + threadIdx.x / 32;
  int lane = threadIdx.x % 32;
  int heads = p.q_heads + 2 * p.kv_heads;
  if (head >= heads) return;
  bool turned = head < p.q_heads + p.kv_heads;
  if (!turned && p.bias == nullptr) return;
  __half* out = p.qkv + (int64_t{blockIdx.x} * heads + head) * p.dim;
  // Lane i has pairs i, i + 32, ..., and behind them what is not turned, two by two.
  float x[MOST];
  int at[MOST];
#pragma unroll
  for (int i = 0; i < MOST / 2; i++) {
    int pair = lane + 32 * i;
    bool rotates = pair < p.pairs;
    at[2 * i] = rotates && !p.interleaved ? pair : 2 * pair;
    at[2 * i + 1] = rotates && !p.interleaved ? pair + p.pairs : 2 * pair + 1;
    bool inside = 2 * pair < p.dim;
#pragma unroll
    for (int j = 2 * i; j < 2 * i + 2; j++) {
      x[j] = inside ? __half2float(out[at[j]]) : 0;
      if (inside && p.bias != nullptr) x[j] += p.bias[head * p.dim + at[j]];
    }
  }
  const float* weight = head < p.q_heads ? p.q_norm : p.k_norm;
  if (turned && weight != nullptr) {
    float sum = 0;
#pragma unroll
    for (int j = 0; j < MOST; j++) sum = fmaf(x[j], x[j], sum);
    float scale = norm_scale(warp_sum(sum), p.dim, p.epsilon);
#pragma unroll
    for (int j = 0; j < MOST; j++) {
      if (2 * (lane + 32 * (j / 2)) < p.dim) x[j] *= scale * weight[at[j]];
    }
  }
  const float2* table = p.table + (turned ? int64_t{p.positions[blockIdx.x]} * p.pairs : 0);
#pragma unroll
  for (int i = 0; i < MOST / 2; i++) {
    int pair = lane + 32 * i;
    if (2 * pair >= p.dim) continue;
    float first = x[2 * i];
    float second = x[2 * i + 1];
    if (turned && pair < p.pairs) {
      float2 angle = table[pair];
      x[2 * i] = first * angle.x - second * angle.y;
      x[2 * i + 1] = first * angle.y + second * angle.x;
    }
#pragma unroll
    for (int j = 2 * i; j < 2 * i + 2; j++) {
      out[at[j]] = __float2half_rn(head < p.q_heads ? in_half_range(x[j]) : x[j]);
    }
  }
}

__device__ __forceinline__ float gated(float gate, float up) {
  gate = in_half_range(gate);
  return in_half_range(__fdividef(gate, 1 + __expf(-gate)) * in_half_range(up));
}

// silu(gate) * up, within the fp16 range. Grid (ceil(inner / GATE_ELEMENTS / FORWARD_THREADS), rows).
__device__ inline void gate(const Gate& p) {
  int64_t first = (int64_t{blockIdx.x} * FORWARD_THREADS + threadIdx.x) * GATE_ELEMENTS;
  if (first >= p.inner) return;
  const __half* gates = p.x + int64_t{blockIdx.y} * 2 * p.inner;
  const __half* ups = gates + p.inner;
  __half* out = p.out + int64_t{blockIdx.y} * p.inner;
  if (p.bias == nullptr && p.inner % GATE_ELEMENTS == 0) {
    uint4 g = *reinterpret_cast<const uint4*>(gates + first);
    uint4 u = *reinterpret_cast<const uint4*>(ups + first);
    uint32_t* gw = reinterpret_cast<uint32_t*>(&g);
    const uint32_t* uw = reinterpret_cast<const uint32_t*>(&u);
#pragma unroll
    for (int i = 0; i < GATE_ELEMENTS / 2; i++) {
      float2 a = __half22float2(*reinterpret_cast<const __half2*>(gw + i));
      float2 b = __half22float2(*reinterpret_cast<const __half2*>(uw + i));
      gw[i] = pack_halves(gated(a.x, b.x), gated(a.y, b.y));
    }
    *reinterpret_cast<uint4*>(out + first) = g;
    return;
  }
  for (int64_t i = first; i < min(first + GATE_ELEMENTS, p.inner); i++) {
    float g = __half2float(gates[i]);
    float up = __half2float(ups[i]);
    if (p.bias != nullptr) {
      g += p.bias[i];
      up += p.bias[p.inner + i];
    }
    out[i] = __float2half_rn(gated(g, up));
  }
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
