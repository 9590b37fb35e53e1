// Logits of a quantized page: S^T [tokens, columns] = K codes * (q * scale) + q * minimum, K the A operand.
//
// Queries times scales are counted in steps that are small enough for any logit. In a page that has larger ones than
// 16 bits hold, they are counted in units of their own, and what those lose in a second product.
#pragma once
#include "key_rows.cuh"

namespace sinkq {

// A float that, added to another one, leaves the nearest integer in the lower half.
constexpr float TO_INTEGER = 0x1.8p23f;

template <int BITS, int D, int G, bool WIDE>
struct KeyProducts : KeyRows<BITS, D, G, WIDE> {
  using Q = KeyRows<BITS, D, G, WIDE>;
  using S = typename Q::S;
  using Bytes = typename Q::Bytes;
  static constexpr int OWN = Q::OWN;
  static constexpr int T = S::TOKEN_TILES;
  static constexpr int K = Q::KEY_TILES;
  static constexpr int LANE_ROWS = Q::LANE_ROWS;
  using Rows = LaneRows<LANE_ROWS>;
  static constexpr float MEAN_CODE = ((1 << S::VALUE_BITS) - 1) / 2.f;

  using Q::factor;
  using Q::keys;
  using Q::lane;
  using Q::odd;
  using Q::KeyRows;

  // Queries times scales of a page's rows as bytes of B's operands, four rows of a lane for each tile:
  // signed integers of 16 bits. With 4 columns the upper bytes are in the even column of a pair, the lower ones in the
  // odd one; since those are signed as well then, upper bytes are rounded.
  struct KeyBytes {
    uint32_t high[K];
    uint32_t low[K];  // with 8 columns
  };

  // Added to a number, it leaves the nearest integer in the lower half, for upper bytes increased to round them.
  __device__ __forceinline__ float rounding() const {
    return !WIDE && (LANE_ROWS == 2 || !odd) ? TO_INTEGER + 128 : TO_INTEGER;
  }

  __device__ __forceinline__ void put(KeyBytes& b, int c, const float (&x)[LANE_ROWS]) const {
    int bytes = LANE_ROWS == 2 ? 0x5140 : WIDE ? 0x4051 : odd ? 0x40 : 0x51;
    uint32_t first = __byte_perm(__float_as_uint(x[0]), __float_as_uint(x[1]), bytes);
    if constexpr (LANE_ROWS == 2) {
      b.high[c] = first;
    } else {
      uint32_t second = __byte_perm(__float_as_uint(x[2]), __float_as_uint(x[3]), bytes);
      b.high[c] = __byte_perm(first, second, 0x5410);
      if (WIDE) b.low[c] = __byte_perm(first, second, 0x7632);
    }
  }

  // Where the lanes of a pair have put two rows each, gives the even one the upper bytes of all four, the odd one the lower
  // ones.
  __device__ __forceinline__ void exchange(KeyBytes& b) const {
    if constexpr (LANE_ROWS == 2) {
      uint32_t signs = odd ? 0x80808080 : 0;
#pragma unroll
      for (int c = 0; c < K; c += 2) {
        uint32_t mine[2] = {b.high[c], c + 1 < K ? b.high[c + 1] : 0};
        uint32_t other = __shfl_xor_sync(~0u, __byte_perm(mine[0], mine[1], odd ? 0x7632 : 0x5410), 4);
        b.high[c] = __byte_perm(mine[0], other, odd ? 0x1054 : 0x5432) ^ signs;
        if (c + 1 < K) b.high[c + 1] = __byte_perm(mine[1], other, odd ? 0x1076 : 0x7632) ^ signs;
      }
    }
  }

  // Rounds queries times scales to steps; otherwise as read_rows.
  __device__ __forceinline__ bool round_to_steps(KeyBytes& b, float& minima, float& scales) const {
    bool large = this->read_rows(minima, scales, [&](int c, const Rows& rows) {
      float x[LANE_ROWS];
#pragma unroll
      for (int i = 0; i < LANE_ROWS; i++) x[i] = fmaf(rows.q[i], rows.scale[i], rounding());
      put(b, c, x);
    });
    exchange(b);
    return large;
  }

  // The largest of column g's queries times scales, in steps.
  __device__ __forceinline__ float most_steps() const {
    float most = 0;
#pragma unroll
    for (int c = 0; c < K; c++) {
      Rows rows = this->rows_again(c);
#pragma unroll
      for (int i = 0; i < LANE_ROWS; i++) most = fmaxf(most, fabsf(rows.q[i] * rows.scale[i]));
    }
    return Q::of_all_rows(most, Largest());
  }

  // A query times a scale, rounded; or what that loses, half a unit at most, so much larger that 16 bits just hold it.
  __device__ __forceinline__ float rounded(float q, float scale, bool rest) const {
    float nearest = fmaf(q, scale, TO_INTEGER) - TO_INTEGER;
    return (rest ? fmaf(q, scale, -nearest) * (2 * MOST_STEPS) : nearest) + rounding();
  }

  // As round_to_steps, but in units of the column's own, `steps` of which are one of its steps: what is rounded, or the rest.
  __device__ __forceinline__ void round_to_part(KeyBytes& b, float steps, bool rest) const {
#pragma unroll
    for (int c = 0; c < K; c++) {
      Rows rows = this->rows_again(c);
      float x[LANE_ROWS];
#pragma unroll
      for (int i = 0; i < LANE_ROWS; i++) x[i] = rounded(rows.q[i] * steps, rows.scale[i], rest);
      put(b, c, x);
    }
    exchange(b);
  }

