// attend: softmax(q K^T) V over pages, sinks and window, one launch.
//
// Grid (items), 4 warps a block. An item is a range of units (page, 16 sink slots, 16 window tokens)
// for up to 4 or 8 columns (query row, query head of the group) of one KV head; warps take every fourth
// unit. The last range of the same columns to arrive merges all of them. The only new row of a sequence enters
// the window here, so that a decode step is one launch.
//
//   Units ◄── ColumnQueries ◄── Columns ◄── KeyRows ◄── KeyProducts ◄── Products ◄── Attention
//
// each of which has what the next ones need.
#pragma once
#include "append.cuh"
#include "merge.cuh"
#include "products.cuh"
#include "window_masses.cuh"

namespace sinkq {

// MASSES: window tokens get their attention masses, too.
template <int BITS, int D, int G, bool WIDE, bool MASSES>
struct Attention : Products<BITS, D, G, WIDE> {
  using P = Products<BITS, D, G, WIDE>;
  using S = typename P::S;
  static constexpr int C = P::C;
  static constexpr int OWN = P::OWN;
  using Merge = PartialResults<P::COLUMNS, D, 0>;
  // Padded, so that the lanes of a warp write to different banks.
  using InBlock = PartialResults<P::COLUMNS, D, WIDE ? 4 : 8>;
  using Tokens = WindowTokens<P::COLUMNS, D>;
  static constexpr int AT_ONCE = 4 * WARPS * 32;  // values that the threads merge in one turn

  using P::g;
  using P::item;
  using P::keys;
  using P::lane;
  using P::max_;
  using P::minimum_sum;
  using P::out;
  using P::own;
  using P::p;
  using P::seq;
  using P::sum;
  using P::turn;
  using P::warp;
  using P::Products;

  // Unit of the window that the only new row of the sequence belongs to; -1 if it is not for this warp to put it there.
  // Several rows were put there by `append`. Blocks with other columns of the same row put it there too, in
  // the same bits, so that a warp has to wait for nobody.
  __device__ __forceinline__ int unit_of_new_row() const {
    int unit = this->window_unit + (seq.length - seq.flushed) / TILE;
    bool mine = unit >= item.first_unit && unit < item.end_unit && (unit - item.first_unit) % WARPS == turn;
    return mine && seq.rows == 1 ? unit : -1;
  }

  // Puts the new row into the window. What has been copied from there was without it.
  __device__ __forceinline__ void put_new_row(const NewRow<D>& row, bool copied) const {
    if (copied) this->template wait<0>();
    row.put(p, seq, item.sequence, item.head, this->win, 0, copied ? this->keys : nullptr, this->values);
    __syncwarp();
  }

  // `self` is this object, whose type knows what pages of its kind hide, what their values are, and how they end.
  template <class Self>
  __device__ void run(Self& self) {
    int unit = this->next(item.first_unit + turn);
    int page = this->page_of(unit);
    // Queries and the new row are asked for first, and looked at when the copies are under way.
    uint32_t q[C][4] = {};
    this->load_queries(q);
    int row_unit = unit_of_new_row();
    NewRow<D> row;
    if (row_unit >= 0) row.load(p, seq, item.head, 0);
    const uint8_t* at = this->fetch_keys(unit, page);
    this->fetch_values(unit, at);
    this->begin(q);
    int whole = 0;
    if constexpr (S::QUANTIZED) {
      __syncthreads();
      this->find_largest_steps();
      int last = item.first_column + item.columns - 1;
      whole = this->lowest(seq.length + row_of(p, last));  // from here on, every column sees every token
    }
    if (row_unit >= 0) put_new_row(row, unit == row_unit);
    if constexpr (S::QUANTIZED) {
      while (unit < this->page_end) unit = page_unit(self, unit, whole);
      self.end_pages();
    }
    while (unit < item.end_unit) unit = dense_unit(unit);
  }

  // Takes in a page, and asks for the following unit as soon as there is room; returns that.
  template <class Self>
  __device__ __forceinline__ int page_unit(Self& self, int unit, int whole) {
    int following = this->next_after_page(unit);
    int page = this->page_of(following);
    this->template wait<1>();
    float x[OWN][2 * S::TOKEN_TILES];
    this->page_logits(x);
    self.hide(unit, whole, x);
    __syncwarp();
    const uint8_t* at = this->fetch_keys(following, page);
    this->weigh(x);
    this->template wait<1>();
    self.page_values(x);
    __syncwarp();
    this->fetch_values(following, at);
    return following;
  }

