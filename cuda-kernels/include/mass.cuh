// mass: the attention that window tokens draw, for layers that select sinks by it
// (org.sinkq.SinkPolicy.Selection.MOST_ATTENDED).
//
// A probability is known only when all parts of a softmax have been merged. So attend and prefill leave each
// column's largest logit and sum of weights, and the logits of the window are computed here once more.
// Probabilities are rounded to integers before they are added up, so that no order changes a sum.
//
// Grid (kv_heads; 128 window tokens, 64 beyond D = 128; sequences), 8 warps a block, 4 beyond D = 128. A warp has the
// keys of its tokens in registers and meets all columns (query row, query head of the group) of the step, or every second
// 16 of them, the others being met by another warp with the same tokens; the block shares their queries, and the next
// ones come while it multiplies.
//
//   S^T [tokens, columns] = K Q^T     K is the A operand, read in place; 8 columns are a B operand
//
// A token's new score is the committed one, or that of no mass, less what was added up: it has one writer, on the
// side that is not committed. Rows that were appended without attention have no columns: masses move on as they are.
#pragma once
#include "elements.cuh"
#include "layout.cuh"
#include "params.cuh"
#include "ptx.cuh"
#include "queries.cuh"
#include "sinks.cuh"
#include "units.cuh"

namespace sinkq {

template <int D>
struct MassShape {
  static constexpr int C = D / TILE;
  static constexpr int TOKEN_TILES = D <= 128 ? 2 : 1;  // of a warp
  static constexpr int TOKENS = WARPS * TOKEN_TILES * TILE;
  static constexpr int SHARES = D <= 128 ? 2 : 1;      // warps with the same tokens
  static constexpr int THREADS = SHARES * WARPS * 32;
  static constexpr int COLUMNS = SHARES * TILE;        // whose queries are multiplied at a time
  static constexpr int STRIDE = 2 * D + 16;           // of a query: words of 8 of them lie in different banks
  static constexpr int QUERY_BYTES = COLUMNS * STRIDE;
};

struct alignas(16) MassColumn {
  float factor;  // from q K^T to base-2 logits
  float top;     // largest logit
  float norm;    // from weights to units of mass; 0: there is no such column
  int position;
};

template <int D>
struct WindowMasses {
  using S = MassShape<D>;
  static constexpr int C = S::C;
  static constexpr int M = S::TOKEN_TILES;
  static constexpr int BLOCK = 2 * dense_half(D);

  const Params& p;
  const Sequence& seq;
  MassColumn (*columns)[S::COLUMNS];                  // [2]
  uint8_t (*queries)[2][S::QUERY_BYTES];              // [2], and what fp16 loses of them, if they are F32
  const bool in_place;                                // queries are copied as they are
  const int head = blockIdx.x;
  const int share = threadIdx.x / (WARPS * 32);
  const int warp = threadIdx.x / 32 % WARPS;  // of a share
  const int lane = threadIdx.x % 32;
  const int g = lane / 4;
  const int t = lane % 4;

  __device__ WindowMasses(const Params& p, const Sequence& seq, MassColumn (*columns)[S::COLUMNS],
                          uint8_t (*queries)[2][S::QUERY_BYTES])
      : p(p), seq(seq), columns(columns), queries(queries), in_place(is_in_place(p.q)) {}

  // Whether pieces of 16 bytes are aligned.
  static __device__ __forceinline__ bool is_in_place(const Tensor& q) {
    return q.dtype == F16 && ((reinterpret_cast<int64_t>(q.data) | q.token_stride * 2 | q.head_stride * 2) & 15) == 0;
  }

  // Columns that are multiplied at a time.
  struct Batch {
    int first;
    int count;
    int row;   // of the first column
    int head;  // of its group

    __device__ Batch(const Params& p, int first, int end)
        : first(first), count(min(S::COLUMNS, end - first)), row(first / p.group), head(first - row * p.group) {}
  };

  // Where the n-th column of a batch begins in the caller's queries; behind the last one, that one.
  __device__ __forceinline__ int64_t offset(const Batch& batch, int n) const {
    int in_row = batch.head + min(n, batch.count - 1);
    int row = row_of(p, in_row);
    return (seq.first_row + batch.row + row) * p.q.token_stride +
           (head * p.group + in_row - row * p.group) * p.q.head_stride;
  }

