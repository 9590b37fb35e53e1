// The products of a unit of attend, a page or a dense block, with the columns of an item; logits of pages are in
// key_products.cuh.
//
//   O^T [channels, columns] = V codes * (p * scale) + p * minimum    V^T is the A operand
//
// Weights are never negative and none is larger than a page's largest, so that 16 bits are enough for them.
#pragma once
#include "key_products.cuh"

namespace sinkq {

template <int BITS, int D, int G, bool WIDE>
struct Products : KeyProducts<BITS, D, G, WIDE> {
  using Q = KeyProducts<BITS, D, G, WIDE>;
  using S = typename Q::S;
  using Bytes = typename Q::Bytes;
  static constexpr int C = Q::C;
  static constexpr int OWN = Q::OWN;
  static constexpr int GROUP_TILES = C / S::GROUPS;
  // Whether the sums of a channel tile have those of the tile before in them until the end of the pages.
  static constexpr bool TILES_LEFT_IN = C % Bytes::POSITIONS == 0;
  static_assert(int64_t{255} * 65535 * G < int64_t{1} << 31, "sums of four codes in a byte fit");

  using Q::column_position;
  using Q::factor;
  using Q::g;
  using Q::keys;
  using Q::lane;
  using Q::minimum_sum;
  using Q::of;
  using Q::operand;
  using Q::out;
  using Q::sum;
  using Q::t;
  using Q::values;
  using Q::KeyProducts;

  // Hides masked tokens; the values' parameters have arrived.
  __device__ __forceinline__ void hide_masked(float (&x)[OWN][2 * S::TOKEN_TILES]) const {
#pragma unroll
    for (int i = 0; i < S::TOKEN_TILES; i++) {
      uint2 par = value_parameters(0, i);
#pragma unroll
      for (int w = 0; w < OWN; w++) {
        if (par.x >> 31) x[w][2 * i] = -INFINITY;
        if (par.y >> 31) x[w][2 * i + 1] = -INFINITY;
      }
    }
  }

