// pack of the codec INT2_ADAPTIVE, operation by operation as its Javadoc says: rounded one by one, sums in ascending
// order, so that every engine gets the same bits.
// Grid (pages to be filled, kv_heads), PACK_THREADS a block; shared memory: keys as fp16 or the values of a group as
// floats, then tables.
#pragma once
#include "adaptive.cuh"
#include "pack.cuh"

namespace sinkq {

// Grids of a channel: with 0 to 3 digits.
constexpr int MAX_DIGITS = 3;

struct ChannelGrid {
  float error;
  uint16_t minimum;  // fp16
  uint16_t scale;    // fp16 with 3 bits of mantissa
};

__host__ __device__ constexpr int adaptive_pack_tables(int head_dim) { return 68 * head_dim + 272; }

template <int D>
__host__ __device__ constexpr int adaptive_pack_shared() {
  constexpr int keys = D / 2 + 1;
  constexpr int values = AdaptiveShape<D>::GROUP + 1;
  return 4 * AdaptiveShape<D>::TOKENS * (keys > values ? keys : values) + adaptive_pack_tables(D);
}

// Rounded to fp16, and that half up to 3 bits of mantissa; 61440 at most.
__device__ __forceinline__ uint16_t scale8(float x) {
  int bits = __half_as_ushort(__float2half_rn(x));
  return static_cast<uint16_t>(min((bits + 64) >> 7, 0xF7) << 7);
}

__device__ __forceinline__ float of_half(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }
__device__ __forceinline__ uint16_t to_half(float x) { return __half_as_ushort(__float2half_rn(x)); }

__device__ __forceinline__ float inverse_of(float scale) { return scale == 0 ? 0 : __fdiv_rn(1, scale); }

// Steps from the minimum, rounded half to even.
__device__ __forceinline__ float steps_to(float x, float minimum, float inverse, float steps) {
  float code = fmaxf(0, fminf(steps, __fmul_rn(__fsub_rn(x, minimum), inverse)));
  return __fsub_rn(__fadd_rn(code, 0x1.8p23f), 0x1.8p23f);
}

// Four grids over shares of a range, and the sum of their squared errors.
struct GridSearch {
  float steps;
  float minimum[4];
  float scale[4];
  float inverse[4];
  float sum[4] = {};

  // Symmetric grids, or grids above `low`.
  __device__ GridSearch(float range, float steps, bool symmetric, float low) : steps(steps) {
    constexpr float KEPT[4] = {1, 0.9f, 0.8f, 0.7f};
    constexpr float CUT[4] = {0, 0.05f, 0.1f, 0.15f};
#pragma unroll
    for (int k = 0; k < 4; k++) {
      scale[k] = of_half(scale8(__fdiv_rn(__fmul_rn(range, KEPT[k]), steps)));
      minimum[k] = symmetric ? __fmul_rn(-0.5f * steps, scale[k])
                             : of_half(to_half(__fadd_rn(low, __fmul_rn(range, CUT[k]))));
      inverse[k] = inverse_of(scale[k]);
    }
  }

  __device__ __forceinline__ void add(float x) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
      float code = steps_to(x, minimum[k], inverse[k], steps);
      float e = __fsub_rn(__fadd_rn(__fmul_rn(code, scale[k]), minimum[k]), x);
      sum[k] = __fadd_rn(sum[k], __fmul_rn(e, e));
    }
  }

  __device__ __forceinline__ ChannelGrid best() const {
    ChannelGrid grid = {};
    grid.error = INFINITY;
#pragma unroll
    for (int k = 0; k < 4; k++) {
      if (sum[k] < grid.error) grid = {sum[k], to_half(minimum[k]), to_half(scale[k])};
    }
    return grid;
  }
};

template <int D>
struct AdaptivePacker {
  using A = AdaptiveShape<D>;
  static constexpr int TOKENS = A::TOKENS;
  static constexpr int BLOCK = 2 * dense_half(D);
  static constexpr int CHANNEL_TILES = D / TILE;
  static constexpr int KEY_PITCH = pack_pitch(D);
  static constexpr int VALUE_PITCH = A::GROUP + 1;

  uint16_t* keys;           // [TOKENS][KEY_PITCH] fp16
  float* values;            // [TOKENS][VALUE_PITCH] of a group, in the same place
  long long* gains;         // [MAX_DIGITS][D], in numeric order
  ChannelGrid* grids;       // [MAX_DIGITS + 1][D]
  float* squares;           // [D]
  int* digits;              // [D]
  uint16_t* rows;           // [ROWS]: channel, and in the upper half the bit of the code at which its digit begins
  uint32_t* masked;         // [4]
  uint16_t* value_scales;   // [TOKENS] of a group, fp16