  // Queries into shared memory, those that fp16 may not hold normalized by a power of two to [0.5, 1).
  template <DType TYPE>
  __device__ void load_queries(const Batch& batch, int buffer) const {
    using Rows = QueryRows<D>;
    constexpr int ROUND = S::THREADS / 32 * Rows::AT_ONCE;
    for (int first = Rows::AT_ONCE * (threadIdx.x / 32); first < ceil_div(batch.count, TILE) * TILE; first += ROUND) {
      Rows rows(lane);
#pragma unroll
      for (int k = 0; k < Rows::AT_ONCE; k++) rows.template load_column<TYPE>(k, p.q, offset(batch, first + k));
#pragma unroll
      for (int k = 0; k < Rows::AT_ONCE; k++) {
        PowerAbove power = TYPE == F16 ? PowerAbove::one() : rows.power(k);
        float normalize = power.inverse();
        if (lane == 0) columns[buffer][first + k].factor = power.value() * p.scale_log2;
#pragma unroll
        for (int i = 0; i < Rows::PAIRS; i++) {
          int d = rows.channel(i);
          if (d >= D) continue;
          float2 pair = rows.pair(k, i, normalize);
          uint32_t halves = pack_halves(pair.x, pair.y);
          int at = (first + k) * S::STRIDE + 2 * d;
          *reinterpret_cast<uint32_t*>(queries[buffer][0] + at) = halves;
          if (TYPE == F32) *reinterpret_cast<uint32_t*>(queries[buffer][1] + at) = Rows::rest(pair, halves);
        }
      }
    }
  }

  // Begins to bring the queries of a batch; returns the extent of this thread's column, for which nothing waits yet.
  __device__ __forceinline__ float2 fetch(const Batch& batch, int buffer) const {
    if (batch.count <= 0) return {};
    if (in_place) {
      constexpr int PIECES = D / 8;
      for (int i = threadIdx.x; i < ceil_div(batch.count, TILE) * TILE * PIECES; i += S::THREADS) {
        const uint8_t* source = p.q.data + 2 * offset(batch, i / PIECES);
        copy16_async(queries[buffer][0] + i / PIECES * S::STRIDE + i % PIECES * 16, source + i % PIECES * 16);
      }
      commit_copies();
    } else if (p.q.dtype == F32) {
      load_queries<F32>(batch, buffer);
    } else if (p.q.dtype == F16) {
      load_queries<F16>(batch, buffer);
    } else {
      load_queries<BF16>(batch, buffer);
    }
    return extents(p, seq, head)[batch.first + min(static_cast<int>(threadIdx.x), batch.count - 1)];
  }

  // Leaves a thread's column to all. Where queries are not copied as they are, its factor is there already.
  __device__ __forceinline__ void put(const Batch& batch, float2 extent, int buffer) const {
    int n = threadIdx.x;
    if (n >= S::COLUMNS) return;
    MassColumn& to = columns[buffer][n];
    if (in_place) to.factor = p.scale_log2;
    to.top = extent.x;
    to.norm = n < batch.count ? MASS_UNITS / extent.y : 0;
    to.position = seq.length + batch.row + row_of(p, batch.head + n);
  }

