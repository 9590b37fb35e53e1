// Logits of a quantized page: S^T [tokens, columns] = K codes * (q * scale) + q * minimum, K the A operand.
//
// Queries times scales are counted in steps that are small enough for any logit. In a page that has larger ones than
// 16 bits hold, they are counted in units of their own, and what those lose in a second product.
#pragma once
#include "codes.cuh"
#include "columns.cuh"

namespace sinkq {

constexpr uint32_t NO_SIGNS = 0x7FFF7FFF;
// A float that, added to another one, leaves the nearest integer in the lower half.
constexpr float TO_INTEGER = 0x1.8p23f;

template <int BITS, int D, int G, bool WIDE>
struct KeyProducts : Columns<BITS, D, G, WIDE> {
  using Q = Columns<BITS, D, G, WIDE>;
  using S = typename Q::S;
  using Bytes = Codes<S::VALUE_BITS, WIDE>;
  static constexpr int C = Q::C;
  static constexpr int OWN = Q::OWN;
  static constexpr float MEAN_CODE = ((1 << S::VALUE_BITS) - 1) / 2.f;

  using Q::factor;
  using Q::keys;
  using Q::lane;
  using Q::odd;
  using Q::of;
  using Q::q_high;
  using Q::t;
  using Q::times_query;
  using Q::Columns;

  // Queries times scales of a page's channels as bytes of B's operands, four channels of a lane for each tile:
  // signed integers of 16 bits, their upper bytes rounded, since lower ones are signed as well. With 4 columns the
  // upper bytes are in the even column of a pair, the lower ones in the odd one.
  struct KeyBytes {
    uint32_t high[C];
    uint32_t low[C];  // with 8 columns
  };

  // Added to a number, it leaves the nearest integer in the lower half, for upper bytes increased to round them.
  __device__ __forceinline__ float rounding() const { return WIDE || !odd ? TO_INTEGER + 128 : TO_INTEGER; }

  __device__ __forceinline__ void put(KeyBytes& b, int c, float4 x) const {
    uint32_t i[4] = {__float_as_uint(x.x), __float_as_uint(x.y), __float_as_uint(x.z), __float_as_uint(x.w)};
    int bytes = WIDE ? 0x4051 : odd ? 0x40 : 0x51;
    uint32_t first = __byte_perm(i[0], i[1], bytes);
    uint32_t second = __byte_perm(i[2], i[3], bytes);
    b.high[c] = __byte_perm(first, second, 0x5410);
    if (WIDE) b.low[c] = __byte_perm(first, second, 0x7632) ^ 0x80808080;
  }

  // Scales of this lane's channels of a tile, none of them with a sign.
  static __device__ __forceinline__ float4 scales_of(uint4 par) {
    float2 low = __half22float2(*reinterpret_cast<const __half2*>(&par.y));
    float2 high = __half22float2(*reinterpret_cast<const __half2*>(&par.w));
    return {low.x, low.y, high.x, high.y};
  }

  __device__ __forceinline__ const uint4* key_parameters() const {
    return reinterpret_cast<const uint4*>(keys + S::KEY_CODES) + t;
  }

  // Rounds queries times scales to steps; `sums` is what queries times minima add up to, and, behind it, times
  // scales. Returns whether 16 bits do not do for all columns.
  __device__ __forceinline__ bool round_to_steps(KeyBytes& b, float (&sums)[4]) const {
    uint32_t most = 0;
#pragma unroll
    for (int c = 0; c < C; c++) {
      uint4 par = key_parameters()[c * 4];
      if (c == 0) par.y &= NO_SIGNS;
      // Rows 0 to 7 are all minima, rows 8 to 15 all scales.
      times_query(sums, par, c);
      most = max_abs2(max_abs2(most, mul2(q_high[c][0], par.y)), mul2(q_high[c][1], par.w));
      float4 scale = scales_of(par);
      float4 q = this->own_steps()[c * 4];
      float r = rounding();
      put(b, c, {fmaf(q.x, scale.x, r), fmaf(q.y, scale.y, r), fmaf(q.z, scale.z, r), fmaf(q.w, scale.w, r)});
    }
    float2 both = __half22float2(*reinterpret_cast<const __half2*>(&most));
    // Too small a product is 0, hence the last summand.
    return __any_sync(~0u, fmaxf(both.x, both.y) + 0x1p-24f > this->most_product);
  }

  // The largest of column g's queries times scales, in steps.
  __device__ __forceinline__ float most_steps() const {
    float most = 0;
#pragma unroll
    for (int c = 0; c < C; c++) {
      float4 scale = scales_of(parameters_again(c));
      float4 q = this->own_steps()[c * 4];
      most = fmaxf(fmaxf(most, fabsf(q.x * scale.x)), fabsf(q.y * scale.y));
      most = fmaxf(fmaxf(most, fabsf(q.z * scale.z)), fabsf(q.w * scale.w));
    }
    most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
    return fmaxf(most, __shfl_xor_sync(~0u, most, 2));
  }

  // Parameters of a tile's channels, read for another time.
  __device__ __forceinline__ uint4 parameters_again(int c) const {
    uint4 par = read_again(key_parameters() + c * 4);
    if (c == 0) par.y &= NO_SIGNS;
    return par;
  }

  // A query times a scale, rounded; or what that loses, half a unit at most, so much larger that 16 bits just hold it.
  __device__ __forceinline__ float rounded(float q, float scale, bool rest) const {
    float nearest = fmaf(q, scale, TO_INTEGER) - TO_INTEGER;
    return (rest ? fmaf(q, scale, -nearest) * (2 * MOST_STEPS) : nearest) + rounding();
  }

