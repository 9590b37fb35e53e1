// pack: pages from the window, quantized (or, for dense pages, copied), each half by a block of its own.
// Grid (pages to be filled, kv_heads, halves), PACK_THREADS a block; shared memory: 2 D G bytes of fp16, then
// scales and minima.
#pragma once
#include <cuda_fp16.h>
#include "layout.cuh"
#include "params.cuh"

namespace sinkq {

constexpr int PACK_THREADS = 512;

// Halves between two rows of the transposed copy in shared memory; odd multiple of a word.
__host__ __device__ constexpr int pack_pitch(int columns) { return columns + 2; }

__host__ __device__ constexpr int pack_shared(int head_dim, int page_tokens) {
  return 2 * pack_pitch(head_dim) * page_tokens + 8 * (head_dim > 2 * page_tokens ? head_dim : 2 * page_tokens) + 16;
}

// fp16 bits as an integer in numeric order, -0 below +0, as Java's Math.min has it.
__device__ __forceinline__ int ordered(uint16_t bits) { return bits & 0x8000 ? -1 - (bits & 0x7FFF) : bits; }
__device__ __forceinline__ float unordered(int order) {
  uint16_t bits = order < 0 ? static_cast<uint16_t>(0x8000 | (-1 - order)) : static_cast<uint16_t>(order);
  return __half2float(__ushort_as_half(bits));
}

struct Range {
  int low = 0x7FFF;
  int high = -0x8000;
  __device__ __forceinline__ void add(uint16_t bits) {
    int x = ordered(bits);
    low = min(low, x);
    high = max(high, x);
  }

  // With what `lanes` neighbouring lanes have found.
  __device__ __forceinline__ void join(int lanes) {
    for (int i = lanes / 2; i > 0; i /= 2) {
      low = min(low, __shfl_xor_sync(~0u, low, i));
      high = max(high, __shfl_xor_sync(~0u, high, i));
    }
  }
};

// Scale and minimum, rounded to fp16 before any code is computed with them.
template <int BITS>
__device__ __forceinline__ float2 parameters(const Range& r) {
  constexpr float LEVELS = (1 << BITS) - 1;
  float scale = __fdiv_rn(__fsub_rn(unordered(r.high), unordered(r.low)), LEVELS);
  return {__half2float(__float2half_rn(scale)), unordered(r.low)};
}

template <int BITS>
__device__ __forceinline__ uint32_t code(float x, float2 range) {
  constexpr float LEVELS = (1 << BITS) - 1;
  if (range.x == 0.f) return 0;
  float above = __fsub_rn(x, range.y);
  float steps = __fdividef(above, range.x);
  float nearest = rintf(steps);
  // A quotient that is off by 2 units in the last place rounds like the exact one, unless it is near a tie.
  if (fabsf(steps - nearest) > 0.5f - 1e-5f) nearest = rintf(__fdiv_rn(above, range.x));
  return static_cast<uint32_t>(fminf(fmaxf(nearest, 0.f), LEVELS));
}

__device__ __forceinline__ void put_parameters(uint8_t* minimum, int scale_offset, float2 range, bool mark) {
  uint16_t scale = __half_as_ushort(__float2half_rn(range.x)) | (mark ? 0x8000 : 0);
  *reinterpret_cast<uint16_t*>(minimum) = __half_as_ushort(__float2half_rn(range.y));
  *reinterpret_cast<uint16_t*>(minimum + scale_offset) = scale;
}

// Bits of the page's tokens that live elsewhere; there for all once the block has synchronized.
__device__ __forceinline__ void mark_masked(const Params& p, int sequence, int head, int first, uint32_t* masked) {
  if (threadIdx.x < 4) masked[threadIdx.x] = 0;
  __syncthreads();
  if (p.sink_slots == 0 || threadIdx.x >= p.pool_tokens) return;
  int token = p.picks[(int64_t{sequence} * p.kv_heads + head) * p.pool_tokens + threadIdx.x] - first;
  if (token >= 0 && token < p.page_tokens) {
    atomicOr(masked + token / 32, 1u << (token % 32));
  }
}

template <int BITS, int D>
struct Packer {
  static constexpr int BLOCK = 2 * dense_half(D);
  static constexpr int CHANNEL_TILES = D / TILE;
  static constexpr int POSITIONS = 8 / BITS;
  static constexpr int PITCH = pack_pitch(D);
  static constexpr int GROUPS = value_groups(D);
  static constexpr int GROUP = D / GROUPS;

