// attend: softmax(q K^T) V over pages, sinks and window, one launch.
//
// Grid (items), 4 warps a block. An item is a range of units (page, 16 sink slots, 16 window tokens)
// for up to 4 or 8 columns (query row, query head of the group) of one KV head; warps take every fourth
// unit. The last range of the same columns to arrive merges all of them.
//
//   S^T [tokens, columns] = K codes * (q * scale)  + q * minimum     K is the A operand
//   O^T [channels, columns] = V codes * (p * scale) + p * minimum    V^T is the A operand
//
// A code in place, masked out of its register, is an fp16 subnormal: code * 2^(bits * position) * 2^-24,
// exact, so that no conversion is needed; the power of two goes into the softmax scale and into the
// fold of a page's sum. Queries are two fp16 parts, and products with a scale are rounded to fp16, so
// there is always a rest. With 4 columns, each has two of B's: the rest is in the odd one, for weights
// too. With 8, a second product with the rests adds to the same sums of the logits; weights have none.
#pragma once
#include "elements.cuh"
#include "merge.cuh"
#include "ptx.cuh"
#include "units.cuh"

namespace sinkq {

constexpr float CODE_UNIT = 0x1p24f;
constexpr uint32_t ONES = 0x3C003C00;  // fp16 1, 1
constexpr uint32_t NO_SIGNS = 0x7FFF7FFF;

// Dynamic shared memory of a block: the buffers, reused by the merge.
template <int BITS, int D, int G, bool WIDE>
__host__ __device__ constexpr int attend_shared() {
  constexpr int buffers = WARPS * PageShape<BITS, D, G>::WARP_BUFFER;
  constexpr int merge = WARPS * (WIDE ? 8 : 4) * (D + 3) * 4;  // states and weights
  return buffers > merge ? buffers : merge;
}

template <int BITS, int D, int G, bool WIDE>
struct Attention : Units<BITS, D, G> {
  using S = PageShape<BITS, D, G>;
  static constexpr int C = S::CHANNEL_TILES;
  static constexpr int COLUMNS = WIDE ? 8 : 4;
  static constexpr int OWN = WIDE ? 2 : 1;  // columns of a thread: 2 t + w, or t
  using Merge = PartialResults<COLUMNS, D>;
  static constexpr int PASS = C <= 8 ? C : 8;  // channel tiles whose page sums are in registers at a time

  using U = Units<BITS, D, G>;
  using U::g;
  using U::item;
  using U::keys;
  using U::lane;
  using U::p;
  using U::seq;
  using U::t;
  using U::values;
  using U::warp;

  const bool odd = g & 1;
  float twice_inverse_cap;  // 2 log2 e / soft cap
  uint32_t q_high[C][2];  // query of column g, or g / 2, in fp16
  uint32_t q_rest[C][2];  // what that lost; where columns come in pairs, even ones have q_high here
  float factor[OWN];      // from q K^T to base-2 logits
  int column_position[OWN];
  float max_[OWN];
  float sum[OWN];
  float minimum_sum[OWN][S::GROUPS];
  float out[OWN][C][2];  // channels g and g + 8 of a tile

  __device__ Attention(const Params& p, const Sequence& seq, const Item& item, uint8_t* shared)
      : U(p, seq, item, shared), twice_inverse_cap(__fdividef(2 * 1.44269504f, p.soft_cap_log2)) {}

  // Number of a thread's column within the item.
  __device__ __forceinline__ int own(int w) const { return WIDE ? 2 * t + w : t; }

