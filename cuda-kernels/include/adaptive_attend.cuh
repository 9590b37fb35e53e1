// attend over pages of the codec INT2_ADAPTIVE; dense units as elsewhere.
//
//   S^T [tokens, columns] = digits of K * (q of the row's channel * its scale)  + q * minimum
//   O^T [channels, columns] = V codes * (p * scale) - 1.5 p * scale + p * mean      rotated
//
// Which channel a row of the keys belongs to changes from page to page, so the columns' queries are in shared
// memory, and a lane picks its rows' elements. Scales have 4 significant bits: a query is a part of 7 bits, whose
// product with a scale is exact, and the rest. With 4 columns the rest is in the odd one of a pair, with 8 queries have
// a second product. Values are multiplied as those of other pages.
//
// What pages add to the result is rotated; units of a warp are its pages first, so it turns its sums back
// once, behind the last of them.
#pragma once
#include "adaptive.cuh"
#include "attend.cuh"

namespace sinkq {

// A digit in place, masked out of its register, is an fp16 subnormal: digit * 2^(2 * position) * 2^-24, exact.
constexpr float CODE_UNIT = 0x1p24f;
constexpr uint32_t SEVEN_BITS = 0xFFF0FFF0;  // of two fp16 numbers

// Dynamic shared memory of a block: buffers, reused by the merge, and queries, two parts of each element.
template <int D>
__host__ __device__ constexpr int adaptive_attend_shared() {
  return WARPS * PageShape<ADAPTIVE, D, 128>::WARP_BUFFER + 32 * (D + 4);
}

template <int D, bool WIDE>
struct AdaptiveAttention : Attention<ADAPTIVE, D, 128, WIDE> {
  using Base = Attention<ADAPTIVE, D, 128, WIDE>;
  using S = typename Base::S;
  using A = AdaptiveShape<D>;
  static constexpr int C = Base::C;
  static constexpr int OWN = Base::OWN;
  static constexpr int T = S::TOKEN_TILES;
  // Elements between two columns' queries; the banks that four rows of each column are in differ. With 8 columns
  // both parts of an element share a word; with 4 the rest has a row of its own.
  static constexpr int PITCH = WIDE ? D + 4 : D + 8;
  static constexpr int DIRECT = 5;  // positions below fp16's exponent

  using Base::column_position;
  using Base::factor;
  using Base::g;
  using Base::item;
  using Base::keys;
  using Base::lane;
  using Base::minimum_sum;
  using Base::odd;
  using Base::of;
  using Base::out;
  using Base::p;
  using Base::q_high;
  using Base::q_rest;
  using Base::seq;
  using Base::sum;
  using Base::t;
  using Base::values;
  using Base::warp;

  uint8_t* queries;

  __device__ AdaptiveAttention(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared)
      : Base(p, seq, item, shared), queries(shared + WARPS * S::WARP_BUFFER) {}

  // Leaves the columns' queries in shared memory, every fourth tile by each warp.
  __device__ __forceinline__ void share_queries() const {
#pragma unroll
    for (int c = 0; c < C; c++) {
      if (c % WARPS != warp || !(WIDE || odd)) continue;
#pragma unroll
      for (int i = 0; i < 2; i++) {
        uint32_t high = q_high[c][i] & SEVEN_BITS;
        float2 all = __half22float2(*reinterpret_cast<const __half2*>(&q_high[c][i]));
        float2 seven = __half22float2(*reinterpret_cast<const __half2*>(&high));
        float2 rest = __half22float2(*reinterpret_cast<const __half2*>(&q_rest[c][i]));
        uint32_t low = pack_halves(all.x - seven.x + rest.x, all.y - seven.y + rest.y);
        int channel = c * TILE + 2 * t + 8 * i;
        if (WIDE) {
          uint2 both = {__byte_perm(high, low, 0x5410), __byte_perm(high, low, 0x7632)};
          *reinterpret_cast<uint2*>(queries + (g * PITCH + channel) * 4) = both;
        } else {
          *reinterpret_cast<uint32_t*>(queries + ((g - 1) * PITCH + channel) * 2) = high;
          *reinterpret_cast<uint32_t*>(queries + (g * PITCH + channel) * 2) = low;
        }
      }
    }
  }

  // Two operands, of which the second has the rests where columns do not come in pairs.
  struct Pair {
    uint32_t high;
    uint32_t rest;
  };

  // A column's elements of two channels.
  __device__ __forceinline__ Pair query(uint32_t first, uint32_t second) const {
    if (WIDE) {
      const uint32_t* q = reinterpret_cast<const uint32_t*>(queries) + g * PITCH;
      uint32_t x = q[first];
      uint32_t y = q[second];
      return {__byte_perm(x, y, 0x5410), __byte_perm(x, y, 0x7632)};
    }
    const uint16_t* q = reinterpret_cast<const uint16_t*>(queries) + g * PITCH;
    return {__byte_perm(q[first], q[second], 0x5410), 0};
  }