  const Params& p;
  int tokens;
  uint16_t* x;       // [G][PITCH] keys or values
  float2* range;     // [D] of keys, [GROUPS][G] of values
  uint32_t* masked;  // [4] bits of masked tokens

  // Copies one half of the page's dense blocks to shared memory, token by token.
  __device__ void gather(const Window& w, int first, bool values) {
    int blocks = tokens / TILE;
#pragma unroll 4
    for (int i = threadIdx.x; i < blocks * CHANNEL_TILES * 32; i += PACK_THREADS) {
      int lane = i % 32;
      int tile = i / 32 % CHANNEL_TILES;
      int block = i / 32 / CHANNEL_TILES;
      const uint8_t* from = w.blocks + int64_t{w.slot(first + block * TILE) / TILE} * BLOCK +
                            (values ? dense_half(D) : 0) + tile * TILE_BYTES + lane * 16;
      uint4 regs = *reinterpret_cast<const uint4*>(from);
      const uint32_t words[4] = {regs.x, regs.y, regs.z, regs.w};
      for (int r = 0; r < 4; r++) {
        int row = lane / 4 + 8 * (r & 1);
        int column = 2 * (lane & 3) + 8 * (r >> 1);
        for (int h = 0; h < 2; h++) {
          int token = block * TILE + (values ? column + h : row);
          int channel = tile * TILE + (values ? row : column + h);
          x[token * PITCH + channel] = static_cast<uint16_t>(words[r] >> (16 * h));
        }
      }
    }
  }

  // Few pages have a masked token, and what `any` says is in a register.
  __device__ bool any_masked() const { return (masked[0] | masked[1] | masked[2] | masked[3]) != 0; }
  __device__ bool is_masked(bool any, int token) const { return any && (masked[token / 32] >> (token % 32) & 1); }

  // A channel, an even one, and the next.
  __device__ uint32_t pair(int token, int channel) const {
    return *reinterpret_cast<const uint32_t*>(x + token * PITCH + channel);
  }

  __device__ float at(int token, int channel) const {
    return __half2float(__ushort_as_half(x[token * PITCH + channel]));
  }

  __device__ void pack_keys(uint8_t* page) {
    int parameters_at = code_bytes(BITS, D, tokens);
    bool any = any_masked();
    // Two channels for so many lanes, which share the tokens.
    constexpr int SHARING = 8;
    for (int first = 0; first < SHARING * D / 2; first += PACK_THREADS) {
      int i = first + threadIdx.x;
      int d = i / SHARING * 2;
      Range r[2];
      if (d < D) {
#pragma unroll 4
        for (int t = i % SHARING; t < tokens; t += SHARING) {
          uint32_t both = pair(t, d);
          if (is_masked(any, t)) continue;
          r[0].add(static_cast<uint16_t>(both));
          r[1].add(static_cast<uint16_t>(both >> 16));
        }
      }
      r[0].join(SHARING);
      r[1].join(SHARING);
      d += i % SHARING;
      if (i % SHARING < 2 && d < D) {
        range[d] = parameters<BITS>(r[i % SHARING]);
        uint8_t* minimum = page + parameters_at + d / TILE * PARAMETER_BYTES + parameter_offset(d % TILE);
        put_parameters(minimum, SCALE_OFFSET, range[d], d == 0 && any);
      }
    }
    __syncthreads();
    int token_tiles = tokens / TILE;
    for (int i = threadIdx.x; i < parameters_at / 4; i += PACK_THREADS) {
      int lane = i / 4 % 32;
      int half = i >> 1 & 1;
      uint32_t word = 0;
      for (int n = 0; n < POSITIONS; n++) {
        int j = i / 128 * POSITIONS + n;
        if (j >= CHANNEL_TILES * token_tiles / 2) break;
        int pair_of_tiles = j / token_tiles;
        bool paired = 2 * pair_of_tiles + 1 < CHANNEL_TILES;
        int token_tile = paired ? j % token_tiles : j % token_tiles * 2 + half;
        int token = token_tile * TILE + lane / 4 + 8 * (i & 1);
        if (is_masked(any, token)) continue;
        int first = (2 * pair_of_tiles + (paired ? half : 0)) * TILE + 2 * (lane & 3);
        for (int h = 0; h < 2; h++) {
          int channel = first + 8 * h;
          uint32_t both = pair(token, channel);
          float2 keys = __half22float2(*reinterpret_cast<const __half2*>(&both));
          word |= code<BITS>(keys.x, range[channel]) << (16 * h + BITS * n);
          word |= code<BITS>(keys.y, range[channel + 1]) << (16 * h + 8 + BITS * n);
        }
      }
      reinterpret_cast<uint32_t*>(page)[i] = word;
    }
  }