  // Adds keys' codes times b to logits, in units of the columns.
  __device__ __forceinline__ void multiply_keys(const KeyBytes& b, const float (&unit)[OWN],
                                                float (&x)[OWN][2 * T]) const {
    constexpr int MOST = WIDE ? 4 : 8;  // token tiles whose sums are in registers at a time
    constexpr int PASS = T < MOST ? T : MOST;
    const uint4* words = reinterpret_cast<const uint4*>(keys) + lane;
#pragma unroll
    for (int first = 0; first < T; first += PASS) {
      int high[PASS][4] = {};
      int low[PASS][4] = {};
#pragma unroll
      for (int m = 0; m < Q::PAIRS; m++) {
        uint4 word = {};
#pragma unroll
        for (int i = 0; i < PASS; i++) {
          int j = m * T + first + i;
          if (i == 0 || j % Bytes::POSITIONS == 0) word = words[j / Bytes::POSITIONS * 32];
          uint4 a = Bytes::template codes<Q::IN_ORDER>(word, 0, j, first + i);
          mma_signed_bytes(high[i], a, b.high[2 * m], b.high[2 * m + 1]);
          if (WIDE) mma_bytes(low[i], a, b.low[2 * m], b.low[2 * m + 1]);
        }
      }
      if constexpr (Q::ANY_LEFT) {
#pragma unroll
        for (int i = 0; i < PASS; i++) {
          uint4 a = this->codes_left(first + i);
          uint2 upper = Q::rows_left(b.high, first + i);
          mma_signed_bytes(high[i], a, upper.x, upper.y);
          if (!WIDE) continue;
          uint2 lower = Q::rows_left(b.low, first + i);
          mma_bytes(low[i], a, lower.x, lower.y);
        }
      }
      int before[OWN][2] = {};
#pragma unroll
      for (int i = 0; i < PASS; i++) {
        if (!Q::IN_ORDER || (first + i) % Bytes::POSITIONS == 0) Bytes::clear(before);
#pragma unroll
        for (int w = 0; w < OWN; w++) {
#pragma unroll
          for (int h = 0; h < 2; h++) {
            float& logit = x[w][2 * (first + i) + h];
            logit = fmaf(Bytes::own_sum(high[i], low[i], w, h, before), unit[w] * Bytes::unit_of(first + i), logit);
          }
        }
      }
    }
  }

  // Adds up the products of the column whose sums this lane has.
  __device__ __forceinline__ float steps_of(const KeyBytes& b) const {
    constexpr uint32_t ONES = 0x01010101;
    if constexpr (WIDE) {
      int high = 0;
      uint32_t low = 0;
#pragma unroll
      for (int c = 0; c < K; c++) {
        high = __dp4a(static_cast<int>(b.high[c]), static_cast<int>(ONES), high);
        low = __dp4a(b.low[c], ONES, low);
      }
      return Q::of_four_lanes(static_cast<float>(high * 256 + static_cast<int>(low)), Total());
    } else {
      int sums[4] = {};
#pragma unroll
      for (int c = 0; c < K; c += 2) {
        mma_signed_bytes(sums, {ONES, ONES, ONES, ONES}, b.high[c], c + 1 < K ? b.high[c + 1] : 0);
      }
      return Bytes::sum(sums, sums, 0, 0);
    }
  }

  // What all tokens' logits have of the column whose sums this lane has.
  __device__ __forceinline__ void begin_logits(float bias, float (&x)[OWN][2 * T]) const {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float own = this->from_sums(bias, w) - this->origin(w);
#pragma unroll
      for (int i = 0; i < 2 * T; i++) x[w][i] = own;
    }
  }

  // Logits of a page, relative to their origin: x[w][2 * tile + h] of token 16 tile + g + 8 h.
  __device__ __forceinline__ void page_logits(float (&x)[OWN][2 * T]) const {
    KeyBytes b;
    float minima;
    float scales;
    bool large = round_to_steps(b, minima, scales);
    float unit[OWN];
    if (__builtin_expect(!large, true)) {
      // What rounding has lost, times the mean of the codes.
      begin_logits(minima + MEAN_CODE * (scales - steps_of(b) * Q::STEP), x);
#pragma unroll
      for (int w = 0; w < OWN; w++) unit[w] = Q::STEP;
      multiply_keys(b, unit, x);
      return;
    }
    begin_logits(minima, x);
    // In units of which the largest product has MOST_STEPS, and what that loses in a second pass.
    float part = MOST_STEPS / fmaxf(most_steps(), 1e-30f);
    float inverse = this->inverse_steps / part;
#pragma unroll
    for (int w = 0; w < OWN; w++) unit[w] = this->from_sums(factor, w) * this->from_column(inverse, w);
#pragma unroll 1
    for (int pass = 0; pass < 2; pass++) {
      round_to_part(b, part, pass > 0);
      multiply_keys(b, unit, x);
#pragma unroll
      for (int w = 0; w < OWN; w++) unit[w] *= 1 / (2 * MOST_STEPS);
    }
  }
};

}  // namespace sinkq
