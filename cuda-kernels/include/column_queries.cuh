// The queries of an item of attend: those of its columns, query rows times query heads of a group, as operands.
//
// Queries are two fp16 parts. With 4 columns, each has two of B's: the rest is in the odd one, for weights too.
// With 8, a second product with the rests adds to the same sums of the logits, or, with a page's parameters, rests
// are further rows of A; weights have none. What codes of keys are multiplied with is in shared memory besides, as
// floats.
#pragma once
#include "elements.cuh"
#include "ptx.cuh"
#include "units.cuh"

namespace sinkq {

// Standard deviation that a logit may have from rounding: a weight is off by this part of itself, and so is
// what they sum up to at worst.
constexpr double LOGIT_ERROR = 3e-4;
// Most steps that a query times a scale may have: 16 bits hold 32,639 if upper bytes are rounded.
constexpr float MOST_STEPS = 32500;

// How numbers of several lanes become one.
struct Total {
  __device__ __forceinline__ float operator()(float x, float y) const { return x + y; }
};

struct Largest {
  __device__ __forceinline__ float operator()(float x, float y) const { return fmaxf(x, y); }
};

template <int BITS, int D, int G, bool WIDE>
struct ColumnQueries : Units<BITS, D, G> {
  using U = Units<BITS, D, G>;
  using S = PageShape<BITS, D, G>;
  static constexpr int C = S::CHANNEL_TILES;
  static constexpr int COLUMNS = WIDE ? 8 : 4;
  static constexpr int OWN = WIDE ? 2 : 1;  // columns of a thread: 2 t + w, or t
  // Base-2 logit that a step of a query times a scale is worth: rounding KEY_ROWS of them to whole steps, and multiplying
  // them with what codes differ from their mean, if all are as frequent, leaves no more than LOGIT_ERROR.
  static constexpr double LEVELS = 1 << (S::VALUE_BITS & 7);
  static constexpr double CODE_VARIANCE = (LEVELS * LEVELS - 1) / 12;
  static constexpr float STEP =
      static_cast<float>(LOGIT_ERROR * 1.44269504 * square_root(12 / (S::KEY_ROWS * CODE_VARIANCE)));

  using U::g;
  using U::item;
  using U::p;
  using U::t;
  using U::Units;

  const bool odd = g & 1;
  uint32_t q_high[C][2];  // query of column g, or g / 2, in fp16
  uint32_t q_rest[C][2];  // what that lost; where columns come in pairs, even ones have q_high here
  float factor;           // from q K^T to base-2 logits, of the column whose sums over channels this lane has
  float inverse_steps;    // what a step is of column g's query (g / 2), normalized

  // Number of a thread's column within the item.
  __device__ __forceinline__ int own(int w) const { return WIDE ? 2 * t + w : t; }

  // What the lanes of column g (g / 2) have found together.
  template <class Join>
  static __device__ __forceinline__ float of_four_lanes(float x, const Join& join) {
    x = join(x, __shfl_xor_sync(~0u, x, 1));
    return join(x, __shfl_xor_sync(~0u, x, 2));
  }

  // What those of a thread's own column have found together.
  template <class Join>
  static __device__ __forceinline__ float of_eight_lanes(float x, const Join& join) {
    x = join(x, __shfl_xor_sync(~0u, x, 4));
    x = join(x, __shfl_xor_sync(~0u, x, 8));
    return join(x, __shfl_xor_sync(~0u, x, 16));
  }

  // What the lanes of column g (g / 2) have, for a thread's own column.
  __device__ __forceinline__ float from_column(float x, int w) const {
    return __shfl_sync(~0u, x, own(w) * (WIDE ? 4 : 8));
  }

  // What the lanes of column g (g / 2) have, for the column whose sums over channels this lane has: g with 8 columns, its
  // own with 4.
  __device__ __forceinline__ float for_sums(float x) const { return WIDE ? x : from_column(x, 0); }

  // What this lane has for that column, for an own one.
  __device__ __forceinline__ float from_sums(float x, int w) const { return WIDE ? from_column(x, w) : x; }