  // As round_to_steps, but in units of the column's own, `steps` of which are one of its steps: what is rounded, or the rest.
  __device__ __forceinline__ void round_to_part(KeyBytes& b, float steps, bool rest) const {
#pragma unroll
    for (int c = 0; c < C; c++) {
      float4 scale = scales_of(parameters_again(c));
      float4 q = this->own_steps()[c * 4];
      put(b, c,
          {rounded(q.x * steps, scale.x, rest), rounded(q.y * steps, scale.y, rest),
           rounded(q.z * steps, scale.z, rest), rounded(q.w * steps, scale.w, rest)});
    }
  }

  // Adds keys' codes times b to logits, in units of the columns.
  __device__ __forceinline__ void multiply_keys(const KeyBytes& b, const float (&unit)[OWN],
                                                float (&x)[OWN][2 * S::TOKEN_TILES]) const {
    constexpr int T = S::TOKEN_TILES;
    constexpr int MOST = WIDE ? 4 : 8;  // token tiles whose sums are in registers at a time
    constexpr int PASS = T < MOST ? T : MOST;
    constexpr bool IN_ORDER = T % Bytes::POSITIONS == 0 && C % 2 == 0;
    const uint4* words = reinterpret_cast<const uint4*>(keys) + lane;
#pragma unroll
    for (int first = 0; first < T; first += PASS) {
      int high[PASS][4] = {};
      int low[PASS][4] = {};
      uint4 word = {};
      auto add = [&](int i, uint4 a, int c, bool paired) {
        mma_signed_bytes(high[i], a, b.high[c], paired ? b.high[c + 1] : 0);
        if (WIDE) mma_signed_bytes(low[i], a, b.low[c], paired ? b.low[c + 1] : 0);
      };
#pragma unroll
      for (int c = 0; c + 1 < C; c += 2) {
#pragma unroll
        for (int i = 0; i < PASS; i++) {
          int j = c / 2 * T + first + i;
          if (i == 0 || j % Bytes::POSITIONS == 0) word = words[j / Bytes::POSITIONS * 32];
          add(i, Bytes::template codes<IN_ORDER>(word, 0, j, first + i), c, true);
        }
      }
      if constexpr (C % 2 == 1) {
#pragma unroll
        for (int i = 0; i < PASS; i += 2) {
          int inner = first + i;
          int j = C / 2 * T + inner / 2;
          if (i == 0 || j % Bytes::POSITIONS == 0) word = words[j / Bytes::POSITIONS * 32];
          add(i, {Bytes::moved(word.x, j, inner), Bytes::moved(word.y, j, inner), 0, 0}, C - 1, false);
          add(i + 1, {Bytes::moved(word.z, j, inner + 1), Bytes::moved(word.w, j, inner + 1), 0, 0}, C - 1, false);
        }
      }
      int before[OWN][2] = {};
#pragma unroll
      for (int i = 0; i < PASS; i++) {
        if (!IN_ORDER || (first + i) % Bytes::POSITIONS == 0) Bytes::clear(before);
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

  // Adds up a column's products.
  __device__ __forceinline__ void add_up(const KeyBytes& b, float (&steps)[OWN]) const {
    constexpr uint32_t ONES = 0x01010101;
    int high[4] = {};
    int low[4] = {};
#pragma unroll
    for (int c = 0; c < C; c += 2) {
      bool paired = c + 1 < C;
      mma_signed_bytes(high, {ONES, ONES, ONES, ONES}, b.high[c], paired ? b.high[c + 1] : 0);
      if (WIDE) mma_signed_bytes(low, {ONES, ONES, ONES, ONES}, b.low[c], paired ? b.low[c + 1] : 0);
    }
    int none[OWN][2] = {};
#pragma unroll
    for (int w = 0; w < OWN; w++) steps[w] = Bytes::own_sum(high, low, w, 0, none);
  }

  static __device__ __forceinline__ void set(float (&x)[2 * S::TOKEN_TILES], float value) {
#pragma unroll
    for (int i = 0; i < 2 * S::TOKEN_TILES; i++) x[i] = value;
  }

  // Logits of a page, relative to their origin: x[w][2 * tile + h] of token 16 tile + g + 8 h.
  __device__ __forceinline__ void page_logits(float (&x)[OWN][2 * S::TOKEN_TILES]) const {
    KeyBytes b;
    float sums[4] = {};
    bool large = round_to_steps(b, sums);
    float bias[OWN];
    float unit[OWN];
#pragma unroll
    for (int w = 0; w < OWN; w++) bias[w] = fmaf(of(sums, w, 0), factor[w], -this->origin(w));
    if (!large) {
      float steps[OWN];
      add_up(b, steps);
#pragma unroll
      for (int w = 0; w < OWN; w++) {
        unit[w] = Q::STEP;
        // What rounding has lost, times the mean of the codes.
        bias[w] += MEAN_CODE * (of(sums, w, 1) * factor[w] - steps[w] * Q::STEP);
        set(x[w], bias[w]);
      }
      multiply_keys(b, unit, x);
      return;
    }
#pragma unroll
    for (int w = 0; w < OWN; w++) set(x[w], bias[w]);
    // In units of which the largest product has MOST_STEPS, and what that loses in a second pass.
    float part = MOST_STEPS / fmaxf(most_steps(), 1e-30f);
    float inverse = this->most_product / (MOST_STEPS * part);
#pragma unroll
    for (int w = 0; w < OWN; w++) unit[w] = factor[w] * __shfl_sync(~0u, inverse, this->own(w) * (WIDE ? 4 : 8));
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
