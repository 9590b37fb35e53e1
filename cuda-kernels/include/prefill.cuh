// prefill: softmax(q K^T) V for sequences with many columns (query row, query head of the group), which
// share what is read: a flash kernel whose tiles of tokens come from pages, sinks and window alike.
//
// Grid (items), 4 warps a block; an item is all tokens, or a range of their tiles, for up to COLUMNS columns
// of one KV head. The last range of the same columns to arrive merges all of them. Here the columns are the
// rows of the products:
//
//   S [columns, tokens]   = Q K^T    Q is the A operand, K the B operand
//   O [columns, channels] = P V      P is the A operand: accumulators of S in place
//
// The order of A's registers that rows are stored in serves as B's for two products of 8 tokens, or 8
// channels: registers 0 and 2, and 1 and 3. Pages are expanded to that order in shared memory, keys as
// two fp16 parts, so that logits lose nothing by it; values as one. Queries that fp16 cannot hold have
// two parts as well.
//
//   shared memory   queries | keys of a tile | values of a tile, or its keys' second parts | queries' second parts
//
// A tile's values come while its logits are computed, the next one's keys with the weighted sum.
#pragma once
#include "tiles.cuh"

namespace sinkq {

// Dynamic shared memory of a block, if all query types fit into fp16.
template <int D>
__host__ __device__ constexpr int prefill_shared() {
  return PrefillShape<D>::QUERY_BYTES + 2 * PrefillShape<D>::TILE_HALF;
}
template <int D>
struct Prefill : Tiles<D> {
  using T = Tiles<D>;
  using S = PrefillShape<D>;
  static constexpr int C = S::C;
  static constexpr int M = S::ROW_TILES;
  static constexpr int N = 2 * S::BLOCKS;  // groups of 8 tokens

  using T::end_tile;
  using T::g;
  using T::highest_all;
  using T::highest_warp;
  using T::item;
  using T::keys;
  using T::lane;
  using T::lowest;
  using T::p;
  using T::positions;
  using T::seq;
  using T::t;
  using T::values;
  using T::warp;
  using T::window_tile;

  uint8_t* queries;
  uint8_t* query_rests;
  float* factors;  // from q K^T to base-2 logits, by column
  float factor[M][2];  // of columns g and g + 8 of a row tile
  int column_position[M][2];
  float max_[M][2];
  float sum[M][2];
  float out[M][2 * C][4];
  __device__ Prefill(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared, int* positions,
                     float* factors)
      : T(p, seq, item, shared + S::QUERY_BYTES, positions),
        queries(shared),
        query_rests(values + S::TILE_HALF),
        factors(factors) {}

  __device__ __forceinline__ int column(int m, int h) const { return warp * S::WARP_COLUMNS + m * TILE + g + 8 * h; }

  // Queries of this warp's columns into shared memory, normalized by a power of two to [0.5, 1) so that
  // fp16 holds them.
  template <DType TYPE>
  __device__ void load_queries() const {
    constexpr int PAIRS = ceil_div(D, 64);
    constexpr int AT_ONCE = 4;
    for (int first = 0; first < S::WARP_COLUMNS; first += AT_ONCE) {
      float x[AT_ONCE][PAIRS][2] = {};
#pragma unroll
      for (int k = 0; k < AT_ONCE; k++) {
        int local = warp * S::WARP_COLUMNS + first + k;
        if (local >= item.columns) continue;
        int column = item.first_column + local;
        int64_t at = (seq.first_row + column / p.group) * p.q.token_stride +
                     (item.head * p.group + column % p.group) * p.q.head_stride;
#pragma unroll
        for (int i = 0; i < PAIRS; i++) {
          int d = i * 64 + 2 * lane;
          if (d >= D) continue;
          x[k][i][0] = load<TYPE>(p.q.data, at + d);
          x[k][i][1] = load<TYPE>(p.q.data, at + d + 1);
        }
      }
#pragma unroll
      for (int k = 0; k < AT_ONCE; k++) {
        float largest = 0;
#pragma unroll
        for (int i = 0; i < PAIRS; i++) largest = fmaxf(largest, fmaxf(fabsf(x[k][i][0]), fabsf(x[k][i][1])));
#pragma unroll
        for (int i = 16; i > 0; i /= 2) largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, i));
        int exponent = min(max(static_cast<int>(__float_as_uint(largest) >> 23), 1), 252);
        float normalize = __uint_as_float((253 - exponent) << 23);
        int row = warp * S::WARP_COLUMNS + first + k;
        if (lane == 0) factors[row] = __uint_as_float((exponent + 1) << 23) * p.scale_log2;
#pragma unroll
        for (int i = 0; i < PAIRS; i++) {
          int d = i * 64 + 2 * lane;
          if (d >= D) continue;
          float low = x[k][i][0] * normalize;
          float high = x[k][i][1] * normalize;
          uint32_t halves = pack_halves(low, high);
          int at = (row / TILE * C + d / TILE) * TILE_BYTES + tile_offset(row % TILE, d % TILE);
          *reinterpret_cast<uint32_t*>(queries + at) = halves;
          if (TYPE == F32) {
            float2 back = __half22float2(*reinterpret_cast<const __half2*>(&halves));
            *reinterpret_cast<uint32_t*>(query_rests + at) = pack_halves(low - back.x, high - back.y);
          }
        }
      }
    }
  }

  __device__ __forceinline__ void begin() {
    if (p.q.dtype == F32) {
      load_queries<F32>();
    } else if (p.q.dtype == F16) {
      load_queries<F16>();
    } else {
      load_queries<BF16>();
    }
    __syncwarp();
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        factor[m][h] = factors[column(m, h)];
        column_position[m][h] = seq.length + (item.first_column + min(column(m, h), item.columns - 1)) / p.group;
      }
    }
    clear();
  }

  // Nothing has been summed.
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int m = 0; m < M; m++) {
      max_[m][0] = max_[m][1] = -INFINITY;
      sum[m][0] = sum[m][1] = 0;
#pragma unroll
      for (int c = 0; c < 2 * C; c++) out[m][c][0] = out[m][c][1] = out[m][c][2] = out[m][c][3] = 0;
    }
  }

  // s[m][n][2 h + i]: column g + 8 h, token 8 n + 2 t + i.
  __device__ __forceinline__ void logits(float (&s)[M][N][4], bool page) const {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int n = 0; n < N; n++) s[m][n][0] = s[m][n][1] = s[m][n][2] = s[m][n][3] = 0;
    }
    // The second parts first, queries' with first ones of keys and the other way round.
    bool rests = p.q.dtype == F32;