  __device__ explicit AdaptivePacker(uint8_t* shared) {
    keys = reinterpret_cast<uint16_t*>(shared);
    values = reinterpret_cast<float*>(shared);
    gains = reinterpret_cast<long long*>(shared + adaptive_pack_shared<D>() - adaptive_pack_tables(D));
    grids = reinterpret_cast<ChannelGrid*>(gains + MAX_DIGITS * D);
    squares = reinterpret_cast<float*>(grids + (MAX_DIGITS + 1) * D);
    digits = reinterpret_cast<int*>(squares + D);
    masked = reinterpret_cast<uint32_t*>(digits + D);
    rows = reinterpret_cast<uint16_t*>(masked + 4);
    value_scales = rows + 2 * D;
  }

  __device__ bool is_masked(int token) const { return masked[token / 32] >> (token % 32) & 1; }

  // Calls put(token, channel, fp16 bits) for the keys, or for the values of a group.
  template <typename Put>
  __device__ void gather(const Window& w, int first, int half, int first_tile, int tiles, const Put& put) {
    for (int i = threadIdx.x; i < A::TOKEN_TILES * tiles * 32; i += PACK_THREADS) {
      int lane = i % 32;
      int tile = first_tile + i / 32 % tiles;
      int block = i / 32 / tiles;
      const uint8_t* from = w.blocks + int64_t{w.slot(first + block * TILE) / TILE} * BLOCK + half +
                            tile * TILE_BYTES + lane * 16;
      uint4 regs = *reinterpret_cast<const uint4*>(from);
      const uint32_t words[4] = {regs.x, regs.y, regs.z, regs.w};
      for (int r = 0; r < 4; r++) {
        int row = lane / 4 + 8 * (r & 1);
        int column = 2 * (lane & 3) + 8 * (r >> 1);
        for (int h = 0; h < 2; h++) {
          int token = block * TILE + (half != 0 ? column + h : row);
          int channel = (tile - first_tile) * TILE + (half != 0 ? row : column + h);
          put(token, channel, static_cast<uint16_t>(words[r] >> (16 * h)));
        }
      }
    }
  }

  // What is left of a half, so that the same rows give the same bytes.
  static __device__ void pad(uint8_t* half, int from, int to) {
    for (int i = from + threadIdx.x; i < to; i += PACK_THREADS) half[i] = 0;
  }

  // The grid of a channel with so many digits.
  __device__ ChannelGrid key_grid(int d, int digits, int present) {
    Range range;
    float total = 0;
#pragma unroll 1
    for (int t = 0; t < TOKENS; t++) {
      if (is_masked(t)) continue;
      range.add(keys[t * KEY_PITCH + d]);
      total = __fadd_rn(total, of_half(keys[t * KEY_PITCH + d]));
    }
    if (digits > 0) {
      float low = unordered(range.low);
      GridSearch search(__fsub_rn(unordered(range.high), low), (1 << 2 * digits) - 1, false, low);
#pragma unroll 1
      for (int t = 0; t < TOKENS; t++) {
        if (!is_masked(t)) search.add(of_half(keys[t * KEY_PITCH + d]));
      }
      return search.best();
    }
    uint16_t mean = to_half(__fdiv_rn(total, present));
    float error = 0;
    float square = 0;
#pragma unroll 1
    for (int t = 0; t < TOKENS; t++) {
      if (is_masked(t)) continue;
      float x = of_half(keys[t * KEY_PITCH + d]);
      float e = __fsub_rn(of_half(mean), x);
      error = __fadd_rn(error, __fmul_rn(e, e));
      square = __fadd_rn(square, __fmul_rn(x, x));
    }
    squares[d] = square;
    return {error, mean, 0};
  }

