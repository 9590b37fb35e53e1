// prefill: softmax(q K^T) V for sequences with many columns (query row, query head of the group), which
// share what is read: a flash kernel whose tiles of tokens come from pages, sinks and window alike.
//
// Grid (items), 4 warps a block; an item is all tokens, or a range of their tiles, for up to COLUMNS columns
// of one KV head. The last range of the same columns to arrive merges all of them.
//
//   S [columns, tokens]     = Q K^T      Q is the A operand, K the B operand
//   O^T [channels, columns] = V^T P^T    V^T is the A operand as it lies, P^T the B operand: accumulators of S in place
//
// The order of A's registers that rows are stored in serves as B's for two products of 8 tokens: registers 0 and
// 2, and 1 and 3. Pages are expanded to that order in shared memory, keys as two fp16 parts, so that logits lose
// nothing by it; values as one. Queries that fp16 cannot hold have two parts as well.
//
//   shared memory   queries | keys of a tile | values of a tile, or its keys' second parts | queries' second parts
//
// A tile's values come while its logits are computed, the next one's keys with the weighted sum. With 8 warps on an
// SM it is the length of a tile that counts: ptxas spreads the exponentials between the products only if they are
// written row by row and summed in order, as they are here; block by block, or in two halves, they take 8 % longer.
#pragma once
#include "queries.cuh"
#include "sums.cuh"

namespace sinkq {

// Dynamic shared memory of a block, if all query types fit into fp16.
template <int D>
__host__ __device__ constexpr int prefill_shared() {
  return PrefillShape<D>::QUERY_BYTES + 2 * PrefillShape<D>::TILE_HALF;
}

// By how much base-2 logits may exceed what weights are relative to: weights up to 2^8 are as exact in fp16 as
// those up to 1, and what has been summed need not be adapted to every new maximum.
constexpr float HEADROOM = 8;

template <int D>
struct Prefill : Sums<D> {
  using T = Sums<D>;
  using S = PrefillShape<D>;
  static constexpr int C = S::C;
  static constexpr int M = S::ROW_TILES;
  static constexpr int N = 2 * S::BLOCKS;  // groups of 8 tokens
  static constexpr int G = 2 * M;          // groups of 8 columns

  using T::clear;
  using T::column;
  using T::end_tile;
  using T::g;
  using T::item;
  using T::keys;
  using T::lane;
  using T::lowest;
  using T::max_;
  using T::out;
  using T::p;
  using T::positions;
  using T::seq;
  using T::sum;
  using T::t;
  using T::values;
  using T::warp;
  using T::warp_end;

  uint8_t* queries;
  uint8_t* query_rests;
  float* factors;      // from q K^T to base-2 logits, by column
  int* last_seen;      // position of a column's row
  float factor[M][2];  // of columns g and g + 8 of a row tile

  __device__ Prefill(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared, int* positions,
                     float* factors, int* last_seen)
      : T(p, seq, item, shared + S::QUERY_BYTES, positions),
        queries(shared),
        query_rests(values + S::TILE_HALF),
        factors(factors),
        last_seen(last_seen) {}

