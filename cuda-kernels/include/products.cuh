// The products of a unit of attend, a page or a dense block, with the columns of an item.
//
//   S^T [tokens, columns] = K codes * (q * scale)  + q * minimum     K is the A operand
//   O^T [channels, columns] = V codes * (p * scale) + p * minimum    V^T is the A operand
//
// A key's code in place, masked out of its register, is an fp16 subnormal: code * 2^(bits * position) * 2^-24,
// exact, so that no conversion is needed; the power of two goes into the softmax scale.
// Codes of values, masked in place, are four bytes of an integer operand, times a power of two that goes into the
// fold of a page's sum: half the masks and half the products. Weights are never negative and none is larger than a
// page's largest, so that 16 bits are enough for them; queries times scales have no such bound.
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
  static constexpr int VALUE_BITS = S::VALUE_BITS;
  static constexpr int BYTE_POSITIONS = 8 / VALUE_BITS;

  using Q::add;
  using Q::column_position;
  using Q::factor;
  using Q::g;
  using Q::keys;
  using Q::lane;
  using Q::minimum_sum;
  using Q::odd;
  using Q::of;
  using Q::operand;
  using Q::out;
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
#pragma unroll
    for (int i = 0; i < S::TOKEN_TILES; i++) {
      uint2 par = value_parameters(0, i);
#pragma unroll
      for (int h = 0; h < 2; h++) {
        bool masked = flagged && (h == 0 ? par.x : par.y) >> 31;
        int position = first + i * TILE + g + 8 * h;
#pragma unroll
        for (int w = 0; w < OWN; w++) {
          if (masked || position < this->lowest(column_position[w])) x[w][2 * i + h] = -INFINITY;
        }
      }
    }
  }

  // Weights times scales of a page's tokens as bytes of B's operands: integers of 16 bits, relative to the
  // largest of a column. An operand has four tokens of a lane: 2 t and 2 t + 1 of two token tiles, or those 8 behind.
  // With 4 columns the upper bytes are in the even column of a pair, the lower ones in the odd one.
  struct ByteWeights {
    uint32_t high[S::TOKEN_TILES / 2][2];
    uint32_t low[S::TOKEN_TILES / 2][2];  // with 8 columns
    float unit[OWN];
    float of_lane[OWN];  // sum of this lane's, in units

    __device__ __forceinline__ ByteWeights(const float (&x)[OWN][2 * S::TOKEN_TILES]) {
      float factor[OWN];
#pragma unroll
      for (int w = 0; w < OWN; w++) {
        float most = fmaxf(Q::largest_of_all_lanes(x[w]), 1e-30f);
        factor[w] = __fdividef(65535, most);
        unit[w] = most * (1 / 65535.f);
        of_lane[w] = 0;
      }
#pragma unroll
      for (int m = 0; m < S::TOKEN_TILES / 2; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
          uint32_t bytes[OWN];
#pragma unroll
          for (int w = 0; w < OWN; w++) {
            // The nearest integers are in the lower halves.
            float first = fmaf(x[w][4 * m + h], factor[w], 0x1p23f);
            float second = fmaf(x[w][4 * m + 2 + h], factor[w], 0x1p23f);
            of_lane[w] += first - 0x1p23f + (second - 0x1p23f);
            // Upper bytes of both, lower bytes of both.
            bytes[w] = __byte_perm(__float_as_uint(first), __float_as_uint(second), 0x4051);
          }
          high[m][h] = transpose(WIDE ? __byte_perm(bytes[0], bytes[OWN - 1], 0x5410) : bytes[0]);
          if (WIDE) low[m][h] = transpose(__byte_perm(bytes[0], bytes[OWN - 1], 0x7632));
        }
      }
    }
  };

  // Codes of tile j of the values, moved to where `inner`, its channel tile, has its power of two.
  static __device__ __forceinline__ uint4 value_codes(uint4 word, int j, int inner) {
    int shift = VALUE_BITS * (j % BYTE_POSITIONS - inner % BYTE_POSITIONS);
    uint32_t mask = (((1u << (VALUE_BITS & 7)) - 1) * 0x1010101u) << (VALUE_BITS * (inner % BYTE_POSITIONS));
    auto moved = [&](uint32_t x) { return (shift >= 0 ? x >> shift : x << -shift) & mask; };
    return {moved(word.x), moved(word.y), moved(word.z), moved(word.w)};
  }

  // Multiplies the codes of a group's channel tiles: `place` says which tile of the codes has tokens 32 m and following
  // and the k-th channel tile, `fold` takes the sums of channels g and g + 8 of that one.
  template <int TILES, class Place, class Fold>
  __device__ __forceinline__ void multiply_values(const ByteWeights& b, const Place& place, const Fold& fold) const {
    constexpr int MOST = WIDE ? 4 : 8;  // channel tiles whose sums are in registers at a time
    constexpr int PASS = TILES < MOST ? TILES : MOST;
    const uint4* words = reinterpret_cast<const uint4*>(values) + lane;
#pragma unroll
    for (int first = 0; first < TILES; first += PASS) {
      int high[PASS][4] = {};
      int low[PASS][4] = {};
#pragma unroll
      for (int m = 0; m < S::TOKEN_TILES / 2; m++) {
        uint4 word = {};
#pragma unroll
        for (int i = 0; i < PASS; i++) {
          if (first + i >= TILES) continue;
          int j = place(m, first + i);
          if (i == 0 || j % BYTE_POSITIONS == 0) word = words[j / BYTE_POSITIONS * 32];
          uint4 a = value_codes(word, j, first + i);
          mma_bytes(high[i], a, b.high[m][0], b.high[m][1]);
          if (WIDE) mma_bytes(low[i], a, b.low[m][0], b.low[m][1]);
        }
      }
#pragma unroll
      for (int i = 0; i < PASS; i++) {
        if (first + i >= TILES) continue;
        float sums[OWN][2];
#pragma unroll
        for (int w = 0; w < OWN; w++) {
          float unit = b.unit[w] / static_cast<float>(1 << (VALUE_BITS * ((first + i) % BYTE_POSITIONS)));
#pragma unroll
          for (int h = 0; h < 2; h++) {
            int upper = WIDE ? high[i][2 * h + w] : high[i][2 * h];
            int lower = WIDE ? low[i][2 * h + w] : high[i][2 * h + 1];
            sums[w][h] = (upper * 256 + lower) * unit;
          }
        }
        fold(first + i, sums);
      }
    }
  }

  // Parameters of the tokens g and g + 8 of a tile, for a channel group.
  __device__ __forceinline__ uint2 value_parameters(int group, int tile) const {
    return reinterpret_cast<const uint2*>(values + S::KEY_CODES)[(group * S::TOKEN_TILES + tile) * 8 + g];
  }

  __device__ __forceinline__ void page_values(const float (&x)[OWN][2 * S::TOKEN_TILES], const float (&alpha)[OWN]) {
    constexpr int GROUP_TILES = C / S::GROUPS;
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float total[2] = {};
#pragma unroll
      for (int i = 0; i < 2 * S::TOKEN_TILES; i++) total[i % 2] += x[w][i];
      sum[w] = fmaf(sum[w], alpha[w], total[0] + total[1]);
    }