  // This lane's channels of a query, as they lie in memory, so that nothing waits for them yet: four words of
  // fp32, or two pairs of either type of 16 bits.
  template <DType TYPE>
  __device__ __forceinline__ void load_query(uint32_t (&x)[C][4], int64_t at) const {
    at += 2 * t;
    if constexpr (TYPE == F32) {
#pragma unroll
      for (int c = 0; c < C; c++) {
#pragma unroll
        for (int i = 0; i < 4; i++) x[c][i] = load_bits<TYPE>(p.q.data, at + c * TILE + (i & 1) + 8 * (i >> 1));
      }
    } else {
      const uint8_t* from = p.q.data + 2 * at;
      if ((reinterpret_cast<uintptr_t>(from) & 3) == 0) {
        const uint32_t* pairs = reinterpret_cast<const uint32_t*>(from);
#pragma unroll
        for (int c = 0; c < C; c++) {
          x[c][0] = pairs[8 * c];
          x[c][1] = pairs[8 * c + 4];
        }
      } else {
#pragma unroll
        for (int c = 0; c < C; c++) {
#pragma unroll
          for (int i = 0; i < 2; i++) {
            x[c][i] = load_bits<TYPE>(from, c * TILE + 8 * i) | load_bits<TYPE>(from, c * TILE + 8 * i + 1) << 16;
          }
        }
      }
    }
  }

  // Loads the columns' queries.
  __device__ __forceinline__ void load_queries(uint32_t (&x)[C][4]) const {
    int local = WIDE ? g : g / 2;
    if (local >= item.columns) return;
    int column = item.first_column + local;
    int row = row_of(p, column);
    int64_t at = (item.of.first_row + row) * p.q.token_stride +
                 (item.head * p.group + column - row * p.group) * p.q.head_stride;
    if (p.q.dtype == F32) {
      load_query<F32>(x, at);
    } else {
      load_query<F16>(x, at);
    }
  }