  // Caps a page's logits, and hides the tokens that columns do not see.
  __device__ __forceinline__ void hide(int unit, int whole, float (&x)[OWN][2 * S::TOKEN_TILES]) const {
    bool flagged = *reinterpret_cast<const uint32_t*>(keys + S::KEY_CODES + SCALE_OFFSET) & 0x8000;
    // One branch for what few models have.
    if (__builtin_expect(p.soft_cap_log2 != 0 || unit * G < whole, false)) {
      this->cap_all(x);
      this->hide_before_window(unit * G, x);
    }
    if (flagged) {
      this->template wait<0>();
      this->hide_masked(x);
    }
  }

  // The same for a dense unit.
  __device__ __forceinline__ int dense_unit(int unit) {
    int following = this->next(unit + WARPS);
    int page = this->page_of(following);
    this->template wait<1>();
    float x[OWN][2];
    this->dense_logits(x);
    this->cap_all(x);
    this->hide_in_dense(unit, x);
    if (MASSES && unit >= this->window_unit) leave_logits(unit, x);
    __syncwarp();
    const uint8_t* at = this->fetch_keys(following, page);
    this->weigh(x);
    this->template wait<1>();
    this->dense_values(x);
    __syncwarp();
    this->fetch_values(following, at);
    return following;
  }

