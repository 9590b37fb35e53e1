// The rows of an adaptive page's keys, digits of channels.
//
// Which channel a row belongs to changes from page to page, so the columns' queries are in shared memory by channel, and
// a lane looks its rows' elements up. That is most of the work before the products, so with 4 columns the two lanes that
// need the same rows, one for the upper bytes, one for the lower ones, look half of them up each, and exchange bytes.
#pragma once
#include "adaptive.cuh"
#include "key_rows.cuh"

namespace sinkq {

template <int D, int G, bool WIDE>
struct KeyRows<ADAPTIVE, D, G, WIDE> : Columns<ADAPTIVE, D, G, WIDE> {
  using Q = Columns<ADAPTIVE, D, G, WIDE>;
  using S = typename Q::S;
  using A = AdaptiveShape<D>;
  using Bytes = Codes<2, WIDE>;
  static constexpr int C = Q::C;
  static constexpr int KEY_TILES = A::ROW_TILES;
  static constexpr int PAIRS = A::ROW_PAIRS;
  static constexpr bool ANY_LEFT = A::TILE_LEFT || A::HALF_LEFT;
  static constexpr bool IN_ORDER = true;
  // With 4 columns, rows 2t and 2t+1 for the even lane of a pair, those 8 behind for the odd one.
  static constexpr int LANE_ROWS = WIDE ? 4 : 2;
  using Rows = LaneRows<LANE_ROWS>;

  using Q::factor;
  using Q::keys;
  using Q::lane;
  using Q::odd;
  using Q::t;
  using Q::Columns;

  // Rows are looked at one by one.
  __device__ __forceinline__ void find_largest_steps() {}

  __device__ __forceinline__ const uint2* row_table() const {
    return reinterpret_cast<const uint2*>(keys + A::KEY_ROWS_AT) + t;
  }

  // The rows whose channels and scales these are. Half a tile has no more than the first two; the scales of the others are 0
  // in the table.
  __device__ __forceinline__ Rows rows_of(uint2 row, int c) const {
    uint32_t q = static_cast<uint32_t>(__cvta_generic_to_shared(this->column_steps()));
    bool second = !WIDE && odd;
    Rows rows = {};
#pragma unroll
    for (int i = 0; i < LANE_ROWS; i += 2) {
      if (i > 0 && A::HALF_LEFT && c == KEY_TILES - 1) continue;
      uint32_t place = second ? 4 << 16 : 4 << 8 * i;
      rows.q[i] = look_up(q, row.x, place);
      rows.q[i + 1] = look_up(q, row.x, place << 8);
      uint32_t both = scale_pair(row.y, second ? 1 : i / 2);
      float2 scale = __half22float2(*reinterpret_cast<const __half2*>(&both));
      rows.scale[i] = scale.x;
      rows.scale[i + 1] = scale.y;
    }
    return rows;
  }

  template <class Each>
  __device__ __forceinline__ bool read_rows(float& minima, float& scales, const Each& each) const {
    const uint2* table = reinterpret_cast<const uint2*>(keys + A::KEY_MINIMA_AT) + t;
    typename Q::ParameterSums sums;
#pragma unroll
    for (int c = 0; c < C; c++) this->times_query(sums, table[c * 4], c);
    float most = 0;
    float total = 0;
#pragma unroll
    for (int c = 0; c < KEY_TILES; c++) {
      Rows rows = rows_of(row_table()[c * 4], c);
#pragma unroll
      for (int i = 0; i < LANE_ROWS; i++) {
        most = fmaxf(most, fabsf(rows.q[i] * rows.scale[i]));
        total = fmaf(rows.q[i], rows.scale[i], total);
      }
      each(c, rows);
    }
    total = of_all_rows(total, Total());
    minima = sums.minima() * factor;
    scales = this->for_sums(total) * Q::STEP;
    return __any_sync(~0u, most > MOST_STEPS);
  }

  __device__ __forceinline__ Rows rows_again(int c) const { return rows_of(read_again(row_table() + c * 4), c); }

  template <class Join>
  static __device__ __forceinline__ float of_all_rows(float x, const Join& join) {
    x = Q::of_four_lanes(x, join);
    return WIDE ? x : join(x, __shfl_xor_sync(~0u, x, 4));
  }

  // What tiles without a partner have of a token tile: the first one, and half a tile in its place or besides it.
  __device__ __forceinline__ uint4 codes_left(int token_tile) const {
    uint2 first = {};
    uint2 half = {};
    if (A::TILE_LEFT) {
      uint4 word = reinterpret_cast<const uint4*>(keys + A::LEFT_AT)[lane];
      first = token_tile < A::TOKEN_TILES / 2 ? uint2{word.x, word.y} : uint2{word.z, word.w};
    }
    if (A::HALF_LEFT) half = reinterpret_cast<const uint2*>(keys + A::HALF_AT)[lane];
    uint4 both = A::TILE_LEFT ? uint4{first.x, first.y, half.x, half.y} : uint4{half.x, half.y, 0, 0};
    return Bytes::template codes<true>(both, 0, token_tile, token_tile);
  }

  static __device__ __forceinline__ uint2 rows_left(const uint32_t (&b)[KEY_TILES], int token_tile) {
    // Rows of half a tile are the lower two bytes; those of codes are other token tiles', so that zeros hide them.
    uint32_t half = A::HALF_LEFT ? b[KEY_TILES - 1] : 0;
    if (token_tile >= A::TOKEN_TILES / 2) half <<= 16;
    return A::TILE_LEFT ? uint2{b[2 * PAIRS], half} : uint2{half, 0};
  }
};

}  // namespace sinkq