  // Adds the products of keys with 16 queries: s[m][n][2 h + i] of token g + 8 h, column 8 n + 2 t + i.
  __device__ __forceinline__ void multiply(float (&s)[M][2][4], const uint4 (&k)[M][C], const uint8_t* with) const {
    const uint32_t* q = reinterpret_cast<const uint32_t*>(with + g * S::STRIDE) + t;
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int n = 0; n < 2; n++) {
        const uint32_t* b = q + 2 * n * S::STRIDE + c * 8;
#pragma unroll
        for (int m = 0; m < M; m++) mma(s[m][n], k[m][c].x, k[m][c].y, k[m][c].z, k[m][c].w, b[0], b[4]);
      }
    }
  }

  // A logit, capped or not, less its column's largest one.
  __device__ __forceinline__ float below_top(float product, const MassColumn& column) const {
    if (p.soft_cap_log2 == 0) return fmaf(product, column.factor, -column.top);
    float y = exp2_fast(product * column.factor * __fdividef(2 * 1.44269504f, p.soft_cap_log2));
    return p.soft_cap_log2 * (1 - __fdividef(2, y + 1)) - column.top;
  }

  // What a tile of columns gives the tokens at a position and every eighth after it. PLAIN: each column sees all of
  // the block's tokens, and no logit is capped.
  template <bool PLAIN>
  __device__ __forceinline__ void give(unsigned (&units)[2 * M], const uint4 (&k)[M][C], int buffer, int tile,
                                       int position) const {
    float s[M][2][4] = {};
    if (p.q.dtype == F32) multiply(s, k, queries[buffer][1] + tile * TILE * S::STRIDE);
    multiply(s, k, queries[buffer][0] + tile * TILE * S::STRIDE);
#pragma unroll
    for (int n = 0; n < 2; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        MassColumn column = columns[buffer][tile * TILE + 8 * n + 2 * t + i];
        int after = p.sliding_window == 0 ? -1 : column.position - p.sliding_window;
#pragma unroll
        for (int h = 0; h < 2 * M; h++) {
          float product = s[h / 2][n][h % 2 * 2 + i];
          int at = position + 8 * h;
          float below = PLAIN ? fmaf(product, column.factor, -column.top) : below_top(product, column);
          bool seen = PLAIN || (at <= column.position && at > after);
          units[h] += seen ? __float2uint_rn(exp2_fast(below) * column.norm) : 0;
        }
      }
    }
  }

  // Score of a window token before this step.
  __device__ __forceinline__ uint64_t before(int token) const {
    if (token >= seq.length - seq.flushed) return NO_MASS;
    return ring_scores<BLOCK>(p, seq, head, true)[(seq.flushed + token) % p.ring_tokens];
  }

  __device__ void run() const {
    Window win = window<BLOCK>(p, seq, head);
    int tokens = seq.length + seq.rows - seq.flushed;
    int first = blockIdx.y * S::TOKENS;  // token of the block
    int last = seq.flushed + first + S::TOKENS - 1;
    // Columns that see any of the block's tokens; from one on they see all, and their logits are what they are.
    int all = p.extents == nullptr ? 0 : seq.rows * p.group;
    int from = max(0, seq.flushed + first - seq.length) * p.group;
    int end = p.sliding_window == 0 ? all : min(all, (last + p.sliding_window - seq.length) * p.group);
    bool plain = p.sliding_window == 0 && p.soft_cap_log2 == 0;
    int plain_from = plain ? (last - seq.length) * p.group : all;
    Batch batch(p, from, end);
    float2 extent = fetch(batch, 0);
    int own = first + warp * M * TILE;  // token of the warp
    uint4 k[M][C] = {};
#pragma unroll
    for (int m = 0; m < M; m++) {
      if (own + m * TILE >= tokens) continue;
      int block = win.slot(own + m * TILE) / TILE;
      const uint4* rows = reinterpret_cast<const uint4*>(win.blocks + int64_t{block} * BLOCK) + lane;
#pragma unroll
      for (int c = 0; c < C; c++) k[m][c] = rows[c * 32];
    }
    // Lane t of a token's four has the score of the t-th eighth after it.
    int mine = own + g + 8 * t;
    bool is_mine = t < 2 * M && mine < tokens;
    uint64_t score = is_mine && share == 0 ? before(mine) : 0;
    put(batch, extent, 0);
    uint64_t given[2 * M] = {};
    for (int buffer = 0; from < end; buffer = 1 - buffer) {
      int following = from + S::COLUMNS;
      wait_copies<0>();
      __syncthreads();
      Batch next(p, following, end);
      extent = fetch(next, 1 - buffer);
      if (share * TILE < end - from) {
        unsigned units[2 * M] = {};
        if (from >= plain_from) {
          give<true>(units, k, buffer, share, seq.flushed + own + g);
        } else {
          give<false>(units, k, buffer, share, seq.flushed + own + g);
        }
#pragma unroll
        for (int h = 0; h < 2 * M; h++) given[h] += units[h];
      }
      put(next, extent, 1 - buffer);
      from = following;
    }
#pragma unroll
    for (int h = 0; h < 2 * M; h++) {
      given[h] += __shfl_xor_sync(~0u, given[h], 1);
      given[h] += __shfl_xor_sync(~0u, given[h], 2);
      if (t == h) score -= given[h];
    }
    if constexpr (S::SHARES > 1) {
      uint64_t* other = reinterpret_cast<uint64_t*>(queries[0][0]) + threadIdx.x % (WARPS * 32);
      __syncthreads();
      if (share == 1) *other = score;
      __syncthreads();
      if (share == 0) score += *other;
    }
    if (is_mine && share == 0) win.scores[win.slot(mine)] = score;
  }
};

template <int D>
__device__ void add_masses(const Params& p) {
  using S = MassShape<D>;
  __shared__ __align__(16) uint8_t queries[2][2][S::QUERY_BYTES];
  __shared__ MassColumn columns[2][S::COLUMNS];
  const Sequence& seq = sequence(p, blockIdx.z);
  // A place in a recorded step that has no sequence has no rows.
  if (seq.rows == 0 || blockIdx.y * S::TOKENS >= seq.length + seq.rows - seq.flushed) return;
  WindowMasses<D>(p, seq, columns, queries).run();
}

}  // namespace sinkq