#pragma unroll 1
    for (int pass = (rests ? 0 : 1); pass < 3; pass++) {
      if (pass == 1 && !page) continue;
      const uint4* q = reinterpret_cast<const uint4*>(pass == 0 ? query_rests : queries) + warp * M * C * 32 + lane;
      const uint4* k = reinterpret_cast<const uint4*>(pass == 1 ? values : keys) + lane;
#pragma unroll
      for (int c = 0; c < C; c++) {
        uint4 a[M];
#pragma unroll
        for (int m = 0; m < M; m++) a[m] = q[(m * C + c) * 32];
#pragma unroll
        for (int i = 0; i < S::BLOCKS; i++) {
          uint4 b = k[(i * C + c) * 32];
#pragma unroll
          for (int m = 0; m < M; m++) {
            mma(s[m][2 * i], a[m].x, a[m].y, a[m].z, a[m].w, b.x, b.z);
            mma(s[m][2 * i + 1], a[m].x, a[m].y, a[m].z, a[m].w, b.y, b.w);
          }
        }
      }
    }
  }

  // Hides what a column does not see.
  __device__ __forceinline__ void hide(float (&s)[M][N][4]) const {
#pragma unroll
    for (int n = 0; n < N; n++) {
      int2 at = *reinterpret_cast<const int2*>(positions + 8 * n + 2 * t);
#pragma unroll
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
          int last = column_position[m][h];
          int first = lowest(last);
          if (at.x < first || at.x > last) s[m][n][2 * h] = -INFINITY;
          if (at.y < first || at.y > last) s[m][n][2 * h + 1] = -INFINITY;
        }
      }
    }
  }

  // Products to capped base-2 logits.
  __device__ __forceinline__ void cap(float (&s)[M][N][4]) const {
    float twice_inverse = __fdividef(2 * 1.44269504f, p.soft_cap_log2);
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          float y = exp2_fast(s[m][n][i] * factor[m][i / 2] * twice_inverse);
          s[m][n][i] = p.soft_cap_log2 * (1 - __fdividef(2, y + 1));
        }
      }
    }
  }

  // Logits to weights; what has been summed so far is adapted to the new maximum.
  __device__ __forceinline__ void weigh(float (&s)[M][N][4]) {
    float alpha[M][2];
    bool same = true;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float f = p.soft_cap_log2 == 0 ? factor[m][h] : 1;
        float top = -INFINITY;
#pragma unroll
        for (int n = 0; n < N; n++) top = fmaxf(top, fmaxf(s[m][n][2 * h], s[m][n][2 * h + 1]));
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
        top = fmaxf(top * f, max_[m][h]);
        float safe = top == -INFINITY ? 0 : top;
        alpha[m][h] = exp2_fast(max_[m][h] - safe);
        same = same && max_[m][h] == top;
        max_[m][h] = top;
        float total = 0;
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
          for (int i = 0; i < 2; i++) {
            float& x = s[m][n][2 * h + i];
            x = exp2_fast(fmaf(x, f, -safe));
            total += x;
          }
        }
        sum[m][h] = fmaf(sum[m][h], alpha[m][h], total);
      }
    }
    if (__all_sync(~0u, same)) return;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int c = 0; c < 2 * C; c++) {
#pragma unroll
        for (int i = 0; i < 4; i++) out[m][c][i] *= alpha[m][i / 2];
      }
    }
  }

  __device__ __forceinline__ void add_values(const float (&s)[M][N][4]) {
    const uint4* v = reinterpret_cast<const uint4*>(values) + lane;
#pragma unroll
    for (int i = 0; i < S::BLOCKS; i++) {
      uint32_t a[M][4];
#pragma unroll
      for (int m = 0; m < M; m++) {
        a[m][0] = pack_halves(s[m][2 * i][0], s[m][2 * i][1]);
        a[m][1] = pack_halves(s[m][2 * i][2], s[m][2 * i][3]);
        a[m][2] = pack_halves(s[m][2 * i + 1][0], s[m][2 * i + 1][1]);
        a[m][3] = pack_halves(s[m][2 * i + 1][2], s[m][2 * i + 1][3]);
      }
#pragma unroll
      for (int c = 0; c < C; c++) {
        uint4 b = v[(i * C + c) * 32];
#pragma unroll
        for (int m = 0; m < M; m++) {
          mma(out[m][2 * c], a[m][0], a[m][1], a[m][2], a[m][3], b.x, b.z);
          mma(out[m][2 * c + 1], a[m][0], a[m][1], a[m][2], a[m][3], b.y, b.w);
        }
      }
    }
  }

  __device__ void run() {
    int tile = this->next(this->first_tile);
    this->fetch(keys, tile, 0);
    begin();
    while (tile < end_tile) {
      int following = this->next(tile + 1);
      bool page = this->is_page(tile);
      int first = seq.flushed + (tile - window_tile) * S::TOKENS;
      // Every token is seen by every column: later ones only by later rows.
      bool whole = tile >= window_tile && first + S::TOKENS - 1 <= seq.length + item.first_column / p.group &&
                   first >= lowest(highest_all);
      bool active = tile >= window_tile ? first <= highest_warp : highest_warp >= 0;
      wait_copies<0>();
      __syncthreads();
      if (page) {
        this->expand_page(tile, false);
      } else {
        this->fetch(values, tile, dense_half(D));
      }
      if (!whole) this->locate(tile);
      if (page) __syncthreads();
      float s[M][N][4];
      if (active) logits(s, page);
      wait_copies<0>();
      __syncthreads();
      this->fetch(keys, following, 0);
      if (page) {
        this->expand_page(tile, true);
        __syncthreads();
      }
      if (active) {
        if (p.soft_cap_log2 != 0) cap(s);
        if (!whole) hide(s);
        weigh(s);
        add_values(s);
      }
      tile = following;
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
#pragma unroll
      for (int c = 0; c < 2 * C; c++) {
#pragma unroll
        for (int i = 0; i < 4; i++) to[(4 * M + (m * 2 * C + c) * 4 + i) * S::THREADS] = out[m][c][i];
      }
    }
  }

  // Adds a partial result. Always in the order of the ranges, so that the bits repeat.
  __device__ __forceinline__ void take(const float* from) {
#pragma unroll
    for (int m = 0; m < M; m++) {
      float mine[2];
      float other[2];
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float theirs = from[(2 * m + h) * S::THREADS];
        float top = fmaxf(max_[m][h], theirs);
        float safe = top == -INFINITY ? 0 : top;
        mine[h] = exp2_fast(max_[m][h] - safe);
        other[h] = exp2_fast(theirs - safe);
        max_[m][h] = top;
        sum[m][h] = fmaf(sum[m][h], mine[h], from[(2 * (M + m) + h) * S::THREADS] * other[h]);
      }
#pragma unroll
      for (int c = 0; c < 2 * C; c++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          float x = from[(4 * M + (m * 2 * C + c) * 4 + i) * S::THREADS] * other[i / 2];
          out[m][c][i] = fmaf(out[m][c][i], mine[i / 2], x);
        }
      }
    }
  }

  __device__ __forceinline__ void write() {
    bool pairs = p.out.dtype != F32 && ((p.out.token_stride | p.out.head_stride) & 1) == 0 &&
                 (reinterpret_cast<uintptr_t>(p.out.data) & 3) == 0;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float total = sum[m][h];
        total += __shfl_xor_sync(~0u, total, 1);
        total += __shfl_xor_sync(~0u, total, 2);
        float norm = 1 / total;
        if (column(m, h) >= item.columns) continue;
        int c = item.first_column + column(m, h);
        int64_t at = (seq.first_row + c / p.group) * p.out.token_stride +
                     (item.head * p.group + c % p.group) * p.out.head_stride + 2 * t;
#pragma unroll
        for (int n = 0; n < 2 * C; n++) {
          float low = out[m][n][2 * h] * norm;
          float high = out[m][n][2 * h + 1] * norm;
          if (pairs) {
            store_pair(p.out, at + 8 * n, low, high);
          } else {
            store(p.out, at + 8 * n, low);
            store(p.out, at + 8 * n + 1, high);
          }
        }
      }
    }
  }
};

template <int D>
__device__ void prefill(const Params& p) {
  using S = PrefillShape<D>;
  extern __shared__ __align__(128) uint8_t shared[];
  __shared__ __align__(8) int positions[S::TOKENS];
  __shared__ float factors[S::COLUMNS];
  const Item& item = reinterpret_cast<const Item*>(p.plan + p.prompt_table)[blockIdx.x];
  Prefill<D> a(p, sequence(p, item.sequence), item, shared, positions, factors);
  a.run();
  a.finish();
}

}  // namespace sinkq