  // Hides tokens before the sliding window.
  __device__ __forceinline__ void hide_before_window(int first, float (&x)[OWN][2 * S::TOKEN_TILES]) const {
#pragma unroll
    for (int i = 0; i < S::TOKEN_TILES; i++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int position = first + i * TILE + g + 8 * h;
#pragma unroll
        for (int w = 0; w < OWN; w++) {
          if (position < this->lowest(column_position[w])) x[w][2 * i + h] = -INFINITY;
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
        float most = fmaxf(Q::of_eight_lanes(__int_as_float(Q::largest_bits(x[w])), Largest()), 1e-30f);
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

  // Channel tiles of a group whose sums are in registers at a time.
  template <int TILES>
  static constexpr int VALUE_PASS = TILES < (WIDE ? 4 : 8) ? TILES : WIDE ? 4 : 8;

  // Multiplies the codes of a group's channel tiles: `place` says which pair of the codes has tokens 32 m and following
  // and the k-th channel tile, `fold` takes the sum of channel g (h = 0) or g + 8 of that one for a column, and its unit;
  // with LEFT_IN, that of the tile before is in it.
  template <int TILES, bool IN_ORDER, bool LEFT_IN, class Place, class Fold>
  __device__ __forceinline__ void multiply_values(const ByteWeights& b, const Place& place, const Fold& fold) const {
    constexpr int PASS = VALUE_PASS<TILES>;
    const uint4* words = reinterpret_cast<const uint4*>(values) + lane;
#pragma unroll
    for (int first = 0; first < TILES; first += PASS) {
      int high[PASS][4] = {};
      int low[PASS][4] = {};
#pragma unroll
      for (int m = 0; m < S::TOKEN_TILES / 2; m++) {
        uint4 word = {};
        int start = 0;
#pragma unroll
        for (int i = 0; i < PASS; i++) {
          if (first + i >= TILES) continue;
          int j = place(m, first + i);
          if (i == 0 || j % Bytes::POSITIONS == 0) {
            word = words[j / Bytes::POSITIONS * 32];
            start = j;
          }
          uint4 a = Bytes::template codes<IN_ORDER>(word, start, j, first + i);
          mma_bytes(high[i], a, b.high[m][0], b.high[m][1]);
          if (WIDE) mma_bytes(low[i], a, b.low[m][0], b.low[m][1]);
        }
      }
      int before[OWN][2] = {};
#pragma unroll
      for (int i = 0; i < PASS; i++) {
        if (first + i >= TILES) continue;
        int position = IN_ORDER ? place(0, first + i) : first + i;
        if (!IN_ORDER || position % Bytes::POSITIONS == 0) Bytes::clear(before);
#pragma unroll
        for (int w = 0; w < OWN; w++) {
#pragma unroll
          for (int h = 0; h < 2; h++) {
            float sum = LEFT_IN ? static_cast<float>(Bytes::sum(high[i], low[i], w, h))
                                : Bytes::own_sum(high[i], low[i], w, h, before);
            fold(first + i, w, h, sum, b.unit[w] * Bytes::unit_of(position));
          }
        }
      }
    }
  }

  // Parameters of the tokens g and g + 8 of a tile, for a channel group.
  __device__ __forceinline__ uint2 value_parameters(int group, int tile) const {
    return reinterpret_cast<const uint2*>(values + S::KEY_CODES)[(group * S::TOKEN_TILES + tile) * 8 + g];
  }

  __device__ __forceinline__ void page_values(const float (&x)[OWN][2 * S::TOKEN_TILES]) {
#pragma unroll
    for (int w = 0; w < OWN; w++) this->take_weights(w, x[w]);
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
        minimum_sum[w][group] += minima[w][0] + minima[w][1];
      }
      ByteWeights b(scaled);
      multiply_values<GROUP_TILES, TILES_LEFT_IN, TILES_LEFT_IN>(
          b, [&](int m, int k) { return m * C + group * GROUP_TILES + k; },
          [&](int k, int w, int h, float sum, float unit) {
            float& o = out[w][group * GROUP_TILES + k][h];
            o = fmaf(sum, unit, o);
          });
    }
  }

  // Takes the sums of the tile before out of those of a channel tile.
  __device__ __forceinline__ void end_pages() {
    if constexpr (TILES_LEFT_IN) {
#pragma unroll
      for (int c = C - 1; c > 0; c--) {
        // The first tile of a byte, or of a pass, has none before it.
        if (c % Bytes::POSITIONS == 0 || c % GROUP_TILES % VALUE_PASS<GROUP_TILES> == 0) continue;
#pragma unroll
        for (int w = 0; w < OWN; w++) {
#pragma unroll
          for (int h = 0; h < 2; h++) out[w][c][h] = fmaf(out[w][c - 1][h], -Bytes::unit_of(1), out[w][c][h]);
        }
      }
    }
  }

  // Logits of 16 tokens, likewise.
  __device__ __forceinline__ void dense_logits(float (&x)[OWN][2]) const {
    const uint4* words = reinterpret_cast<const uint4*>(keys);
    typename Q::QuerySums s;
#pragma unroll
    for (int c = 0; c < C; c++) this->times_query(s, words[c * 32 + lane], c);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float by = this->from_sums(factor, w);
      float origin = this->origin(w);
      x[w][0] = fmaf(s.of(w, 0), by, -origin);
      x[w][1] = fmaf(s.of(w, 1), by, -origin);
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

  __device__ __forceinline__ void dense_values(const float (&x)[OWN][2]) {
    const uint4* words = reinterpret_cast<const uint4*>(values);
    uint32_t b[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      // The weight in the even column of a pair, what fp16 loses of it in the odd one.
      float rest = x[0][h] - __half2float(__float2half_rn(x[0][h]));
      b[h] = WIDE ? operand(x, h) : transpose(pack_halves(x[0][h], rest));
    }
#pragma unroll
    for (int w = 0; w < OWN; w++) sum[w] += x[w][0] + x[w][1];
#pragma unroll
    for (int c = 0; c < C; c++) {
      uint4 a = words[c * 32 + lane];
      float o[4] = {};
      mma(o, a.x, a.y, a.z, a.w, b[0], b[1]);
#pragma unroll
      for (int w = 0; w < OWN; w++) {
#pragma unroll
        for (int h = 0; h < 2; h++) out[w][c][h] += of(o, w, h);
      }
    }
  }
};

}  // namespace sinkq
