// The products of a unit of attend, a page or a dense block, with the columns of an item.
//
//   S^T [tokens, columns] = K codes * (q * scale)  + q * minimum     K is the A operand
//   O^T [channels, columns] = V codes * (p * scale) + p * minimum    V^T is the A operand
//
// A code in place, masked out of its register, is an fp16 subnormal: code * 2^(bits * position) * 2^-24,
// exact, so that no conversion is needed; the power of two goes into the softmax scale and into the
// fold of a page's sum.
#pragma once
#include "columns.cuh"

namespace sinkq {

constexpr float CODE_UNIT = 0x1p24f;
constexpr uint32_t NO_SIGNS = 0x7FFF7FFF;

template <int BITS, int D, int G, bool WIDE>
struct Products : Columns<BITS, D, G, WIDE> {
  using Q = Columns<BITS, D, G, WIDE>;
  using S = typename Q::S;
  static constexpr int C = Q::C;
  static constexpr int OWN = Q::OWN;
  // Half of the largest code as fp16, twice.
  static constexpr uint32_t MEAN_CODE = BITS == 2 ? 0x3E003E00 : 0x47804780;
  static constexpr int PASS = C <= 8 ? C : 8;  // channel tiles whose page sums are in registers at a time

  using Q::add;
  using Q::column_position;
  using Q::factor;
  using Q::first_of;
  using Q::fold;
  using Q::g;
  using Q::keys;
  using Q::lane;
  using Q::minimum_sum;
  using Q::odd;
  using Q::of;
  using Q::operand;
  using Q::q_high;
  using Q::q_rest;
  using Q::rest_of;
  using Q::sum;
  using Q::t;
  using Q::times_query;
  using Q::values;
  using Q::Columns;

  // Codes of tile j of a half, moved to where `inner`, its token or channel tile, has its power of two.
  static __device__ __forceinline__ uint4 codes(uint4 word, int j, int inner) {
    return {code(word.x, j, inner), code(word.y, j, inner), code(word.z, j, inner), code(word.w, j, inner)};
  }

  static __device__ __forceinline__ uint32_t code(uint32_t word, int j, int inner) {
    int shift = BITS * (j % S::POSITIONS - inner % S::DIRECT);
    uint32_t mask = (((1u << (BITS & 15)) - 1) * 0x10001u) << (BITS * (inner % S::DIRECT));
    return (shift >= 0 ? word >> shift : word << -shift) & mask;
  }

  static __device__ __forceinline__ float unit_of(int inner) {
    return CODE_UNIT / static_cast<float>(1 << (BITS * (inner % S::DIRECT)));
  }

  // Adds the codes of a channel tile times B; for the second time, they are read again, because too many
  // registers would remember them.
  template <bool AGAIN>
  __device__ __forceinline__ void times_codes(float (&s)[S::TOKEN_TILES][4], const uint4* words, int c,
                                              const uint32_t (&b)[2]) const {
    uint4 word = {};
#pragma unroll
    for (int i = 0; i < S::TOKEN_TILES; i++) {
      int j = c * S::TOKEN_TILES + i;
      if (i == 0 || j % S::POSITIONS == 0) {
        const uint4* at = words + j / S::POSITIONS * 32 + lane;
        word = AGAIN ? read_again(at) : *at;
      }
      uint4 a = codes(word, j, i);
      mma(s[i], a.x, a.y, a.z, a.w, b[0], b[1]);
    }
  }

  // Whether what fp16 loses of queries times scales can be felt in some column's logits, by their squares in
  // this lane. Too small a square is 0, hence the last summand; too large a one is infinite.
  __device__ __forceinline__ bool rounding_shows(const uint32_t (&squares)[2]) const {
    float2 low = __half22float2(*reinterpret_cast<const __half2*>(&squares[0]));
    float2 high = __half22float2(*reinterpret_cast<const __half2*>(&squares[1]));
    float square = low.x + low.y + high.x + high.y;
    square += __shfl_xor_sync(~0u, square, 1);
    square += __shfl_xor_sync(~0u, square, 2);
    return __any_sync(~0u, square + D * 0x1p-24f > this->most_square);
  }