  // This lane's channels of a query, as they lie in memory, so that nothing waits for them yet.
  template <DType TYPE>
  static __device__ __forceinline__ void load_query(const Params& p, uint32_t (&x)[C][4], int64_t at) {
    int t = threadIdx.x % 4;
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 4; i++) x[c][i] = load_bits<TYPE>(p.q.data, at + c * TILE + 2 * t + (i & 1) + 8 * (i >> 1));
    }
  }

  // Loads the columns' queries.
  static __device__ __forceinline__ void load_queries(const Params& p, const Item& item, uint32_t (&x)[C][4]) {
    int g = threadIdx.x % 32 / 4;
    int local = WIDE ? g : g / 2;
    if (local >= item.columns) return;
    int column = item.first_column + local;
    int64_t at = (item.first_row + column / p.group) * p.q.token_stride +
                 (item.head * p.group + column % p.group) * p.q.head_stride;
    if (p.q.dtype == F32) {
      load_query<F32>(p, x, at);
    } else if (p.q.dtype == F16) {
      load_query<F16>(p, x, at);
    } else {
      load_query<BF16>(p, x, at);
    }
  }

  template <DType TYPE>
  static __device__ __forceinline__ void convert(float (&x)[C][4], const uint32_t (&bits)[C][4]) {
#pragma unroll
    for (int c = 0; c < C; c++) {
#pragma unroll
      for (int i = 0; i < 4; i++) x[c][i] = of_bits<TYPE>(bits[c][i]);
    }
  }

  // Queries are normalized by a power of two to [0.5, 1) so that fp16 holds them.
  __device__ __forceinline__ void begin(const uint32_t (&bits)[C][4]) {
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
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
    // 2^-(exponent + 1), within the normal range.
    int exponent = min(max(static_cast<int>(__float_as_uint(largest) >> 23), 1), 252);
    float normalize = __uint_as_float((253 - exponent) << 23);
    float restore = __uint_as_float((exponent + 1) << 23);
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
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      factor[w] = __shfl_sync(~0u, restore, own(w) * (WIDE ? 4 : 8)) * p.scale_log2;
      column_position[w] = seq.length + (item.first_column + min(own(w), item.columns - 1)) / p.group;
      max_[w] = -INFINITY;
      sum[w] = 0;
#pragma unroll
      for (int i = 0; i < S::GROUPS; i++) minimum_sum[w][i] = 0;
#pragma unroll
      for (int c = 0; c < C; c++) out[w][c][0] = out[w][c][1] = 0;
    }
  }

  // What an accumulator has for a thread's column in its upper (h = 0) or lower eight rows.
  static __device__ __forceinline__ float of(const float (&d)[4], int w, int h) {
    return WIDE ? d[2 * h + w] : d[2 * h] + d[2 * h + 1];
  }

  // Likewise where both columns of a pair have had the same operand.
  static __device__ __forceinline__ float first_of(const float (&d)[4], int w, int h) {
    return WIDE ? d[2 * h + w] : d[2 * h];
  }

  // Adds A times the queries.
  __device__ __forceinline__ void times_query(float (&d)[4], uint4 a, int c) const {
    mma(d, a.x, a.y, a.z, a.w, q_rest[c][0], q_rest[c][1]);
    if (WIDE) mma(d, a.x, a.y, a.z, a.w, q_high[c][0], q_high[c][1]);
  }

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

  // What the product of a query and a scale loses in fp16, and the query's rest times the scale.
  static __device__ __forceinline__ uint32_t rest_of(uint32_t high, uint32_t rest, uint32_t scale, uint32_t product) {
    return fma2(rest, scale, fma2(high, scale, neg2(product)));
  }

  // A weight times a scale; in the odd column of a pair what that loses.
  __device__ __forceinline__ uint32_t fold(uint32_t weight, uint32_t scale) const {
    uint32_t product = mul2(weight, scale);
    return !WIDE && odd ? fma2(weight, scale, neg2(product)) : product;
  }

  __device__ __forceinline__ float cap(float logit) const {
    // c tanh(x / c), through tanh y = 1 - 2 / (e^2y + 1)
    float y = exp2_fast(logit * twice_inverse_cap);
    return p.soft_cap_log2 * (1 - __fdividef(2, y + 1));
  }

  // Turns base-2 logits into weights; returns the factor for everything summed so far.
  template <int TOKENS>
  __device__ __forceinline__ float weigh(int w, float (&x)[TOKENS]) {
    float top = max_[w];
#pragma unroll
    for (int i = 0; i < TOKENS; i++) top = fmaxf(top, x[i]);
    top = fmaxf(top, __shfl_xor_sync(~0u, top, 4));
    top = fmaxf(top, __shfl_xor_sync(~0u, top, 8));
    top = fmaxf(top, __shfl_xor_sync(~0u, top, 16));
    float safe = top == -INFINITY ? 0 : top;
    float alpha = exp2_fast(max_[w] - safe);
    max_[w] = top;
#pragma unroll
    for (int i = 0; i < TOKENS; i++) x[i] = exp2_fast(x[i] - safe);
    return alpha;
  }

  // Logits of a page: x[w][2 * tile + h] of token 16 tile + g + 8 h.
  __device__ __forceinline__ void page_logits(float (&x)[OWN][2 * S::TOKEN_TILES]) const {
    const uint4* words = reinterpret_cast<const uint4*>(keys);
    const uint4* parameters = reinterpret_cast<const uint4*>(keys + S::KEY_CODES);
    float bias[4] = {};
    float s[S::TOKEN_TILES][4] = {};
    uint4 word = {};
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
        if (!WIDE && odd) b[i] = rest[i];
      }
