// The attention that window tokens draw in a step whose blocks of attend each have all columns of a head: warps leave the
// logits of window tokens as they come by, and the block that merges a head's ranges knows what they are relative to. In
// other steps `mass` computes them once more, see mass.cuh. Kernels that do this are entries of their own: the others were
// up to 1.5 % slower with a branch for it.
#pragma once
#include "layout.cuh"
#include "params.cuh"
#include "ptx.cuh"
#include "sinks.cuh"
#include "units.cuh"

namespace sinkq {

template <int COLUMNS, int D>
struct WindowTokens {
  static constexpr int THREADS = WARPS * 32;
  static constexpr int BLOCK = 2 * dense_half(D);
  static constexpr int FOURS = COLUMNS / 4;
  static constexpr int ASKED = 2;  // tokens that a thread asks for before it waits

  // A token, from when it is asked for until it gets its mass.
  struct Token {
    int n;
    uint64_t score;  // before this step
    float4 logits[FOURS];
  };

  const Params& p;
  const Item& item;
  const Sequence& seq;
  const Window& win;
  const int lowest;  // first position that any column sees
  Token asked[ASKED];

  __device__ __forceinline__ WindowTokens(const Params& p, const Item& item, const Window& win, int lowest)
      : p(p), item(item), seq(item.of), win(win), lowest(lowest) {}

  // Base-2 logits of a token.
  static __device__ __forceinline__ float* logits(const Params& p, const Item& item, int n) {
    int64_t head = item.sequence * p.kv_heads + item.head;
    return p.window_logits + (head * p.ring_tokens + n) * MOST_COLUMNS;
  }

  __device__ __forceinline__ int count() const { return seq.length + seq.rows - seq.flushed; }

  __device__ __forceinline__ Token load(int n) const {
    Token token = {n, NO_MASS, {}};
    if (n >= count()) return token;
    int position = seq.flushed + n;
    if (position < seq.length) token.score = ring_scores<BLOCK>(p, seq, item.head, true)[win.slot(n)];
    const float4* at = reinterpret_cast<const float4*>(logits(p, item, n));
#pragma unroll
    for (int i = 0; i < FOURS; i++) {
      // Units that no column sees have left nothing.
      token.logits[i] = position < lowest ? make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY) : at[i];
    }
    return token;
  }

  // Asks for this thread's first tokens; nothing waits for them yet.
  __device__ __forceinline__ void ask() {
#pragma unroll
    for (int i = 0; i < ASKED; i++) asked[i] = load(threadIdx.x + i * THREADS);
  }

  // Lowers a token's score by its probabilities, rounded one by one, so that no order changes the sum.
  __device__ __forceinline__ void give(const Token& token, const float2* extents) const {
    if (token.n >= count()) return;
    uint64_t score = token.score;
#pragma unroll
    for (int i = 0; i < FOURS; i++) {
      const float x[4] = {token.logits[i].x, token.logits[i].y, token.logits[i].z, token.logits[i].w};
#pragma unroll
      for (int k = 0; k < 4; k++) {
        if (4 * i + k >= item.columns) continue;
        float2 extent = extents[4 * i + k];
        score -= __float2uint_rn(exp2_fast(x[k] - extent.x) * __fdividef(MASS_UNITS, extent.y));
      }
    }
    win.scores[win.slot(token.n)] = score;
  }

  // Gives all of this thread's tokens their masses. `extents`: of the columns, in shared memory.
  __device__ __forceinline__ void give_all(const float2* extents) const {
#pragma unroll
    for (int i = 0; i < ASKED; i++) give(asked[i], extents);
    for (int n = threadIdx.x + ASKED * THREADS; n < count(); n += THREADS) give(load(n), extents);
  }
};

}  // namespace sinkq