  // Gives the digits out. One after the other they would go to the channel that gains most, the first of equals;
  // where a channel's next digit gains more than the last one, it comes at once. So a digit counts what it and
  // those before it gain at least, and gets what it asks for if few enough come before.
  __device__ void allocate() {
    for (int d = threadIdx.x; d < D; d += PACK_THREADS) {
      long long least = LLONG_MAX;
      for (int j = 0; j < MAX_DIGITS; j++) {
        double saved = __dsub_rn(grids[j * D + d].error, grids[(j + 1) * D + d].error);
        // No -0, and integers in the same order.
        long long gain = __double_as_longlong(__dadd_rn(__dmul_rn(saved, squares[d]), 0));
        gain ^= gain >> 63 & LLONG_MAX;
        least = min(least, gain);
        gains[j * D + d] = least;
      }
      digits[d] = 0;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < MAX_DIGITS * D; i += PACK_THREADS) {
      int d = i % D;
      long long gain = gains[i];
      int before = i / D;
      for (int e = 0; e < D; e++) {
        for (int j = 0; e != d && j < MAX_DIGITS; j++) {
          long long other = gains[j * D + e];
          before += other > gain || (other == gain && e < d);
        }
      }
      if (before < A::ROWS) atomicAdd(digits + d, 1);
    }
    __syncthreads();
    for (int d = threadIdx.x; d < D; d += PACK_THREADS) {
      int row = 0;
      for (int e = 0; e < d; e++) row += digits[e];
      for (int j = digits[d] - 1; j >= 0; j--) rows[row++] = static_cast<uint16_t>(d | j << 9);
    }
    __syncthreads();
  }

  __device__ void pack_keys(uint8_t* half, int present) {
    for (int i = threadIdx.x; i < (MAX_DIGITS + 1) * D; i += PACK_THREADS) grids[i] = key_grid(i % D, i / D, present);
    __syncthreads();
    allocate();
    for (int r = threadIdx.x; r < A::ROW_TILES * TILE; r += PACK_THREADS) {
      uint8_t* to = half + A::KEY_ROWS_AT + r / TILE * 32 + (lane_order(r % TILE) & ~3) * 2 + (lane_order(r % TILE) & 3);
      bool used = r < A::ROWS;
      int d = used ? rows[r] & 0xFF : 0;
      float scale = used ? of_half(grids[digits[d] * D + d].scale) * (1 << (rows[r] >> 8)) : 0;
      to[0] = static_cast<uint8_t>(d);
      to[4] = static_cast<uint8_t>(to_half(scale) >> 7);
    }
    uint16_t* minima = reinterpret_cast<uint16_t*>(half + A::KEY_MINIMA_AT);
    for (int d = threadIdx.x; d < D; d += PACK_THREADS) {
      minima[d / TILE * TILE + lane_order(d % TILE)] = grids[digits[d] * D + d].minimum;
    }
    if (threadIdx.x < 4) reinterpret_cast<uint32_t*>(half + A::MASK_AT)[threadIdx.x] = masked[threadIdx.x];
    for (int i = threadIdx.x; i < A::KEY_ROWS_AT / 4; i += PACK_THREADS) {
      int set = i / 128;
      // A lane of the last half of a set has two registers.
      bool whole = set * TILE + 8 < A::ROWS;
      int lane = whole ? i % 128 / 4 : i % 128 / 2;
      int reg = whole ? i & 3 : i & 1;
      int token = lane / 4 + 8 * (reg & 1);
      uint32_t word = 0;
      for (int h = 0; h < 2; h++) {
        int row = rows[set * TILE + 2 * (lane & 3) + 8 * (reg >> 1) + h];
        int d = row & 0xFF;
        ChannelGrid grid = grids[digits[d] * D + d];
        float inverse = inverse_of(of_half(grid.scale));
        float steps = (1 << 2 * digits[d]) - 1;
#pragma unroll 2
        for (int n = 0; n < A::TOKEN_TILES; n++) {
          int t = n * TILE + token;
          if (is_masked(t)) continue;
          float code = steps_to(of_half(keys[t * KEY_PITCH + d]), of_half(grid.minimum), inverse, steps);
          word |= (static_cast<uint32_t>(code) >> (row >> 8) & 3) << (16 * h + 2 * n);
        }
      }
      reinterpret_cast<uint32_t*>(half)[i] = word;
    }
  }

  __device__ void rotate() {
    for (int n = 1; n < A::ROTATED; n *= 2) {
      __syncthreads();
      for (int i = threadIdx.x; i < TOKENS * A::GROUP / 2; i += PACK_THREADS) {
        int pair = i / TOKENS;
        float* x = values + i % TOKENS * VALUE_PITCH + pair / n * 2 * n + pair % n;
        float a = x[0];
        float b = x[n];
        x[0] = __fadd_rn(a, b);
        x[n] = __fsub_rn(a, b);
      }
    }
    __syncthreads();
  }