  __device__ void pack_values(uint8_t* half) {
    int parameters_at = code_bytes(BITS, D, tokens);
    int token_tiles = tokens / TILE;
    bool any = any_masked();
    // So many lanes share a token's channels.
    constexpr int SHARING = 4;
    for (int first = 0; first < SHARING * GROUPS * tokens; first += PACK_THREADS) {
      int i = (first + threadIdx.x) / SHARING;
      int t = i % tokens;
      int group = i / tokens;
      Range r;
      if (group < GROUPS) {
#pragma unroll 8
        for (int d = group * GROUP + 2 * (threadIdx.x % SHARING); d < (group + 1) * GROUP; d += 2 * SHARING) {
          uint32_t both = pair(t, d);
          r.add(static_cast<uint16_t>(both));
          r.add(static_cast<uint16_t>(both >> 16));
        }
      }
      r.join(SHARING);
      if (group < GROUPS && threadIdx.x % SHARING == 0) {
        range[i] = parameters<BITS>(r);
        uint8_t* minimum = half + parameters_at + (group * token_tiles + t / TILE) * PARAMETER_BYTES +
                           value_parameter_offset(t % TILE);
        put_parameters(minimum, VALUE_SCALE_OFFSET, range[i], group == 0 && is_masked(any, t));
      }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < parameters_at / 4; i += PACK_THREADS) {
      int lane = i / 4 % 32;
      int row = lane / 4 + 8 * (i & 1);
      int column = 2 * (lane & 3) + 8 * (i >> 1 & 1);
      uint32_t word = 0;
      for (int n = 0; n < POSITIONS; n++) {
        int j = i / 128 * POSITIONS + n;
        if (j >= CHANNEL_TILES * token_tiles / 2) break;
        int channel = j % CHANNEL_TILES * TILE + row;
        for (int byte = 0; byte < 4; byte++) {
          int token = (j / CHANNEL_TILES * 2 + byte % 2) * TILE + column + byte / 2;
          if (is_masked(any, token)) continue;
          word |= code<BITS>(at(token, channel), range[channel / GROUP * tokens + token])
                  << (8 * byte + BITS * n);
        }
      }
      reinterpret_cast<uint32_t*>(half)[i] = word;
    }
  }
};

template <int BITS, int D>
__device__ void pack(const Params& p) {
  extern __shared__ __align__(128) uint8_t shared[];
  using P = Packer<BITS, D>;
  const int* entry = p.plan + p.page_list + 2 * blockIdx.x;
  if (entry[0] < 0) return;  // a recorded step has room for more pages than fill
  const Sequence& s = sequence(p, entry[0]);
  int index = entry[1];
  int head = blockIdx.y;
  int page = p.plan[s.new_page_table + index];
  uint8_t* record = p.pages + (int64_t{page} * p.kv_heads + head) * page_bytes(BITS, D, p.page_tokens);
  Window w = window<P::BLOCK>(p, s, head);
  int first = index * p.page_tokens;
  bool values = blockIdx.z == 1;
  if constexpr (BITS == 16) {
    // Every second word, since both halves of a block of tokens are copied alike.
    constexpr int WORDS = P::BLOCK / 16;
    for (int i = 2 * threadIdx.x + values; i < p.page_tokens / TILE * WORDS; i += 2 * PACK_THREADS) {
      int block = w.slot(first + i / WORDS * TILE) / TILE;
      reinterpret_cast<uint4*>(record)[i] =
          reinterpret_cast<const uint4*>(w.blocks + int64_t{block} * P::BLOCK)[i % WORDS];
    }
  } else {
    uint16_t* x = reinterpret_cast<uint16_t*>(shared);
    float2* range = reinterpret_cast<float2*>(x + P::PITCH * p.page_tokens);
    uint32_t* masked = reinterpret_cast<uint32_t*>(range + max(D, 2 * p.page_tokens));
    P packer{p, p.page_tokens, x, range, masked};
    packer.gather(w, first, values);
    mark_masked(p, entry[0], head, first, masked);
    __syncthreads();
    if (values) {
      packer.pack_values(record + key_half(BITS, D, p.page_tokens));
    } else {
      packer.pack_keys(record);
    }
  }
}

}  // namespace sinkq
