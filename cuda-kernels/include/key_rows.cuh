// Where the rows of a page's keys are, whose codes queries are multiplied with: here a channel each.
//
// A kind of page says so in a KeyRows of its own: how many tiles of 16 rows there are (KEY_TILES), how many pairs of them
// share registers (PAIRS), where the codes of those left over are, and what a row's query and scale are.
#pragma once
#include "codes.cuh"
#include "columns.cuh"

namespace sinkq {

constexpr uint32_t NO_SIGNS = 0x7FFF7FFF;

// A lane's rows of a tile: 2t, 2t+1, 2t+8 and 2t+9, or two of them.
template <int N>
struct LaneRows {
  float q[N];      // of column g (g / 2), in steps
  float scale[N];  // none of them with a sign
};

template <int BITS, int D, int G, bool WIDE>
struct KeyRows : Columns<BITS, D, G, WIDE> {
  using Q = Columns<BITS, D, G, WIDE>;
  using S = typename Q::S;
  using Bytes = Codes<S::VALUE_BITS, WIDE>;
  static constexpr int C = Q::C;
  static constexpr int T = S::TOKEN_TILES;
  static constexpr int KEY_TILES = C;
  static constexpr int PAIRS = C / 2;
  static constexpr int LANE_ROWS = 4;
  static constexpr bool ANY_LEFT = C % 2 == 1;
  static constexpr int OWN_FOURS = ceil_div(C * 4, 32);  // four channels each, that a lane looks after
  // Whether token tiles that follow one another are at positions that do, wherever their codes are.
  static constexpr bool IN_ORDER = T % Bytes::POSITIONS == 0 && !ANY_LEFT;

  using Q::factor;
  using Q::keys;
  using Q::lane;
  using Q::t;
  using Q::Columns;

  // The largest query that any column has, in steps, in four channels: 2t, 2t+1, 2t+8 and 2t+9 of tile lane / 4 (and
  // of the eighth tile after it).
  float4 largest_steps[OWN_FOURS];

  static __device__ __forceinline__ float4 largest_of(float4 x, float4 y) {
    return {fmaxf(x.x, fabsf(y.x)), fmaxf(x.y, fabsf(y.y)), fmaxf(x.z, fabsf(y.z)), fmaxf(x.w, fabsf(y.w))};
  }

  // Number of this lane's i-th four channels; the last ones once more where there are no others.
  __device__ __forceinline__ int own_four(int i) const { return min(32 * i + lane, C * 4 - 1); }

  // Finds them in what the warps have left.
  __device__ __forceinline__ void find_largest_steps() {
#pragma unroll
    for (int i = 0; i < OWN_FOURS; i++) {
      float4 largest = {0, 0, 0, 0};
#pragma unroll
      for (int column = 0; column < Q::COLUMNS; column++) {
        largest = largest_of(largest, reinterpret_cast<const float4*>(this->column_steps(column))[own_four(i)]);
      }
      largest_steps[i] = largest;
    }
  }

  // Parameters of a page, of four channels each.
  __device__ __forceinline__ const uint4* key_parameters() const {
    return reinterpret_cast<const uint4*>(keys + S::KEY_CODES);
  }

  static __device__ __forceinline__ float4 scales_of(uint4 par) {
    float2 low = __half22float2(*reinterpret_cast<const __half2*>(&par.y));
    float2 high = __half22float2(*reinterpret_cast<const __half2*>(&par.w));
    return {low.x, low.y, high.x, high.y};
  }

  // Whether a query times a scale has more steps than 16 bits hold, in any column.
  __device__ __forceinline__ bool any_too_large() const {
    float4 most = {0, 0, 0, 0};
#pragma unroll
    for (int i = 0; i < OWN_FOURS; i++) {
      float4 q = largest_steps[i];
      float4 scale = scales_of(key_parameters()[own_four(i)]);
      most = largest_of(most, {q.x * scale.x, q.y * scale.y, q.z * scale.z, q.w * scale.w});
    }
    return __any_sync(~0u, fmaxf(fmaxf(most.x, most.y), fmaxf(most.z, most.w)) > MOST_STEPS);
  }

  __device__ __forceinline__ LaneRows<4> rows_of(uint4 par, int c) const {
    float4 q = this->own_steps()[c * 4];
    float4 scale = scales_of(par);
    return {{q.x, q.y, q.z, q.w}, {scale.x, scale.y, scale.z, scale.w}};
  }

  // Calls each(tile, rows). What queries times minima add up to goes to `minima`, and times scales to `scales`, both as
  // base-2 logits of the column whose sums this lane has. Returns whether 16 bits do not do for all columns.
  template <class Each>
  __device__ __forceinline__ bool read_rows(float& minima, float& scales, const Each& each) const {
    typename Q::ParameterSums sums;
#pragma unroll
    for (int c = 0; c < C; c++) {
      uint4 par = key_parameters()[c * 4 + t];
      if (c == 0) par.y &= NO_SIGNS;
      this->times_query(sums, par, c);
      each(c, rows_of(par, c));
    }
    minima = sums.minima() * factor;
    scales = sums.scales() * factor;
    return any_too_large();
  }

  // The same rows, for another time.
  __device__ __forceinline__ LaneRows<4> rows_again(int c) const {
    uint4 par = read_again(key_parameters() + c * 4 + t);
    if (c == 0) par.y &= NO_SIGNS;
    return rows_of(par, c);
  }

  // What the lanes that share a column's rows have found together.
  template <class Join>
  static __device__ __forceinline__ float of_all_rows(float x, const Join& join) {
    return Q::of_four_lanes(x, join);
  }

  // What an odd last tile has of a token tile, two of which share registers.
  __device__ __forceinline__ uint4 codes_left(int token_tile) const {
    int j = PAIRS * T + token_tile / 2;
    uint4 word = reinterpret_cast<const uint4*>(keys)[j / Bytes::POSITIONS * 32 + lane];
    bool second = token_tile % 2;
    return {Bytes::moved(second ? word.z : word.x, j, token_tile), Bytes::moved(second ? word.w : word.y, j, token_tile),
            0, 0};
  }

  // What those are multiplied with.
  static __device__ __forceinline__ uint2 rows_left(const uint32_t (&b)[KEY_TILES], int) { return {b[C - 1], 0}; }
};

}  // namespace sinkq