#pragma unroll
    for (int group = 0; group < S::GROUPS; group++) {
      float scaled[OWN][2 * S::TOKEN_TILES];
      float minima[OWN][2] = {};
#pragma unroll
      for (int i = 0; i < S::TOKEN_TILES; i++) {
        uint2 par = value_parameters(group, i);
#pragma unroll
        for (int h = 0; h < 2; h++) {
          float2 z = __half22float2(*reinterpret_cast<const __half2*>(h == 0 ? &par.x : &par.y));
#pragma unroll
          for (int w = 0; w < OWN; w++) {
            minima[w][h] = fmaf(x[w][2 * i + h], z.x, minima[w][h]);
            scaled[w][2 * i + h] = x[w][2 * i + h] * fabsf(z.y);
          }
        }
      }
#pragma unroll
      for (int w = 0; w < OWN; w++) {
        minimum_sum[w][group] = fmaf(minimum_sum[w][group], alpha[w], minima[w][0] + minima[w][1]);
      }
      ByteWeights b(scaled);
      multiply_values<GROUP_TILES>(
          b, [&](int m, int k) { return m * C + group * GROUP_TILES + k; },
          [&](int k, const float (&sums)[OWN][2]) {
            int c = group * GROUP_TILES + k;
#pragma unroll
            for (int w = 0; w < OWN; w++) {
#pragma unroll
              for (int h = 0; h < 2; h++) out[w][c][h] = fmaf(out[w][c][h], alpha[w], sums[w][h]);
            }
          });
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
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      sum[w] = fmaf(sum[w], alpha[w], x[w][0] + x[w][1]);
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