#pragma unroll
      for (int i = 0; i < S::TOKEN_TILES; i++) {
        int j = c * S::TOKEN_TILES + i;
        if (j % S::POSITIONS == 0) word = words[j / S::POSITIONS * 32 + lane];
        uint4 a = codes(word, j, i);
        mma(s[i], a.x, a.y, a.z, a.w, b[0], b[1]);
        if (WIDE) mma(s[i], a.x, a.y, a.z, a.w, rest[0], rest[1]);
      }
    }
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      float qz = of(bias, w, 0) * factor[w];
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

  // Weights of the tokens of 16 as an operand: its lower and upper eight.
  template <int TOKENS>
  static __device__ __forceinline__ uint32_t operand(const float (&x)[OWN][TOKENS], int i) {
    return transpose(pack_halves(x[0][i], x[OWN - 1][i]));
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

  // Folds a sum that began at zero into the running one of a channel tile.
  __device__ __forceinline__ void add(int c, const float (&alpha)[OWN], const float (&o)[4], float unit) {
#pragma unroll
    for (int w = 0; w < OWN; w++) {
#pragma unroll
      for (int h = 0; h < 2; h++) out[w][c][h] = fmaf(out[w][c][h], alpha[w], of(o, w, h) * unit);
    }
  }

  __device__ __forceinline__ void dense_logits(float (&x)[OWN][2]) const {
    const uint4* words = reinterpret_cast<const uint4*>(keys);
    float s[4] = {};
#pragma unroll
    for (int c = 0; c < C; c++) times_query(s, words[c * 32 + lane], c);
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

  template <int TOKENS>
  __device__ __forceinline__ void cap_all(float (&x)[OWN][TOKENS]) const {
    if (p.soft_cap_log2 == 0) return;
#pragma unroll
    for (int w = 0; w < OWN; w++) {
#pragma unroll
      for (int i = 0; i < TOKENS; i++) x[w][i] = cap(x[w][i]);
    }
  }

  // With the columns' queries.
  __device__ void run(const uint32_t (&x)[C][4]) {
    int unit = this->next(item.first_unit + warp);
    const uint8_t* at = unit < item.end_unit ? this->address(unit) : nullptr;
    this->fetch_keys(unit, at);
    this->fetch_values(unit, at);
    begin(x);
    while (unit < item.end_unit) {
      int following = this->next(unit + WARPS);
      const uint8_t* following_at = following < item.end_unit ? this->address(following) : nullptr;
      this->template wait<1>();
      float alpha[OWN];
      if (this->is_page(unit)) {
        if constexpr (S::QUANTIZED) {
          float x[OWN][2 * S::TOKEN_TILES];
          page_logits(x);
          cap_all(x);
          bool flagged = *reinterpret_cast<const uint32_t*>(keys + S::KEY_CODES + SCALE_OFFSET) & 0x8000;
          int last = item.first_column + item.columns - 1;
          bool partial = flagged || unit * G < this->lowest(seq.length + last / p.group);
          if (partial) {
            this->template wait<0>();
            hide_in_page(unit * G, x, flagged);
          }
          __syncwarp();
          this->fetch_keys(following, following_at);
#pragma unroll
          for (int w = 0; w < OWN; w++) alpha[w] = weigh(w, x[w]);
          if (!partial) this->template wait<1>();
          page_values(x, alpha);
        }
      } else {
        float x[OWN][2];
        dense_logits(x);
        cap_all(x);
        hide_in_dense(unit, x);
        __syncwarp();
        this->fetch_keys(following, following_at);
#pragma unroll
        for (int w = 0; w < OWN; w++) alpha[w] = weigh(w, x[w]);
        this->template wait<1>();
        dense_values(x, alpha);
      }
      __syncwarp();
      this->fetch_values(following, following_at);
      unit = following;
    }
  }

  // Leaves this warp's columns in shared memory.
  __device__ void save(float* state) const {
    float* values = Merge::values(state);
#pragma unroll
    for (int w = 0; w < OWN; w++) {
      if (g == 0) Merge::extent(state)[own(w)] = {max_[w], sum[w]};
#pragma unroll
      for (int c = 0; c < C; c++) {
        float minimum = minimum_sum[w][c * TILE / (D / S::GROUPS)];
        values[own(w) * D + c * TILE + g] = out[w][c][0] + minimum;
        values[own(w) * D + c * TILE + g + 8] = out[w][c][1] + minimum;
      }
    }
  }

  __device__ void write(int column, int channel, float4 value) const {
    int c = item.first_column + column;
    int64_t at = (seq.first_row + c / p.group) * p.out.token_stride +
                 (item.head * p.group + c % p.group) * p.out.head_stride + channel;
    store(p.out, at, value.x);
    store(p.out, at + 1, value.y);
    store(p.out, at + 2, value.z);
    store(p.out, at + 3, value.w);
  }

  // Merges the warps of the block, then, in the last block to arrive, the ranges of the same columns.
  __device__ void finish(float* shared) {
    __shared__ bool last;
    float* weights = shared + WARPS * Merge::STATE;  // [columns][parts]
    __syncthreads();
    save(shared + warp * Merge::STATE);
    __syncthreads();
    float* partial = p.partials + int64_t{item.partial} * Merge::STATE;
    float* mine = partial + int64_t{item.split} * Merge::STATE;
    bool whole = item.splits == 1;
    for (int c = warp; c < item.columns; c += WARPS) {
      float2 extent = Merge::weigh(shared, WARPS, c, weights + c * WARPS, whole);
      if (!whole && lane == 0) Merge::extent(mine)[c] = extent;
    }
    __syncthreads();
    for (int i = 4 * threadIdx.x; i < item.columns * D; i += 4 * WARPS * 32) {
      float4 value = Merge::sum(shared, WARPS, i, weights + i / D * WARPS);
      if (whole) {
        write(i / D, i % D, value);
      } else {
        *reinterpret_cast<float4*>(Merge::values(mine) + i) = value;
      }
    }
    if (whole) return;
    __syncthreads();
    if (threadIdx.x == 0) {
      last = arrive(p.counters + item.counter) == item.splits - 1;
      if (last) p.counters[item.counter] = 0;
    }
    __syncthreads();
    if (!last) return;
    for (int c = warp; c < item.columns; c += WARPS) {
      Merge::weigh(partial, item.splits, c, shared + c * item.splits, true);
    }
    __syncthreads();
    for (int i = 4 * threadIdx.x; i < item.columns * D; i += 4 * WARPS * 32) {
      write(i / D, i % D, Merge::sum(partial, item.splits, i, shared + i / D * item.splits));
    }
  }
};

template <int BITS, int D, int G, bool WIDE>
__device__ void attend(const Params& p) {
  // A copy of 128 bytes is faster where they are one row of the banks (10 % of the whole, measured).
  extern __shared__ __align__(128) uint8_t shared[];
  const Item item = reinterpret_cast<const Item*>(p.plan + p.item_table)[blockIdx.x];
  if (item.columns == 0) return;
  using A = Attention<BITS, D, G, WIDE>;
  // The queries are asked for first, and looked at when the copies are under way.
  uint32_t x[A::C][4] = {};
  A::load_queries(p, item, x);
  A a(p, sequence(p, item.sequence), item, shared);
  a.run(x);
  a.finish(reinterpret_cast<float*>(shared));
}

}  // namespace sinkq