  template <DType TYPE>
  static __device__ __forceinline__ void convert(float (&x)[C][4], const uint32_t (&bits)[C][4]) {
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        x[c][i] = TYPE == F32 ? of_bits<TYPE>(bits[c][i]) : of_bits<TYPE>(bits[c][i / 2] >> (16 * (i & 1)));
      }
    }
  }

  // Queries are normalized by a power of two to [0.5, 1) so that fp16 holds them.
  __device__ __forceinline__ void begin_queries(const uint32_t (&bits)[C][4]) {
    float x[C][4];
    if (p.q.dtype == F32) {
      convert<F32>(x, bits);
    } else if (p.q.dtype == F16) {
      convert<F16>(x, bits);
    } else {
      convert<BF16>(x, bits);
    }
    float largest = 0;
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 4; i++) largest = fmaxf(largest, fabsf(x[c][i]));
    }
    PowerAbove power(of_four_lanes(largest, Largest()));
    float normalize = power.inverse();
    float restore = power.value();
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float low = x[c][2 * i] * normalize;
        float high = x[c][2 * i + 1] * normalize;
        uint32_t halves = pack_halves(low, high);
        float2 back = __half22float2(*reinterpret_cast<__half2*>(&halves));
        q_high[c][i] = halves;
        q_rest[c][i] = WIDE || odd ? pack_halves(low - back.x, high - back.y) : halves;
      }
    }
    if constexpr (S::QUANTIZED) {
      float steps = fminf(restore * p.scale_log2 * (1 / STEP), 0x1p100f);
      inverse_steps = 1 / steps;
#pragma unroll
      for (int c = 0; c < C; c++) {
        if (c % WARPS != this->warp || !(WIDE || odd)) continue;
        float by = normalize * steps;
        leave_steps(c, {x[c][0] * by, x[c][1] * by, x[c][2] * by, x[c][3] * by});
      }
    }
    factor = for_sums(restore) * p.scale_log2;
  }

  // The query of column g (g / 2) in steps, shared by the warps, so that they have to meet between `begin` and the first
  // page. By channel, if lanes look for any; or else in the order of `own_steps`.
  __device__ __forceinline__ float* column_steps(int column) const {
    float* all = reinterpret_cast<float*>(this->keys + (WARPS - this->warp) * S::WARP_BUFFER);
    return all + column * S::step_pitch(WIDE);
  }

  __device__ __forceinline__ float* column_steps() const { return column_steps(WIDE ? g : g / 2); }

  // By channel tile: this lane's channels 2t, 2t+1, 2t+8 and 2t+9 of every fourth four.
  __device__ __forceinline__ float4* own_steps() const { return reinterpret_cast<float4*>(column_steps()) + t; }

  __device__ __forceinline__ void leave_steps(int c, float4 x) const {
    if constexpr (S::BY_CHANNEL) {
      float2* to = reinterpret_cast<float2*>(column_steps() + c * TILE) + t;
      to[0] = {x.x, x.y};
      to[4] = {x.z, x.w};
    } else {
      own_steps()[c * 4] = x;
    }
  }

  // What an accumulator has for a thread's column in its upper (h = 0) or lower eight rows.
  static __device__ __forceinline__ float of(const float (&d)[4], int w, int h) {
    return WIDE ? d[2 * h + w] : d[2 * h] + d[2 * h + 1];
  }

  // Sums of products with the queries, in chains, since each product waits for the one before.
  struct QuerySums {
    static constexpr int CHAINS = WIDE ? 4 : 2;
    float d[CHAINS][4] = {};

    // What they have for a thread's column in its upper (h = 0) or lower eight rows.
    __device__ __forceinline__ float of(int w, int h) const {
      float sum = ColumnQueries::of(d[0], w, h);
#pragma unroll
      for (int i = 1; i < CHAINS; i++) sum += ColumnQueries::of(d[i], w, h);
      return sum;
    }
  };

  // Adds A times the queries of a channel tile.
  __device__ __forceinline__ void times_query(QuerySums& sums, uint4 a, int c) const {
    mma(sums.d[c % 2], a.x, a.y, a.z, a.w, q_rest[c][0], q_rest[c][1]);
    if (WIDE) mma(sums.d[QuerySums::CHAINS - 1 - c % 2], a.x, a.y, a.z, a.w, q_high[c][0], q_high[c][1]);
  }

  // Sums over channels of queries times a page's minima, and times its scales. With 8 columns the two parts of the queries
  // are the upper and lower rows of A, minima the even columns of B and scales the odd ones: one product of a
  // channel tile instead of two, whose result has the sums of column g. With 4 columns, parameters are A: rows 0 to 7 are
  // all minima, rows 8 to 15 all scales.
  struct ParameterSums {
    float d[2][4] = {};

    __device__ __forceinline__ float minima() const { return WIDE ? of(0, 2) : of(0, 1); }

    __device__ __forceinline__ float scales() const { return WIDE ? of(1, 3) : of(2, 3); }

    __device__ __forceinline__ float of(int i, int j) const { return d[0][i] + d[0][j] + (d[1][i] + d[1][j]); }
  };

  // Adds the queries' two parts of a channel tile, which are A, times what B has.
  __device__ __forceinline__ void by_columns(ParameterSums& sums, uint32_t b0, uint32_t b1, int c) const {
    mma(sums.d[c % 2], q_high[c][0], q_rest[c][0], q_high[c][1], q_rest[c][1], b0, b1);
  }

  // `a`: minima of this lane's first two channels of a tile, their scales, the same of the other two.
  __device__ __forceinline__ void times_query(ParameterSums& sums, uint4 a, int c) const {
    if constexpr (WIDE) {
      by_columns(sums, odd ? a.y : a.x, odd ? a.w : a.z, c);
    } else {
      mma(sums.d[c % 2], a.x, a.y, a.z, a.w, q_rest[c][0], q_rest[c][1]);
    }
  }

  // The same for minima alone.
  __device__ __forceinline__ void times_query(ParameterSums& sums, uint2 minima, int c) const {
    if constexpr (WIDE) {
      by_columns(sums, minima.x, minima.y, c);
    } else {
      mma(sums.d[c % 2], minima.x, 0, minima.y, 0, q_rest[c][0], q_rest[c][1]);
    }
  }
};

}  // namespace sinkq