  // The same of a channel and the next one.
  __device__ __forceinline__ Pair query(int channel) const {
    if (WIDE) {
      uint2 q = *reinterpret_cast<const uint2*>(queries + (g * PITCH + channel) * 4);
      return {__byte_perm(q.x, q.y, 0x5410), __byte_perm(q.x, q.y, 0x7632)};
    }
    return {*reinterpret_cast<const uint32_t*>(queries + (g * PITCH + channel) * 2), 0};
  }

  // Adds A times the queries of a channel tile.
  __device__ __forceinline__ void times_query(float (&d)[4], uint4 a, int c) const {
    Pair low = query(c * TILE + 2 * t);
    Pair high = query(c * TILE + 2 * t + 8);
    mma(d, a.x, a.y, a.z, a.w, low.high, high.high);
    if (WIDE) mma(d, a.x, a.y, a.z, a.w, low.rest, high.rest);
  }

  // The code at a position, moved to where `inner` has its power of two.
  static __device__ __forceinline__ uint32_t code(uint32_t word, int position, int inner) {
    int shift = 2 * (position - inner % DIRECT);
    return (shift >= 0 ? word >> shift : word << -shift) & 0x00030003u << 2 * (inner % DIRECT);
  }

  static __device__ __forceinline__ float unit_of(int inner) {
    return CODE_UNIT / static_cast<float>(1 << 2 * (inner % DIRECT));
  }

  // Logits of a page, relative to their origin: x[w][2 * tile + h] of token 16 tile + g + 8 h.
  __device__ __forceinline__ void page_logits(float (&x)[OWN][2 * T]) const {
    const uint2* rows = reinterpret_cast<const uint2*>(keys + A::KEY_ROWS_AT);
    const uint2* minima = reinterpret_cast<const uint2*>(keys + A::KEY_MINIMA_AT);
    float bias[4] = {};
#pragma unroll
    for (int c = 0; c < C; c++) {
      uint2 z = minima[c * 4 + t];
      times_query(bias, {z.x, 0, z.y, 0}, c);
    }
    float s[T][4] = {};
#pragma unroll
    for (int c = 0; c < A::ROW_TILES; c++) {
      bool half = c * TILE + 8 == A::ROWS;
      uint2 row = rows[c * 4 + t];
      Pair b[2] = {};
#pragma unroll
      for (int i = 0; i < (half ? 1 : 2); i++) {
        uint32_t scale = scale_pair(row.y, i);
        b[i] = query(row.x >> (16 * i) & 0xFF, row.x >> (16 * i + 8) & 0xFF);
        b[i].high = mul2(b[i].high, scale);
        if (WIDE) b[i].rest = mul2(b[i].rest, scale);
      }
      uint4 word = {};
      if (half) {
        uint2 upper = reinterpret_cast<const uint2*>(keys + c * TILE_BYTES)[lane];
        word = {upper.x, upper.y, 0, 0};
      } else {
        word = reinterpret_cast<const uint4*>(keys + c * TILE_BYTES)[lane];
      }
#pragma unroll
      for (int i = 0; i < T; i++) {
        uint4 a = {code(word.x, i, i), code(word.y, i, i), code(word.z, i, i), code(word.w, i, i)};
        mma(s[i], a.x, a.y, a.z, a.w, b[0].high, b[1].high);
        if (WIDE) mma(s[i], a.x, a.y, a.z, a.w, b[0].rest, b[1].rest);
      }
    }
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float qz = fmaf(of(bias, w, 0), factor[w], -this->origin(w));
#pragma unroll
      for (int i = 0; i < T; i++) {
        float f = factor[w] * unit_of(i);
        x[w][2 * i] = fmaf(of(s[i], w, 0), f, qz);
        x[w][2 * i + 1] = fmaf(of(s[i], w, 1), f, qz);
      }
    }
  }

  // Hides masked tokens and those before the sliding window.
  __device__ __forceinline__ void hide_in_page(int first, float (&x)[OWN][2 * T], uint4 mask) const {
    const uint32_t words[4] = {mask.x, mask.y, mask.z, mask.w};
#pragma unroll
    for (int i = 0; i < T; i++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        bool masked = words[i / 2] >> (16 * (i % 2) + 8 * h + g) & 1;
        int position = first + i * TILE + g + 8 * h;
#pragma unroll
        for (int w = 0; w < OWN; w++) {
          if (masked || position < this->lowest(column_position[w])) x[w][2 * i + h] = -INFINITY;
        }
      }
    }
  }

  __device__ __forceinline__ void page_values(const float (&x)[OWN][2 * T]) {
    const uint4* scales = reinterpret_cast<const uint4*>(values + A::VALUE_SCALES_AT) + g;
    const __half2* means = reinterpret_cast<const __half2*>(values + A::VALUE_MEANS_AT);
    float totals[OWN];
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float total[2] = {};
#pragma unroll
      for (int i = 0; i < 2 * T; i++) total[i % 2] += x[w][i];
      sum[w] += total[0] + total[1];
      totals[w] = this->of_all_lanes(total[0] + total[1]);
    }
