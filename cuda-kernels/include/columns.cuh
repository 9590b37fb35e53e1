// The columns of an item of attend: what a warp has summed for them so far, and how logits become weights.
#pragma once
#include "column_queries.cuh"

namespace sinkq {

// How far a base-2 logit may exceed the maximum that weights are relative to.
constexpr float SLACK = 6;

template <int BITS, int D, int G, bool WIDE>
struct Columns : ColumnQueries<BITS, D, G, WIDE> {
  using Q = ColumnQueries<BITS, D, G, WIDE>;
  using S = typename Q::S;
  static constexpr int C = Q::C;
  static constexpr int OWN = Q::OWN;

  using Q::item;
  using Q::of_eight_lanes;
  using Q::own;
  using Q::p;
  using Q::seq;

  float twice_inverse_cap;  // 2 log2 e / soft cap
  int column_position[OWN];
  float max_[OWN];
  float sum[OWN];      // of the weights of this lane's tokens
  float minimum_sum[OWN][S::GROUPS];  // likewise, times the minima of their values
  float out[OWN][C][2];  // channels g and g + 8 of a tile

  __device__ Columns(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared)
      : Q(p, seq, item, shared), twice_inverse_cap(__fdividef(2 * 1.44269504f, p.soft_cap_log2)) {}

  __device__ __forceinline__ void begin(const uint32_t (&bits)[C][4]) {
    this->begin_queries(bits);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      column_position[w] = seq.length + row_of(p, item.first_column + min(own(w), item.columns - 1));
      max_[w] = -INFINITY;
      sum[w] = 0;
#pragma unroll
      for (int i = 0; i < S::GROUPS; i++) minimum_sum[w][i] = 0;
#pragma unroll
      for (int c = 0; c < C; c++) out[w][c][0] = out[w][c][1] = 0;
    }
  }

  __device__ __forceinline__ float cap(float logit) const {
    // c tanh(x / c), through tanh y = 1 - 2 / (e^2y + 1)
    float y = exp2_fast(logit * twice_inverse_cap);
    return p.soft_cap_log2 * (1 - __fdividef(2, y + 1));
  }

  // The largest of a lane's numbers, as bits; anything negative if all of them are. Hopper takes the largest of three at once.
  template <int TOKENS>
  static __device__ __forceinline__ int largest_bits(const float (&x)[TOKENS]) {
    int top = max(__float_as_int(x[0]), __float_as_int(x[1]));
#pragma unroll
    for (int i = 2; i < TOKENS; i += 2) top = max(max(top, __float_as_int(x[i])), __float_as_int(x[i + 1]));
    return top;
  }

  // Turns base-2 logits, relative to the maximum (to 0 if there is none yet), into weights. The maximum follows the largest
  // one only when it is left behind by more than SLACK: rarely, so that what has been summed rarely has to be scaled.
  template <int TOKENS>
  __device__ __forceinline__ void weigh(float (&x)[OWN][TOKENS]) {
    bool far = false;
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      far |= largest_bits(x[w]) > __float_as_int(SLACK) || max_[w] == -INFINITY;
    }
    if (__any_sync(~0u, far)) raise(x);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
#pragma unroll
      for (int i = 0; i < TOKENS; i++) x[w][i] = exp2_fast(x[w][i]);
    }
  }

  // Raises the maxima, and scales everything that has been summed relative to them.
  template <int TOKENS>
  __device__ __forceinline__ void raise(float (&x)[OWN][TOKENS]) {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float tops[2] = {x[w][0], x[w][1]};
#pragma unroll
      for (int i = 2; i < TOKENS; i++) tops[i % 2] = fmaxf(tops[i % 2], x[w][i]);
      float top = of_eight_lanes(fmaxf(tops[0], tops[1]), Largest());
      float safe = max_[w] == -INFINITY ? 0 : max_[w];
      float higher = fmaxf(max_[w], safe + top);
      float by = (higher == -INFINITY ? 0 : higher) - safe;
      float alpha = max_[w] == -INFINITY ? 0 : exp2_fast(-by);
      max_[w] = higher;
#pragma unroll
      for (int i = 0; i < TOKENS; i++) x[w][i] -= by;
      sum[w] *= alpha;
#pragma unroll
      for (int i = 0; i < S::GROUPS; i++) minimum_sum[w][i] *= alpha;
#pragma unroll
      for (int c = 0; c < C; c++) {
        out[w][c][0] *= alpha;
        out[w][c][1] *= alpha;
      }
    }
  }

  // Adds a page's weights to the sum of a column; returns what this lane has of them.
  template <int TOKENS>
  __device__ __forceinline__ float take_weights(int w, const float (&x)[TOKENS]) {
    float total[2] = {};
#pragma unroll
    for (int i = 0; i < TOKENS; i++) total[i % 2] += x[i];
    sum[w] += total[0] + total[1];
    return total[0] + total[1];
  }

  // Weights of the tokens of 16 as an operand: its lower and upper eight.
  template <int TOKENS>
  static __device__ __forceinline__ uint32_t operand(const float (&x)[OWN][TOKENS], int i) {
    return transpose(pack_halves(x[0][i], x[OWN - 1][i]));
  }

  // What logits are computed relative to: the maximum, unless they have to be capped first.
  __device__ __forceinline__ float origin(int w) const {
    return p.soft_cap_log2 != 0 || max_[w] == -INFINITY ? 0 : max_[w];
  }

  // Caps logits, where there is a cap, and makes them relative to the maximum.
  template <int TOKENS>
  __device__ __forceinline__ void cap_all(float (&x)[OWN][TOKENS]) const {
    if (p.soft_cap_log2 == 0) return;
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float safe = max_[w] == -INFINITY ? 0 : max_[w];
#pragma unroll
      for (int i = 0; i < TOKENS; i++) x[w][i] = cap(x[w][i]) - safe;
    }
  }
};

}  // namespace sinkq
