// attend: softmax(q K^T) V over pages, sinks and window, one launch.
//
// Grid (items), 4 warps a block. An item is a range of units (page, 16 sink slots, 16 window tokens)
// for up to 4 or 8 columns (query row, query head of the group) of one KV head; warps take every fourth
// unit. The last range of the same columns to arrive merges all of them.
//
//   Units ◄── Columns ◄── Products ◄── Attention      each has what the next ones need
#pragma once
#include "merge.cuh"
#include "products.cuh"

namespace sinkq {

// Dynamic shared memory of a block: the buffers, reused by the merge.
template <int BITS, int D, int G, bool WIDE>
__host__ __device__ constexpr int attend_shared() {
  constexpr int buffers = WARPS * PageShape<BITS, D, G>::WARP_BUFFER;
  constexpr int merge = WARPS * (WIDE ? 8 : 4) * (D + 3) * 4;  // states and weights
  return buffers > merge ? buffers : merge;
}

template <int BITS, int D, int G, bool WIDE>
struct Attention : Products<BITS, D, G, WIDE> {
  using P = Products<BITS, D, G, WIDE>;
  using S = typename P::S;
  static constexpr int C = P::C;
  static constexpr int OWN = P::OWN;
  using Merge = PartialResults<P::COLUMNS, D>;

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
  using P::warp;
  using P::Products;

  // With the columns' queries.
  __device__ void run(const uint32_t (&x)[C][4]) {
    int unit = this->next(item.first_unit + warp);
    const uint8_t* at = unit < item.end_unit ? this->address(unit) : nullptr;
    this->fetch_keys(unit, at);
    this->fetch_values(unit, at);
    this->begin(x);
    while (unit < item.end_unit) {
      int following = this->next(unit + WARPS);
      const uint8_t* following_at = following < item.end_unit ? this->address(following) : nullptr;
      this->template wait<1>();
      float alpha[OWN];
      if (this->is_page(unit)) {
        if constexpr (S::QUANTIZED) {
          float x[OWN][2 * S::TOKEN_TILES];
          this->page_logits(x);
          this->cap_all(x);
          bool flagged = *reinterpret_cast<const uint32_t*>(keys + S::KEY_CODES + SCALE_OFFSET) & 0x8000;
          int last = item.first_column + item.columns - 1;
          bool partial = flagged || unit * G < this->lowest(seq.length + last / p.group);
          if (partial) {
            this->template wait<0>();
            this->hide_in_page(unit * G, x, flagged);
          }
          __syncwarp();
          this->fetch_keys(following, following_at);
#pragma unroll
          for (int w = 0; w < OWN; w++) alpha[w] = this->weigh(w, x[w]);
          if (!partial) this->template wait<1>();
          this->page_values(x, alpha);
        }
      } else {
        float x[OWN][2];
        this->dense_logits(x);
        this->cap_all(x);
        this->hide_in_dense(unit, x);
        __syncwarp();
        this->fetch_keys(following, following_at);
#pragma unroll
        for (int w = 0; w < OWN; w++) alpha[w] = this->weigh(w, x[w]);
        this->template wait<1>();
        this->dense_values(x, alpha);
      }
      __syncwarp();
      this->fetch_values(following, following_at);
      unit = following;
    }
  }

  // Leaves this warp's columns in shared memory.
  __device__ void save(float* state) const {
    float* values = Merge::values(state);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      if (g == 0) Merge::extent(state)[own(w)] = {max_[w], sum[w]};
#pragma unroll
      for (int c = 0; c < C; c++) {
        float minimum = minimum_sum[w][c * TILE / (D / S::GROUPS)];
        values[own(w) * D + c * TILE + g] = out[w][c][0] + minimum;
        values[own(w) * D + c * TILE + g + 8] = out[w][c][1] + minimum;
      }
    }
  }

  __device__ void write(int column, int channel, float4 value) const {
    int c = item.first_column + column;
    int64_t at = (seq.first_row + c / p.group) * p.out.token_stride +
                 (item.head * p.group + c % p.group) * p.out.head_stride + channel;
    store(p.out, at, value.x);
    store(p.out, at + 1, value.y);
    store(p.out, at + 2, value.z);
    store(p.out, at + 3, value.w);
  }

  // Merges the warps of the block, then, in the last block to arrive, the ranges of the same columns.
  __device__ void finish(float* shared) {
    __shared__ bool last;
    float* weights = shared + WARPS * Merge::STATE;  // [columns][parts]
    __syncthreads();
    save(shared + warp * Merge::STATE);
    __syncthreads();
    float* partial = p.partials + int64_t{item.partial} * Merge::STATE;
    float* mine = partial + int64_t{item.split} * Merge::STATE;
    bool whole = item.splits == 1;
    for (int c = warp; c < item.columns; c += WARPS) {
      float2 extent = Merge::weigh(shared, WARPS, c, weights + c * WARPS, whole);
      if (!whole && lane == 0) Merge::extent(mine)[c] = extent;
    }
    __syncthreads();
    for (int i = 4 * threadIdx.x; i < item.columns * D; i += 4 * WARPS * 32) {
      float4 value = Merge::sum(shared, WARPS, i, weights + i / D * WARPS);
      if (whole) {
        write(i / D, i % D, value);
      } else {
        *reinterpret_cast<float4*>(Merge::values(mine) + i) = value;
      }
    }
    if (whole) return;
    __syncthreads();
    if (threadIdx.x == 0) {
      last = arrive(p.counters + item.counter) == item.splits - 1;
      if (last) p.counters[item.counter] = 0;
    }
    __syncthreads();
    if (!last) return;
    for (int c = warp; c < item.columns; c += WARPS) {
      Merge::weigh(partial, item.splits, c, shared + c * item.splits, true);
    }
    __syncthreads();
    for (int i = 4 * threadIdx.x; i < item.columns * D; i += 4 * WARPS * 32) {
      write(i / D, i % D, Merge::sum(partial, item.splits, i, shared + i / D * item.splits));
    }
  }
};

template <int BITS, int D, int G, bool WIDE>
__device__ void attend(const Params& p) {
  // A copy of 128 bytes is faster where they are one row of the banks (10 % of the whole, measured).
  extern __shared__ __align__(128) uint8_t shared[];
  const Item item = reinterpret_cast<const Item*>(p.plan + p.item_table)[blockIdx.x];
  if (item.columns == 0) return;
  using A = Attention<BITS, D, G, WIDE>;
  // The queries are asked for first, and looked at when the copies are under way.
  uint32_t x[A::C][4] = {};
  A::load_queries(p, item, x);
  A a(p, sequence(p, item.sequence), item, shared);
  a.run(x);
  a.finish(reinterpret_cast<float*>(shared));
}

}  // namespace sinkq
