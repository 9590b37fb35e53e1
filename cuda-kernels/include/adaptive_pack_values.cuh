// A group of the values' half of an adaptive page: rotated, centered, a grid for each token, codes.
#pragma once
#include "adaptive_packer.cuh"

namespace sinkq {

template <int D>
struct AdaptiveValuePacker : AdaptivePacker<D> {
  using Base = AdaptivePacker<D>;
  using A = AdaptiveShape<D>;
  using Base::is_masked;
  using Base::masked;
  static constexpr int THREADS = Base::THREADS;
  static constexpr int TOKENS = A::TOKENS;
  static constexpr int GROUP = A::GROUP;
  static constexpr int PITCH = GROUP + 1;
  static_assert(THREADS == GRIDS * TOKENS, "a thread for each grid of a token");

  float* values;   // [TOKENS][PITCH]
  float* largest;  // [GRIDS][TOKENS], of a share of the channels
  float* errors;   // [GRIDS][TOKENS]
  float* scales;   // [TOKENS]
  float* means;    // [GROUP]

  static __host__ __device__ constexpr int shared_bytes() {
    return (TOKENS * (PITCH + 2 * GRIDS + 1) + GROUP) * 4 + 16;
  }

  __device__ explicit AdaptiveValuePacker(uint8_t* shared) {
    masked = reinterpret_cast<uint32_t*>(shared);
    values = reinterpret_cast<float*>(shared + 16);
    largest = values + TOKENS * PITCH;
    errors = largest + GRIDS * TOKENS;
    scales = errors + GRIDS * TOKENS;
    means = scales + TOKENS;
  }

  static __host__ __device__ constexpr int levels_of(int n) { return n > 1 ? 1 + levels_of(n / 2) : 0; }

  // Some levels of the butterflies, the first of which has partners FIRST apart; in the end times a factor.
  template <int FIRST, int LEVELS>
  __device__ void rotate(float factor) const {
    constexpr int N = 1 << LEVELS;
    for (int i = threadIdx.x; i < TOKENS * GROUP / N; i += THREADS) {
      int set = i / TOKENS;
      float* at = values + i % TOKENS * PITCH + set / FIRST * (FIRST * N) + set % FIRST;
      float x[N];
#pragma unroll
      for (int n = 0; n < N; n++) x[n] = at[n * FIRST];
#pragma unroll
      for (int apart = 1; apart < N; apart *= 2) {
#pragma unroll
        for (int n = 0; n < N; n++) {
          if (n & apart) continue;
          float a = x[n];
          float b = x[n + apart];
          x[n] = __fadd_rn(a, b);
          x[n + apart] = __fsub_rn(a, b);
        }
      }
#pragma unroll
      for (int n = 0; n < N; n++) at[n * FIRST] = __fmul_rn(x[n], factor);
    }
    __syncthreads();
  }

  // The page's mean of each channel.
  __device__ void find_means(uint8_t* half, int group) const {
    float present = this->present();
    for (int d = threadIdx.x; d < GROUP; d += THREADS) {
      float total = 0;
      this->for_present([&](int t) { total = __fadd_rn(total, values[t * PITCH + d]); });
      uint16_t mean = to_half(fminf(fmaxf(__fdiv_rn(total, present), -65504.f), 65504.f));
      int tile = group * A::GROUP_TILES + d / TILE;
      reinterpret_cast<uint16_t*>(half + A::VALUE_MEANS_AT)[(tile * 8 + d % 8) * 2 + d % TILE / 8] = mean;
      means[d] = of_half(mean);
    }
    __syncthreads();
  }

  // Takes the means off.
  __device__ void center() const {
    constexpr int SHARE = GROUP / GRIDS;
    int first = threadIdx.x / TOKENS * SHARE;
    float* x = values + threadIdx.x % TOKENS * PITCH + first;
    float most = 0;
#pragma unroll 8
    for (int d = 0; d < SHARE; d++) {
      float centered = __fsub_rn(x[d], means[first + d]);
      x[d] = centered;
      most = fmaxf(most, fabsf(centered));
    }
    largest[threadIdx.x] = most;
    __syncthreads();
  }

  // Twice the largest magnitude of a token.
  __device__ float range(int t) const {
    float most = 0;
#pragma unroll
    for (int k = 0; k < GRIDS; k++) most = fmaxf(most, largest[k * TOKENS + t]);
    return __fmul_rn(most, 2);
  }

  __device__ void choose_scales(uint8_t* half, int group) const {
    int token = threadIdx.x % TOKENS;
    Grid grid = Grid::around_zero(range(token), threadIdx.x / TOKENS);
    const float* x = values + token * PITCH;
    float sum = 0;
#pragma unroll 8
    for (int d = 0; d < GROUP; d++) sum = __fadd_rn(sum, grid.squared_error(x[d]));
    errors[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x < TOKENS) {
      float error = INFINITY;
      int best = 0;
#pragma unroll
      for (int k = 0; k < GRIDS; k++) {
        if (errors[k * TOKENS + token] < error) {
          error = errors[k * TOKENS + token];
          best = k;
        }
      }
      float scale = is_masked(token) ? 0 : Grid::scale_of(range(token), 3, best);
      scales[token] = scale;
      half[A::value_scale_at(group, token)] = static_cast<uint8_t>(to_half(scale) >> 7);
    }
    __syncthreads();
  }

  __device__ void write_codes(uint8_t* half, int group) const {
    uint32_t* codes = reinterpret_cast<uint32_t*>(half) + group * A::GROUP_TILES * 128;
    for (int i = threadIdx.x; i < A::GROUP_TILES * 128; i += THREADS) {
      int lane = i / 4 % 32;
      int channel = lane / 4 + 8 * (i & 1);
      int column = 2 * (lane & 3) + 8 * (i >> 1 & 1);
      uint32_t word = 0;
#pragma unroll 2
      for (int n = 0; n < 4; n++) {
        int j = i / 128 * 4 + n;
        int d = j % A::GROUP_TILES * TILE + channel;
#pragma unroll
        for (int byte = 0; byte < 4; byte++) {
          int t = (j / A::GROUP_TILES * 2 + byte % 2) * TILE + column + byte / 2;
          Grid grid = Grid::of(3, __fmul_rn(-1.5f, scales[t]), scales[t]);
          uint32_t code = static_cast<uint32_t>(grid.code(values[t * PITCH + d]));
          word |= (is_masked(t) ? 0 : code) << (8 * byte + 2 * n);
        }
      }
      codes[i] = word;
    }
  }

  __device__ void pack(uint8_t* half, const Window& w, int first, int group) const {
    Base::gather(w, first, dense_half(D), group * A::GROUP_TILES, A::GROUP_TILES,
                 [&](int block, int tile, int row, int column, uint32_t pair) {
                   float* at = values + (block * TILE + column) * PITCH + tile * TILE + row;
                   at[0] = of_half(static_cast<uint16_t>(pair));
                   at[PITCH] = of_half(static_cast<uint16_t>(pair >> 16));
                 });
    __syncthreads();
    constexpr int LEVELS = levels_of(A::ROTATED);
    rotate<1, (LEVELS + 1) / 2>(1);
    rotate<1 << (LEVELS + 1) / 2, LEVELS / 2>(A::NORM);
    find_means(half, group);
    center();
    choose_scales(half, group);
    write_codes(half, group);
    if (group == 0) Base::pad(half, A::VALUE_MEANS_AT + 2 * D, A::VALUE_HALF);
  }
};

}  // namespace sinkq