  // Logits of a page: x[w][2 * tile + h] of token 16 tile + g + 8 h.
  __device__ __forceinline__ void page_logits(float (&x)[OWN][2 * S::TOKEN_TILES]) const {
    const uint4* words = reinterpret_cast<const uint4*>(keys);
    const uint4* parameters = reinterpret_cast<const uint4*>(keys + S::KEY_CODES);
    float bias[4] = {};
    float mean_rest[4] = {};
    float s[S::TOKEN_TILES][4] = {};
    uint32_t squares[2] = {};
#pragma unroll
    for (int c = 0; c < C; c++) {
      uint4 par = parameters[c * 4 + t];
      // Rows 0 to 7: q times the minima; the rest is not used.
      times_query(bias, par, c);
      uint32_t scale[2] = {c == 0 ? par.y & NO_SIGNS : par.y, par.w};
      uint32_t b[2];
      uint32_t rest[2];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        b[i] = mul2(q_high[c][i], scale[i]);
        rest[i] = rest_of(q_high[c][i], q_rest[c][i], scale[i], b[i]);
        if (WIDE) squares[i] = fma2(b[i], b[i], squares[i]);
        if (!WIDE && odd) b[i] = rest[i];
      }
      if (WIDE) mma(mean_rest, MEAN_CODE, MEAN_CODE, MEAN_CODE, MEAN_CODE, rest[0], rest[1]);
      times_codes<false>(s, words, c, b);
    }
    bool shows = WIDE && rounding_shows(squares);
    if (shows) {
#pragma unroll
      for (int c = 0; c < C; c++) {
        uint4 par = read_again(parameters + c * 4 + t);
        uint32_t high = c == 0 ? par.y & NO_SIGNS : par.y;
        uint32_t rest[2] = {
            rest_of(q_high[c][0], q_rest[c][0], high, mul2(q_high[c][0], high)),
            rest_of(q_high[c][1], q_rest[c][1], par.w, mul2(q_high[c][1], par.w))};
        times_codes<true>(s, words, c, rest);
      }
    }
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float qz = (shows || !WIDE ? of(bias, w, 0) : of(bias, w, 0) + of(mean_rest, w, 0)) * factor[w];
#pragma unroll
      for (int i = 0; i < S::TOKEN_TILES; i++) {
        float f = factor[w] * unit_of(i);
        x[w][2 * i] = fmaf(of(s[i], w, 0), f, qz);
        x[w][2 * i + 1] = fmaf(of(s[i], w, 1), f, qz);
      }
    }
  }

  // Hides masked tokens and those before the sliding window; the values' parameters have arrived.
  __device__ __forceinline__ void hide_in_page(int first, float (&x)[OWN][2 * S::TOKEN_TILES], bool flagged) const {
    const uint4* parameters = reinterpret_cast<const uint4*>(values + S::KEY_CODES);
#pragma unroll
    for (int i = 0; i < S::TOKEN_TILES; i++) {
      uint4 par = parameters[i * 4 + g / 2];
#pragma unroll
      for (int h = 0; h < 2; h++) {
        uint32_t scales = h == 0 ? par.y : par.w;
        bool masked = flagged && (scales >> (16 * (g & 1)) & 0x8000);
        int position = first + i * TILE + g + 8 * h;
#pragma unroll
        for (int w = 0; w < OWN; w++) {
          if (masked || position < this->lowest(column_position[w])) x[w][2 * i + h] = -INFINITY;
        }
      }
    }
  }

  __device__ __forceinline__ void page_values(const float (&x)[OWN][2 * S::TOKEN_TILES], const float (&alpha)[OWN]) {
    const uint4* words = reinterpret_cast<const uint4*>(values);
    const uint4* parameters = reinterpret_cast<const uint4*>(values + S::KEY_CODES);
    uint32_t weights[S::TOKEN_TILES][2];
    float sums[4] = {};
    float totals[4] = {};
#pragma unroll
    for (int i = 0; i < S::TOKEN_TILES; i++) {
      uint4 par = parameters[i * 4 + t];
      weights[i][0] = operand(x, 2 * i);
      weights[i][1] = operand(x, 2 * i + 1);
      // Rows 0 to 7: weighted minima; rows 8 to 15: sum of the weights, or the second group's minima.
      if (S::GROUPS == 1) {
        mma(sums, par.x, ONES, par.z, ONES, weights[i][0], weights[i][1]);
      } else {
        uint4 second = parameters[(S::TOKEN_TILES + i) * 4 + t];
        mma(sums, par.x, second.x, par.z, second.z, weights[i][0], weights[i][1]);
        mma(totals, ONES, ONES, ONES, ONES, weights[i][0], weights[i][1]);
      }
    }
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      minimum_sum[w][0] = fmaf(minimum_sum[w][0], alpha[w], first_of(sums, w, 0));
      if (S::GROUPS == 1) {
        sum[w] = fmaf(sum[w], alpha[w], first_of(sums, w, 1));
      } else {
        minimum_sum[w][S::GROUPS - 1] = fmaf(minimum_sum[w][S::GROUPS - 1], alpha[w], first_of(sums, w, 1));
        sum[w] = fmaf(sum[w], alpha[w], first_of(totals, w, 0));
      }
    }