  // Leaves base-2 logits of a unit of the window, from where they are relative to the maximum.
  __device__ __forceinline__ void leave_logits(int unit, const float (&x)[OWN][2]) const {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float origin = max_[w] == -INFINITY ? 0 : max_[w];
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int token = (unit - this->window_unit) * TILE + g + 8 * h;
        Tokens::logits(p, item, token)[own(w)] = x[w][h] + origin;
      }
    }
  }

  // Leaves this warp's columns in shared memory.
  __device__ void save(float* state) const {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float total = this->of_eight_lanes(sum[w], Total());
      if (g == 0) InBlock::extent(state)[own(w)] = {max_[w], total};
      float minima[S::GROUPS];
#pragma unroll
      for (int i = 0; i < S::GROUPS; i++) minima[i] = this->of_eight_lanes(minimum_sum[w][i], Total());
      float* values = InBlock::values(state, own(w), g);
#pragma unroll
      for (int c = 0; c < C; c++) {
        float minimum = minima[c * TILE / (D / S::GROUPS)];
        values[c * TILE] = out[w][c][0] + minimum;
        values[c * TILE + 8] = out[w][c][1] + minimum;
      }
    }
  }

  __device__ void write(int column, int channel, float4 value) const {
    int c = item.first_column + column;
    int row = row_of(p, c);
    int64_t at = (seq.first_row + row) * p.out.token_stride +
                 (item.head * p.group + c - row * p.group) * p.out.head_stride + channel;
    store_four(p.out, at, value);
  }

  // Extents of the block's columns.
  static __device__ __forceinline__ float2* column_extents() {
    __shared__ float2 extents[P::COLUMNS];
    return extents;
  }

  // Leaves a column's extent for the masses: to this block, or to `mass`.
  __device__ __forceinline__ void leave_extent(int column, float2 extent) const {
    if (MASSES) {
      column_extents()[column] = extent;
    } else if (p.extents != nullptr) {
      extents(p, seq, item.head)[item.first_column + column] = extent;
    }
  }

  // Merges the warps' results of a column; its maximum and sum, too, unless it is normalized.
  __device__ float4 merge_warps(float* shared, int column, int channel, bool normalize, float2& extent) const {
    float2 extents[WARPS];
    float4 parts[WARPS];
    InBlock::load(parts, shared, 0, WARPS, column, channel);
    float top = -INFINITY;
#pragma unroll
    for (int i = 0; i < WARPS; i++) {
      extents[i] = InBlock::extent(shared + i * InBlock::STATE)[column];
      top = fmaxf(top, extents[i].x);
    }
    float safe = top == -INFINITY ? 0 : top;
    float weights[WARPS];
    float total = 0;
#pragma unroll
    for (int i = 0; i < WARPS; i++) {
      weights[i] = exp2_fast(extents[i].x - safe);
      total = fmaf(extents[i].y, weights[i], total);
    }
    extent = {top, total};
    float norm = normalize ? 1 / total : 1;
#pragma unroll
    for (int i = 0; i < WARPS; i++) weights[i] *= norm;
    float4 value = {0, 0, 0, 0};
    InBlock::add(value, parts, 0, WARPS, weights);
    return value;
  }

  // Merges the warps of the block, in the order of their units, so that bits do not depend on where the block is; then, in
  // the last block to arrive, the ranges of the same columns.
  __device__ void finish(float* shared) {
    __shared__ bool last;
    __syncthreads();
    save(shared + turn * InBlock::STATE);
    __syncthreads();
    float* partial = p.partials + int64_t{item.partial} * Merge::STATE;
    float* mine = partial + int64_t{item.split} * Merge::STATE;
    bool whole = item.splits == 1;
    int end = item.columns * D;
    for (int i = 4 * threadIdx.x; i < end; i += AT_ONCE) {
      float2 extent;
      float4 value = merge_warps(shared, i / D, i % D, whole, extent);
      if (whole) {
        write(i / D, i % D, value);
        if (i % D == 0) leave_extent(i / D, extent);
      } else {
        *reinterpret_cast<float4*>(Merge::values(mine, i / D, i % D)) = value;
        if (i % D == 0) Merge::extent(mine)[i / D] = extent;
      }
    }
    if (whole && !MASSES) return;
    __syncthreads();
    if (whole) {
      Tokens tokens(p, item, this->win, this->lowest_all);
      tokens.ask();
      tokens.give_all(column_extents());
      return;
    }
    if (threadIdx.x == 0) {
      last = arrive(p.counters + item.counter) == item.splits - 1;
      if (last) p.counters[item.counter] = 0;
    }
    __syncthreads();
    if (last) merge_ranges(shared, partial, end);
  }

  // Everything is asked for before anything is waited for: maxima and sums first, then as many values as
  // there are registers for.
  __device__ void merge_ranges(float* weights, float* partial, int end) const {
    constexpr int EACH = ceil_div(P::COLUMNS * D, AT_ONCE);  // groups of four values of a thread
    constexpr int MOST = 36 / EACH;
    constexpr int TURNS = P::COLUMNS / WARPS;
    Extents<Merge> extents[TURNS];
    float4 parts[EACH][MOST];
    Tokens tokens(p, item, this->win, this->lowest_all);
#pragma unroll
    for (int k = 0; k < TURNS; k++) {
      int c = warp + k * WARPS;
      if (c < item.columns) extents[k].load(partial, item.splits, c);
    }
#pragma unroll
    for (int k = 0; k < EACH; k++) {
      int i = 4 * threadIdx.x + k * AT_ONCE;
      if (i < end) Merge::load(parts[k], partial, 0, item.splits, i / D, i % D);
    }
    if (MASSES) tokens.ask();
#pragma unroll
    for (int k = 0; k < TURNS; k++) {
      int c = warp + k * WARPS;
      if (c >= item.columns) continue;
      float2 extent = extents[k].weigh(weights + c * item.splits);
      if (lane == 0) leave_extent(c, extent);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < EACH; k++) {
      int i = 4 * threadIdx.x + k * AT_ONCE;
      if (i >= end) break;
      float4 value = {0, 0, 0, 0};
      for (int first = 0; first < item.splits; first += MOST) {
        if (first > 0) Merge::load(parts[k], partial, first, item.splits, i / D, i % D);
        Merge::add(value, parts[k], first, item.splits, weights + i / D * item.splits);
      }
      write(i / D, i % D, value);
    }
    if (MASSES) tokens.give_all(column_extents());
  }
};

// Dynamic shared memory of a block: the buffers, reused by the merge, and up to 8 columns' queries.
template <int BITS, int D, int G>
__host__ __device__ constexpr int attend_shared() {
  using S = PageShape<BITS, D, G>;
  return WARPS * S::WARP_BUFFER + (S::QUANTIZED ? 8 * S::step_pitch(true) * 4 : 0);
}

// A: the attention of a block, over pages of one kind.
template <class A>
__device__ void attend(const Params& p) {
  // A copy of 128 bytes is faster where they are one row of the banks (10 % of the whole, measured).
  extern __shared__ __align__(128) uint8_t shared[];
  const Item item = reinterpret_cast<const Item*>(p.plan + p.item_table)[blockIdx.x];
  static_assert(A::InBlock::STATE * 4 <= A::S::WARP_BUFFER, "");
  A a(p, item.of, item, shared);
  a.run(a);
  // An unused item. To ask earlier is to wait for a part of the item before the rest is asked for.
  if (item.columns == 0) return;
  a.finish(reinterpret_cast<float*>(shared));
}

}  // namespace sinkq
