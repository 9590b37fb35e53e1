// What the blocks of pack for a page of the codec INT2_ADAPTIVE share.
#pragma once
#include "adaptive.cuh"
#include "grids.cuh"
#include "pack.cuh"

namespace sinkq {

template <int D>
struct AdaptivePacker {
  using A = AdaptiveShape<D>;
  static constexpr int TOKENS = A::TOKENS;
  static constexpr int BLOCK = 2 * dense_half(D);
  static constexpr int THREADS = PACK_THREADS;

  uint32_t* masked;  // [4] bits

  __device__ bool is_masked(int token) const { return masked[token / 32] >> (token % 32) & 1; }

  __device__ int present() const {
    return TOKENS - __popc(masked[0]) - __popc(masked[1]) - __popc(masked[2]) - __popc(masked[3]);
  }

  // Calls each(token) in ascending order. Words without masked tokens, nearly all, take no branches.
  template <typename Each>
  __device__ __forceinline__ void for_present(const Each& each) const {
#pragma unroll 1
    for (int first = 0; first < TOKENS; first += 32) {
      uint32_t hidden = masked[first / 32];
      if (hidden == 0) {
#pragma unroll 8
        for (int i = 0; i < 32; i++) each(first + i);
      } else {
#pragma unroll 1
        for (int i = 0; i < 32; i++) {
          if (!(hidden >> i & 1)) each(first + i);
        }
      }
    }
  }

  // Calls put(block, tile, row, column, two fp16 numbers at that column and the next) for some tiles of a half.
  template <typename Put>
  static __device__ void gather(const Window& w, int first, int half, int first_tile, int tiles, const Put& put) {
    constexpr int AT_ONCE = 4;
    for (int begin = threadIdx.x; begin < A::TOKEN_TILES * tiles * 32; begin += AT_ONCE * THREADS) {
      uint4 regs[AT_ONCE] = {};
#pragma unroll
      for (int n = 0; n < AT_ONCE; n++) {
        int i = begin + n * THREADS;
        if (i >= A::TOKEN_TILES * tiles * 32) break;
        const uint8_t* from = w.blocks + int64_t{w.slot(first + i / 32 / tiles * TILE) / TILE} * BLOCK + half +
                              (first_tile + i / 32 % tiles) * TILE_BYTES + i % 32 * 16;
        regs[n] = *reinterpret_cast<const uint4*>(from);
      }
#pragma unroll
      for (int n = 0; n < AT_ONCE; n++) {
        int i = begin + n * THREADS;
        if (i >= A::TOKEN_TILES * tiles * 32) break;
        const uint32_t words[4] = {regs[n].x, regs[n].y, regs[n].z, regs[n].w};
#pragma unroll
        for (int r = 0; r < 4; r++) {
          put(i / 32 / tiles, i / 32 % tiles, i % 32 / 4 + 8 * (r & 1), 2 * (i & 3) + 8 * (r >> 1), words[r]);
        }
      }
    }
  }

  // What is left of a half, so that the same rows give the same bytes.
  static __device__ void pad(uint8_t* half, int from, int to) {
    for (int i = from + threadIdx.x; i < to; i += THREADS) half[i] = 0;
  }
};

}  // namespace sinkq
