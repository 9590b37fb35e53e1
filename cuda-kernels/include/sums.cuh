// What a block of prefill has summed, by column (query row, query head of the group): weighted values, the sum of the
// weights, and the logit that they are relative to; how ranges of tokens become one result.
#pragma once
#include "tiles.cuh"

namespace sinkq {

template <int D>
struct Sums : Tiles<D> {
  using T = Tiles<D>;
  using S = PrefillShape<D>;
  static constexpr int C = S::C;
  static constexpr int M = S::ROW_TILES;
  static constexpr int G = 2 * M;  // groups of 8 columns

  using T::g;
  using T::item;
  using T::lane;
  using T::p;
  using T::t;
  using T::warp;

  // Of columns g and g + 8 of a row tile: the base-2 logit that weights are relative to, the same in the 4 lanes of g.
  float max_[M][2];
  float sum[M][2];     // of what this lane has weighed
  float out[C][G][4];  // channels g and g + 8, of columns 2 t and 2 t + 1 of a group

  __device__ Sums(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared, int* positions)
      : T(p, seq, item, shared, positions) {}

  // Where a lane's logits of a row tile belong.
  __device__ __forceinline__ int column(int m, int h) const { return warp * S::WARP_COLUMNS + m * TILE + g + 8 * h; }

  // Nothing has been summed.
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int m = 0; m < M; m++) {
      max_[m][0] = max_[m][1] = -INFINITY;
      sum[m][0] = sum[m][1] = 0;
    }
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int n = 0; n < G; n++) out[c][n][0] = out[c][n][1] = out[c][n][2] = out[c][n][3] = 0;
    }
  }

  // A column's value, from where logits have it to where weighted sums do: columns 2 t and 2 t + 1 of group n.
  static __device__ __forceinline__ void turn(float (&to)[G][2], const float (&from)[M][2]) {
    int source = 8 * (threadIdx.x % 4);
#pragma unroll
    for (int n = 0; n < G; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) to[n][i] = __shfl_sync(~0u, from[n / 2][n % 2], source + 4 * i);
    }
  }

  // Takes the largest logits seen as what weights are relative to, and adapts what has been summed.
  __device__ __forceinline__ void raise(const float (&top)[M][2]) {
    float alpha[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float all = top[m][h];
        all = fmaxf(all, __shfl_xor_sync(~0u, all, 1));
        all = fmaxf(all, __shfl_xor_sync(~0u, all, 2));
        all = fmaxf(all, max_[m][h]);
        alpha[m][h] = exp2_fast(max_[m][h] - (all == -INFINITY ? 0 : all));
        max_[m][h] = all;
        sum[m][h] *= alpha[m][h];
      }
    }
    float by[G][2];
    turn(by, alpha);
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int n = 0; n < G; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) out[c][n][i] *= by[n][i % 2];
      }
    }
  }

  // Writes the result, or leaves a partial one and, in the last block to arrive, merges those of all ranges.
  // A thread's share of a partial result is what it has in registers, word by word of all threads.
  __device__ __forceinline__ void finish() {
    if (item.splits > 1) {
      __shared__ bool last;
      float* partial = p.partials + int64_t{item.partial} * S::PARTIAL + threadIdx.x;
      leave(partial + int64_t{item.split} * S::PARTIAL);
      __syncthreads();
      if (threadIdx.x == 0) {
        last = arrive(p.counters + item.counter) == item.splits - 1;
        if (last) p.counters[item.counter] = 0;
      }
      __syncthreads();
      if (!last) return;
      clear();
#pragma unroll 1
      for (int i = 0; i < item.splits; i++) take(partial + int64_t{i} * S::PARTIAL);
    }
    write();
  }

  __device__ __forceinline__ void leave(float* to) const {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        to[(2 * m + h) * S::THREADS] = max_[m][h];
        to[(2 * (M + m) + h) * S::THREADS] = sum[m][h];
      }
    }
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int n = 0; n < G; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) to[(4 * M + (c * G + n) * 4 + i) * S::THREADS] = out[c][n][i];
      }
    }
  }

  // Adds a partial result. Always in the order of the ranges, so that the bits repeat.
  __device__ __forceinline__ void take(const float* from) {
    float mine[M][2];
    float other[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float theirs = from[(2 * m + h) * S::THREADS];
        float top = fmaxf(max_[m][h], theirs);
        // A range of which a column sees nothing can come first: its columns' tokens can be fewer than ranges.
        float safe = top == -INFINITY ? 0 : top;
        mine[m][h] = exp2_fast(max_[m][h] - safe);
        other[m][h] = exp2_fast(theirs - safe);
        max_[m][h] = top;
        sum[m][h] = fmaf(sum[m][h], mine[m][h], from[(2 * (M + m) + h) * S::THREADS] * other[m][h]);
      }
    }
    float mine_by[G][2];
    float other_by[G][2];
    turn(mine_by, mine);
    turn(other_by, other);
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int n = 0; n < G; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          float x = from[(4 * M + (c * G + n) * 4 + i) * S::THREADS] * other_by[n][i % 2];
          out[c][n][i] = fmaf(out[c][n][i], mine_by[n][i % 2], x);
        }
      }
    }
  }

  __device__ __forceinline__ void write() {
    float norm[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float total = sum[m][h];
        total += __shfl_xor_sync(~0u, total, 1);
        total += __shfl_xor_sync(~0u, total, 2);
        norm[m][h] = 1 / total;
        // For `mass`.
        if (p.extents != nullptr && t == 0 && column(m, h) < item.columns) {
          extents(p, this->seq, item.head)[item.first_column + column(m, h)] = {max_[m][h], total};
        }
      }
    }
    float by[G][2];
    turn(by, norm);
    bool pairs = p.out.dtype != F32 && ((p.out.token_stride | p.out.head_stride) & 1) == 0 &&
                 (reinterpret_cast<uintptr_t>(p.out.data) & 3) == 0;
    int first = warp * S::WARP_COLUMNS;
#pragma unroll
    for (int n = 0; n < G; n++) {
      if (pairs) {
        // Turned, so that a lane has two channels of a column.
        int column = first + 8 * n + g;
        int64_t at = this->offset(p.out, min(column, item.columns - 1)) + 2 * t;
#pragma unroll
        for (int k = 0; k < 2 * C; k++) {
          const float* x = out[k / 2][n] + k % 2 * 2;
          uint32_t two = transpose(pair_bits(p.out, x[0] * by[n][0], x[1] * by[n][1]));
          if (column < item.columns) *reinterpret_cast<uint32_t*>(p.out.data + 2 * (at + 8 * k)) = two;
        }
        continue;
      }
#pragma unroll
      for (int i = 0; i < 2; i++) {
        int column = first + 8 * n + 2 * t + i;
        if (column >= item.columns) continue;
        int64_t at = this->offset(p.out, column) + g;
#pragma unroll
        for (int k = 0; k < 2 * C; k++) store(p.out, at + 8 * k, out[k / 2][n][k % 2 * 2 + i] * by[n][i]);
      }
    }
  }
};

}  // namespace sinkq