#pragma unroll
    for (int first = 0; first < C; first += PASS) {
      float o[PASS][4] = {};
#pragma unroll
      for (int i = 0; i < S::TOKEN_TILES; i++) {
        uint32_t b[2];
        uint4 word = {};
#pragma unroll
        for (int k = 0; k < PASS; k++) {
          int c = first + k;
          if (c >= C) continue;
          int group = c * TILE / (D / S::GROUPS);
          if (k == 0 || c * TILE == D / S::GROUPS) {
            uint4 par = parameters[(group * S::TOKEN_TILES + i) * 4 + t];
            b[0] = fold(weights[i][0], par.y & NO_SIGNS);
            b[1] = fold(weights[i][1], par.w & NO_SIGNS);
          }
          int j = i * C + c;
          if (k == 0 || j % S::POSITIONS == 0) word = words[j / S::POSITIONS * 32 + lane];
          uint4 a = codes(word, j, c);
          mma(o[k], a.x, a.y, a.z, a.w, b[0], b[1]);
        }
      }
#pragma unroll
      for (int k = 0; k < PASS; k++) {
        if (first + k >= C) continue;
        add(first + k, alpha, o[k], unit_of(first + k));
      }
    }
  }

  // Logits of 16 tokens; `self` is this object, whose type says where the queries are.
  template <class Self>
  __device__ __forceinline__ void dense_logits(const Self& self, float (&x)[OWN][2]) const {
    const uint4* words = reinterpret_cast<const uint4*>(keys);
    float s[4] = {};
#pragma unroll
    for (int c = 0; c < C; c++) self.times_query(s, words[c * 32 + lane], c);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      x[w][0] = of(s, w, 0) * factor[w];
      x[w][1] = of(s, w, 1) * factor[w];
    }
  }

  __device__ __forceinline__ void hide_in_dense(int unit, float (&x)[OWN][2]) const {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int position = this->dense_position(unit, g + 8 * h);
#pragma unroll
      for (int w = 0; w < OWN; w++) {
        bool seen = position >= this->lowest(column_position[w]) && position <= column_position[w];
        if (!seen) x[w][h] = -INFINITY;
      }
    }
  }

  __device__ __forceinline__ void dense_values(const float (&x)[OWN][2], const float (&alpha)[OWN]) {
    const uint4* words = reinterpret_cast<const uint4*>(values);
    uint32_t b[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      // The weight in the even column of a pair, what fp16 loses of it in the odd one.
      float rest = x[0][h] - __half2float(__float2half_rn(x[0][h]));
      b[h] = WIDE ? operand(x, h) : transpose(pack_halves(x[0][h], rest));
    }
    float sums[4] = {};
    mma(sums, ONES, ONES, ONES, ONES, b[0], b[1]);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      sum[w] = fmaf(sum[w], alpha[w], of(sums, w, 0));
#pragma unroll
      for (int i = 0; i < S::GROUPS; i++) minimum_sum[w][i] *= alpha[w];
    }
#pragma unroll
    for (int c = 0; c < C; c++) {
      uint4 a = words[c * 32 + lane];
      float o[4] = {};
      mma(o, a.x, a.y, a.z, a.w, b[0], b[1]);
      add(c, alpha, o, 1);
    }
  }
};

}  // namespace sinkq