#pragma unroll
    for (int group = 0; group < A::GROUPS; group++) {
      uint4 all = scales[group * 8];
      const uint32_t four[4] = {all.x, all.y, all.z, all.w};
      float scaled[OWN][2 * T];
#pragma unroll
      for (int i = 0; i < T; i++) {
        uint32_t both = scale_pair(four[i / 2], i % 2);
        float2 scale = __half22float2(*reinterpret_cast<const __half2*>(&both));
#pragma unroll
        for (int w = 0; w < OWN; w++) {
          scaled[w][2 * i] = x[w][2 * i] * scale.x;
          scaled[w][2 * i + 1] = x[w][2 * i + 1] * scale.y;
        }
      }
      typename Base::ByteWeights b(scaled);
      // Codes are centered by the same integers that they are multiplied with.
#pragma unroll
      for (int w = 0; w < OWN; w++) {
        minimum_sum[w][group] = fmaf(-1.5f * b.unit[w], b.of_lane[w], minimum_sum[w][group]);
      }
      this->template multiply_values<A::GROUP_TILES, A::GROUP_TILES % Base::Bytes::POSITIONS == 0>(
          b, [&](int m, int k) { return (group * (T / 2) + m) * A::GROUP_TILES + k; },
          [&](int k, int w, int h, float sum, float unit) {
            int c = group * A::GROUP_TILES + k;
            float mean = __half2float(h == 0 ? __low2half(means[c * 8 + g]) : __high2half(means[c * 8 + g]));
            out[w][c][h] = fmaf(totals[w], mean, fmaf(sum, unit, out[w][c][h]));
          });
    }
  }

  // Turns what pages have added back: channel 16 c + 8 h + g.
  __device__ __forceinline__ void turn() {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float minima[A::GROUPS];
#pragma unroll
      for (int i = 0; i < A::GROUPS; i++) minima[i] = this->of_all_lanes(minimum_sum[w][i]);
#pragma unroll
      for (int c = 0; c < C; c++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
          float x = out[w][c][h] + minima[c / A::GROUP_TILES];
#pragma unroll
          for (int i = 1; i < 8; i *= 2) {
            float other = __shfl_xor_sync(~0u, x, 4 * i);
            x = g & i ? other - x : x + other;
          }
          out[w][c][h] = x * A::NORM;
        }
        float upper = out[w][c][0];
        out[w][c][0] = upper + out[w][c][1];
        out[w][c][1] = upper - out[w][c][1];
      }
#pragma unroll
      for (int i = 1; i < A::ROTATED / TILE; i *= 2) {
#pragma unroll
        for (int c = 0; c < C; c++) {
          if (c & i) continue;
#pragma unroll
          for (int h = 0; h < 2; h++) {
            float x = out[w][c][h];
            out[w][c][h] = x + out[w][c + i][h];
            out[w][c + i][h] = x - out[w][c + i][h];
          }
        }
      }
#pragma unroll
      for (int i = 0; i < A::GROUPS; i++) minimum_sum[w][i] = 0;
    }
  }

  __device__ void run() {
    int unit = this->next(item.first_unit + warp);
    int page = this->page_of(unit);
    uint32_t q[C][4] = {};
    this->load_queries(q);
    this->append_own_row();
    const uint8_t* at = this->fetch_keys(unit, page);
    this->fetch_values(unit, at);
    this->begin(q);
    share_queries();
    __syncthreads();
    int whole = this->lowest(seq.length + row_of(p, item.first_column + item.columns - 1));
    while (unit < this->page_end) unit = page_unit(unit, whole);
    turn();
    while (unit < item.end_unit) unit = this->dense_unit(*this, unit);
  }

  __device__ __forceinline__ int page_unit(int unit, int whole) {
    int following = this->next(unit + WARPS);
    int page = this->page_of(following);
    this->template wait<1>();
    float x[OWN][2 * T];
    page_logits(x);
    this->cap_all(x);
    uint4 mask = *reinterpret_cast<const uint4*>(keys + A::MASK_AT);
    bool any = (mask.x | mask.y | mask.z | mask.w) != 0;
    if (any || unit * A::TOKENS < whole) hide_in_page(unit * A::TOKENS, x, mask);
    __syncwarp();
    const uint8_t* at = this->fetch_keys(following, page);
    this->weigh(x);
    this->template wait<1>();
    page_values(x);
    __syncwarp();
    this->fetch_values(following, at);
    return following;
  }
};

template <int D, bool WIDE>
__device__ void attend_adaptive(const Params& p) {
  extern __shared__ __align__(128) uint8_t shared[];
  const Item item = reinterpret_cast<const Item*>(p.plan + p.item_table)[blockIdx.x];
  using A = AdaptiveAttention<D, WIDE>;
  static_assert(A::InBlock::STATE * 4 <= A::S::WARP_BUFFER, "");
  A a(p, item.of, item, shared);
  a.run();
  if (item.columns == 0) return;
  a.finish(reinterpret_cast<float*>(shared));
}

}  // namespace sinkq