  // Queries of this warp's columns into shared memory, normalized by a power of two to [0.5, 1) so that
  // fp16 holds them.
  template <DType TYPE>
  __device__ void load_queries() const {
    using Rows = QueryRows<D>;
    for (int first = 0; first < S::WARP_COLUMNS; first += Rows::AT_ONCE) {
      Rows rows(lane);
#pragma unroll
      for (int k = 0; k < Rows::AT_ONCE; k++) {
        int local = warp * S::WARP_COLUMNS + first + k;
        if (local < item.columns) rows.template load_column<TYPE>(k, p.q, this->offset(p.q, local));
      }
#pragma unroll
      for (int k = 0; k < Rows::AT_ONCE; k++) {
        PowerAbove power = rows.power(k);
        float normalize = power.inverse();
        int row = warp * S::WARP_COLUMNS + first + k;
        if (lane == 0) factors[row] = power.value() * p.scale_log2;
#pragma unroll
        for (int i = 0; i < Rows::PAIRS; i++) {
          int d = rows.channel(i);
          if (d >= D) continue;
          float2 pair = rows.pair(k, i, normalize);
          uint32_t halves = pack_halves(pair.x, pair.y);
          int at = (row / TILE * C + d / TILE) * TILE_BYTES + tile_offset(row % TILE, d % TILE);
          *reinterpret_cast<uint32_t*>(queries + at) = halves;
          if (TYPE == F32) *reinterpret_cast<uint32_t*>(query_rests + at) = Rows::rest(pair, halves);
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
    int first = warp * S::WARP_COLUMNS;
    if (lane < S::WARP_COLUMNS) last_seen[first + lane] = this->position(min(first + lane, item.columns - 1));
    __syncwarp();
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) factor[m][h] = factors[column(m, h)];
    }
    clear();
  }

  // s[m][n][2 h + i]: column g + 8 h, token 8 n + 2 t + i.
  __device__ __forceinline__ void logits(float (&s)[M][N][4], bool page) const {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int n = 0; n < N; n++) s[m][n][0] = s[m][n][1] = s[m][n][2] = s[m][n][3] = 0;
    }
    // ptxas would copy the registers of a key again for each product. It cannot know that this is 0.
    uint32_t zero = p.kv_heads >> 30;
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
          uint32_t first[2] = {b.x ^ zero, b.z ^ zero};
          uint32_t second[2] = {b.y ^ zero, b.w};
#pragma unroll
          for (int m = 0; m < M; m++) {
            mma(s[m][2 * i], a[m].x, a[m].y, a[m].z, a[m].w, first[0], first[1]);
            mma(s[m][2 * i + 1], a[m].x, a[m].y, a[m].z, a[m].w, second[0], second[1]);
          }
        }
      }
    }
  }

  // Hides what a column does not see.
  __device__ __forceinline__ void hide(float (&s)[M][N][4]) const {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int last = last_seen[column(m, h)];
        int first = lowest(last);
#pragma unroll
        for (int n = 0; n < N; n++) {
          int2 at = *reinterpret_cast<const int2*>(positions + 8 * n + 2 * t);
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

  // Factor from logits to base 2; capped ones have it already.
  __device__ __forceinline__ float to_base2(int m, int h) const { return p.soft_cap_log2 == 0 ? factor[m][h] : 1; }

  // Sees to it that no logit exceeds what weights are relative to by more than the headroom.
  __device__ __forceinline__ void limit(const float (&s)[M][N][4]) {
    float top[M][2];
    bool higher = false;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        top[m][h] = fmaxf(s[m][0][2 * h], s[m][0][2 * h + 1]);
#pragma unroll
        for (int n = 1; n < N; n++) top[m][h] = fmaxf(top[m][h], fmaxf(s[m][n][2 * h], s[m][n][2 * h + 1]));
        top[m][h] *= to_base2(m, h);
        higher = higher || top[m][h] > max_[m][h] + HEADROOM;
      }
    }
    if (__any_sync(~0u, higher)) raise(top);
  }

  // Logits to weights 2^logit.
  __device__ __forceinline__ void weigh(float (&s)[M][N][4]) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float f = to_base2(m, h);
        float safe = max_[m][h] == -INFINITY ? 0 : max_[m][h];
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
          for (int i = 0; i < 2; i++) {
            float& x = s[m][n][2 * h + i];
            x = exp2_fast(fmaf(x, f, -safe));
            sum[m][h] += x;
          }
        }
      }
    }
  }

  // Adds the weighted values.
  __device__ __forceinline__ void add_values(const float (&s)[M][N][4]) {
    const uint4* v = reinterpret_cast<const uint4*>(values) + lane;
#pragma unroll
    for (int i = 0; i < S::BLOCKS; i++) {
      uint32_t b[G][2];
#pragma unroll
      for (int n = 0; n < G; n++) {
#pragma unroll
        for (int k = 0; k < 2; k++) {
          const float(&x)[4] = s[n / 2][2 * i + k];
          b[n][k] = pack_halves(x[2 * (n % 2)], x[2 * (n % 2) + 1]);
        }
      }
#pragma unroll
      for (int c = 0; c < C; c++) {
        uint4 a = v[(i * C + c) * 32];
#pragma unroll
        for (int n = 0; n < G; n++) mma(out[c][n], a.x, a.y, a.z, a.w, b[n][0], b[n][1]);
      }
    }
  }

  __device__ void run() {
    int tile = this->next(this->first_tile);
    const uint8_t* source = this->source(tile);
    this->fetch(keys, source);
    begin();
    while (tile < end_tile) {
      bool page = this->is_page(tile);
      bool whole = tile >= this->whole_from && tile < this->whole_end;
      bool active = tile < warp_end;
      wait_copies<0>();
      __syncthreads();
      if (page) {
        this->expand_page(tile, false);
      } else {
        this->fetch(values, source + dense_half(D));
      }
      if (!whole) this->locate(tile);
      if (page) __syncthreads();
      float s[M][N][4];
      if (active) logits(s, page);
      int following = this->next(tile + 1);
      source = this->source(following);
      wait_copies<0>();
      __syncthreads();
      this->fetch(keys, source);
      if (page) {
        this->expand_page(tile, true);
        __syncthreads();
      }
      if (active) {
        if (p.soft_cap_log2 != 0) cap(s);
        if (!whole) hide(s);
        limit(s);
        weigh(s);
        add_values(s);
      }
      tile = following;
    }
  }

};

template <int D>
__device__ void prefill(const Params& p) {
  using S = PrefillShape<D>;
  extern __shared__ __align__(128) uint8_t shared[];
  __shared__ __align__(8) int positions[S::TOKENS];
  __shared__ float factors[S::COLUMNS];
  __shared__ int last_seen[S::COLUMNS];
  const Item& item = reinterpret_cast<const Item*>(p.plan + p.prompt_table)[blockIdx.x];
  Prefill<D> a(p, sequence(p, item.sequence), item, shared, positions, factors, last_seen);
  a.run();
  a.finish();
}

}  // namespace sinkq
