// attend over pages of the codec INT2_ADAPTIVE; dense units as elsewhere.
//
//   S^T [tokens, columns] = digits of K * (q of the row's channel * its scale)  + q * minimum
//   O^T [channels, columns] = V codes * (p * scale) - 1.5 p * scale + p * mean      rotated
//
// Keys and values are multiplied as those of other pages; where rows of the keys get their queries from is told in
// adaptive_key_rows.cuh.
//
// What pages add to the result is rotated; units of a warp are its pages first, so it turns its sums back
// once, behind the last of them.
#pragma once
#include "adaptive_key_rows.cuh"
#include "attend.cuh"

namespace sinkq {

template <int D, bool WIDE, bool MASSES>
struct AdaptiveAttention : Attention<ADAPTIVE, D, 128, WIDE, MASSES> {
  using Base = Attention<ADAPTIVE, D, 128, WIDE, MASSES>;
  using S = typename Base::S;
  using A = AdaptiveShape<D>;
  static constexpr int C = Base::C;
  static constexpr int OWN = Base::OWN;
  static constexpr int T = S::TOKEN_TILES;

  using Base::column_position;
  using Base::g;
  using Base::keys;
  using Base::minimum_sum;
  using Base::out;
  using Base::sum;
  using Base::values;
  using Base::Attention;

  // Caps logits, hides masked tokens and those before the sliding window.
  __device__ __forceinline__ void hide(int unit, int whole, float (&x)[OWN][2 * T]) const {
    this->cap_all(x);
    uint4 mask = *reinterpret_cast<const uint4*>(keys + A::MASK_AT);
    bool any = (mask.x | mask.y | mask.z | mask.w) != 0;
    if (!any && unit * A::TOKENS >= whole) return;
    const uint32_t words[4] = {mask.x, mask.y, mask.z, mask.w};
#pragma unroll
    for (int i = 0; i < T; i++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        bool masked = words[i / 2] >> (16 * (i % 2) + 8 * h + g) & 1;
        int position = unit * A::TOKENS + i * TILE + g + 8 * h;
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
    for (int w = 0; w < OWN; w++) totals[w] = this->of_eight_lanes(this->take_weights(w, x[w]), Total());
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
      this->template multiply_values<A::GROUP_TILES, A::GROUP_TILES % Base::Bytes::POSITIONS == 0, false>(
          b, [&](int m, int k) { return (group * (T / 2) + m) * A::GROUP_TILES + k; },
          [&](int k, int w, int h, float sum, float unit) {
            int c = group * A::GROUP_TILES + k;
            float mean = __half2float(h == 0 ? __low2half(means[c * 8 + g]) : __high2half(means[c * 8 + g]));
            out[w][c][h] = fmaf(totals[w], mean, fmaf(sum, unit, out[w][c][h]));
          });
    }
  }

  // Turns what they have added back: channel 16 c + 8 h + g.
  __device__ __forceinline__ void end_pages() {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float minima[A::GROUPS];
#pragma unroll
      for (int i = 0; i < A::GROUPS; i++) minima[i] = this->of_eight_lanes(minimum_sum[w][i], Total());
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
};

}  // namespace sinkq