  // Takes the page's mean off each channel.
  __device__ void center(uint8_t* means, int group, int present) {
    for (int d = threadIdx.x; d < A::GROUP; d += PACK_THREADS) {
      float total = 0;
      for (int t = 0; t < TOKENS; t++) {
        float& x = values[t * VALUE_PITCH + d];
        x = __fmul_rn(x, A::NORM);
        if (!is_masked(t)) total = __fadd_rn(total, x);
      }
      uint16_t mean = to_half(fminf(fmaxf(__fdiv_rn(total, present), -65504.f), 65504.f));
      for (int t = 0; t < TOKENS; t++) {
        float& x = values[t * VALUE_PITCH + d];
        x = __fsub_rn(x, of_half(mean));
      }
      int c = group * A::GROUP_TILES + d / TILE;
      reinterpret_cast<uint16_t*>(means)[(c * 8 + d % 8) * 2 + d % TILE / 8] = mean;
    }
  }

  __device__ void pack_values(uint8_t* half, int group, int present) {
    rotate();
    center(half + A::VALUE_MEANS_AT, group, present);
    __syncthreads();
    for (int t = threadIdx.x; t < TOKENS; t += PACK_THREADS) {
      const float* x = values + t * VALUE_PITCH;
      float largest = 0;
      for (int d = 0; d < A::GROUP; d++) largest = fmaxf(largest, fabsf(x[d]));
      GridSearch search(__fmul_rn(largest, 2), 3, true, 0);
#pragma unroll 1
      for (int d = 0; d < A::GROUP; d++) search.add(x[d]);
      uint16_t scale = is_masked(t) ? 0 : search.best().scale;
      value_scales[t] = scale;
      int at = A::VALUE_SCALES_AT + group * TOKENS + t / TILE * TILE + lane_order(t % TILE);
      half[at] = static_cast<uint8_t>(scale >> 7);
    }
    __syncthreads();
    uint32_t* codes = reinterpret_cast<uint32_t*>(half) + group * A::GROUP_TILES * 128;
    for (int i = threadIdx.x; i < A::GROUP_TILES * 128; i += PACK_THREADS) {
      int lane = i / 4 % 32;
      int channel = lane / 4 + 8 * (i & 1);
      int token = 2 * (lane & 3) + 8 * (i >> 1 & 1);
      uint32_t word = 0;
#pragma unroll 1
      for (int n = 0; n < 8; n++) {
        int j = i / 128 * 8 + n;
        int d = j % A::GROUP_TILES * TILE + channel;
        for (int h = 0; h < 2; h++) {
          int t = j / A::GROUP_TILES * TILE + token + h;
          if (is_masked(t)) continue;
          float scale = of_half(value_scales[t]);
          float code = steps_to(values[t * VALUE_PITCH + d], __fmul_rn(-1.5f, scale), inverse_of(scale), 3);
          word |= static_cast<uint32_t>(code) << (16 * h + 2 * n);
        }
      }
      codes[i] = word;
    }
  }

  __device__ void pack(uint8_t* page, const Window& w, int first) {
    gather(w, first, 0, 0, CHANNEL_TILES,
           [&](int token, int channel, uint16_t bits) { keys[token * KEY_PITCH + channel] = bits; });
    __syncthreads();
    int present = TOKENS - __popc(masked[0]) - __popc(masked[1]) - __popc(masked[2]) - __popc(masked[3]);
    pack_keys(page, present);
    pad(page, A::MASK_AT + TOKENS / 8, A::KEY_HALF);
    pad(page + A::KEY_HALF, A::VALUE_MEANS_AT + 2 * D, A::VALUE_HALF);
    for (int group = 0; group < A::GROUPS; group++) {
      __syncthreads();
      gather(w, first, dense_half(D), group * A::GROUP_TILES, A::GROUP_TILES,
             [&](int token, int channel, uint16_t bits) { values[token * VALUE_PITCH + channel] = of_half(bits); });
      pack_values(page + A::KEY_HALF, group, present);
    }
  }
};

template <int D>
__device__ void pack_adaptive(const Params& p) {
  extern __shared__ __align__(128) uint8_t shared[];
  using P = AdaptivePacker<D>;
  const int* entry = p.plan + p.page_list + 2 * blockIdx.x;
  if (entry[0] < 0) return;  // a recorded step has room for more pages than fill
  const Sequence& s = sequence(p, entry[0]);
  int head = blockIdx.y;
  int page = p.plan[s.new_page_table + entry[1]];
  P packer(shared);
  int first = entry[1] * P::TOKENS;
  mark_masked(p, entry[0], head, first, packer.masked);
  packer.pack(p.pages + (int64_t{page} * p.kv_heads + head) * P::A::PAGE_BYTES, window<P::BLOCK>(p, s, head), first);
}

}  // namespace sinkq
