// The keys' half of an adaptive page: grids of all channels, digits given out, codes.
#pragma once
#include "adaptive_packer.cuh"

namespace sinkq {

// Of a channel.
constexpr int MAX_DIGITS = 3;

// fp16 bits as an integer in numeric order, -0 below +0, as Java's Math.min has it.
__device__ __forceinline__ int ordered(uint16_t bits) { return bits & 0x8000 ? -1 - (bits & 0x7FFF) : bits; }
__device__ __forceinline__ float unordered(int order) {
  uint16_t bits = order < 0 ? static_cast<uint16_t>(0x8000 | (-1 - order)) : static_cast<uint16_t>(order);
  return __half2float(__ushort_as_half(bits));
}

struct Range {
  int low = 0x7FFF;
  int high = -0x8000;
  __device__ __forceinline__ void add(uint16_t bits) {
    int x = ordered(bits);
    low = min(low, x);
    high = max(high, x);
  }
};

struct ChannelGrid {
  float error;
  uint16_t minimum;  // fp16
  uint16_t scale;    // fp16 with 3 bits of mantissa
};

template <int D>
struct AdaptiveKeyPacker : AdaptivePacker<D> {
  using Base = AdaptivePacker<D>;
  using A = AdaptiveShape<D>;
  using Base::is_masked;
  using Base::masked;
  static constexpr int THREADS = Base::THREADS;
  static constexpr int PITCH = D + 2;  // halves; an odd multiple of a word
  static constexpr int ROWS_AT_MOST = A::ROW_TILES * TILE;

  uint16_t* keys;      // [TOKENS][PITCH] fp16
  long long* gains;    // [MAX_DIGITS][D], in numeric order
  float2* ranges;      // [D] minimum and range, in the same place
  ChannelGrid* grids;  // [MAX_DIGITS + 1][D]
  float* squares;      // [D]
  int* digits;         // [D]
  uint16_t* rows;      // [ROWS_AT_MOST]: channel, and in the upper half the bit of the code at which its digit begins

  static __host__ __device__ constexpr int keys_bytes() { return A::TOKENS * PITCH * 2; }
  static __host__ __device__ constexpr int shared_bytes() {
    return keys_bytes() + D * (MAX_DIGITS * 8 + (MAX_DIGITS + 1) * 8 + 8) + 16 + ROWS_AT_MOST * 2;
  }

  __device__ explicit AdaptiveKeyPacker(uint8_t* shared) {
    keys = reinterpret_cast<uint16_t*>(shared);
    gains = reinterpret_cast<long long*>(shared + keys_bytes());
    ranges = reinterpret_cast<float2*>(gains);
    grids = reinterpret_cast<ChannelGrid*>(gains + MAX_DIGITS * D);
    squares = reinterpret_cast<float*>(grids + (MAX_DIGITS + 1) * D);
    digits = reinterpret_cast<int*>(squares + D);
    masked = reinterpret_cast<uint32_t*>(digits + D);
    rows = reinterpret_cast<uint16_t*>(masked + 4);
  }

  __device__ float key(int token, int channel) const { return of_half(keys[token * PITCH + channel]); }

  // Ranges, and means as the grids without digits.
  __device__ void find_ranges() const {
    float present = this->present();
    for (int d = threadIdx.x; d < D; d += THREADS) {
      Range range;
      float total = 0;
      this->for_present([&](int t) {
        uint16_t x = keys[t * PITCH + d];
        range.add(x);
        total = __fadd_rn(total, of_half(x));
      });
      float low = unordered(range.low);
      ranges[d] = {low, __fsub_rn(unordered(range.high), low)};
      grids[d].minimum = to_half(__fdiv_rn(total, present));
      grids[d].scale = 0;
    }
  }

  // What a channel costs without digits, and its sum of squares.
  __device__ void weigh_mean(int d) const {
    float mean = of_half(grids[d].minimum);
    float error = 0;
    float square = 0;
    this->for_present([&](int t) {
      float x = key(t, d);
      float e = __fsub_rn(mean, x);
      error = __fadd_rn(error, __fmul_rn(e, e));
      square = __fadd_rn(square, __fmul_rn(x, x));
    });
    grids[d].error = error;
    squares[d] = square;
  }

  // The best grid of a channel with so many digits.
  __device__ void search(int d, int digits) const {
    float2 range = ranges[d];
    Grid grid[GRIDS];
    float sum[GRIDS] = {};
#pragma unroll
    for (int k = 0; k < GRIDS; k++) grid[k] = Grid::above(range.x, range.y, (1 << 2 * digits) - 1, k);
    this->for_present([&](int t) {
      float x = key(t, d);
#pragma unroll
      for (int k = 0; k < GRIDS; k++) sum[k] = __fadd_rn(sum[k], grid[k].squared_error(x));
    });
    ChannelGrid best = {INFINITY, 0, 0};
#pragma unroll
    for (int k = 0; k < GRIDS; k++) {
      if (sum[k] < best.error) best = {sum[k], to_half(grid[k].minimum), to_half(grid[k].scale)};
    }
    grids[digits * D + d] = best;
  }

  // Gives the digits out. One after the other they would go to the channel that gains most, the first of equals;
  // where a channel's next digit gains more than the last one, it comes at once. So a digit counts what it and
  // those before it gain at least, and gets what it asks for if few enough come before.
  __device__ void allocate() const {
    for (int d = threadIdx.x; d < D; d += THREADS) {
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
    for (int i = threadIdx.x; i < MAX_DIGITS * D; i += THREADS) {
      int d = i % D;
      long long gain = gains[i];
      int before = i / D;
#pragma unroll 4
      for (int e = 0; e < D; e++) {
        // Equal gains of channels in front come first.
        long long most = gain - (e < d);
        int more = 0;
#pragma unroll
        for (int j = 0; j < MAX_DIGITS; j++) more += gains[j * D + e] > most;
        before += e == d ? 0 : more;
      }
      if (before < A::ROWS) atomicAdd(digits + d, 1);
    }
    __syncthreads();
    for (int d = threadIdx.x; d < D; d += THREADS) {
      int row = 0;
#pragma unroll 8
      for (int e = 0; e < D; e++) row += e < d ? digits[e] : 0;
      for (int j = digits[d] - 1; j >= 0; j--) rows[row++] = static_cast<uint16_t>(d | j << 9);
    }
    __syncthreads();
  }

  __device__ void write_tables(uint8_t* half) const {
    for (int r = threadIdx.x; r < ROWS_AT_MOST; r += THREADS) {
      int column = lane_order(r % TILE);
      uint8_t* to = half + A::KEY_ROWS_AT + r / TILE * 32 + (column & ~3) * 2 + (column & 3);
      bool used = r < A::ROWS;
      int d = used ? rows[r] & 0xFF : 0;
      float scale = used ? of_half(grids[digits[d] * D + d].scale) * (1 << (rows[r] >> 8)) : 0;
      to[0] = static_cast<uint8_t>(d);
      to[4] = static_cast<uint8_t>(to_half(scale) >> 7);
    }
    uint16_t* minima = reinterpret_cast<uint16_t*>(half + A::KEY_MINIMA_AT);
    for (int d = threadIdx.x; d < D; d += THREADS) {
      minima[d / TILE * TILE + lane_order(d % TILE)] = grids[digits[d] * D + d].minimum;
    }
    if (threadIdx.x < 4) reinterpret_cast<uint32_t*>(half + A::MASK_AT)[threadIdx.x] = masked[threadIdx.x];
  }

  // Four rows, or two of half a tile, of four token tiles a word, or of all.
  __device__ void write_codes(uint8_t* half) const {
    for (int i = threadIdx.x; i < A::KEY_ROWS_AT / 4; i += THREADS) {
      bool paired = i < A::LEFT_AT / 4;
      bool whole = i < A::HALF_AT / 4;
      int lane = whole ? i % 128 / 4 : i % 64 / 2;
      int upper = i >> 1 & 1;  // whether these are registers 2 and 3
      int tile = paired ? i / 256 * 2 + upper : whole ? 2 * A::ROW_PAIRS : A::ROW_TILES - 1;
      int token = lane / 4 + 8 * (i & 1);
      uint32_t word = 0;
      for (int byte = 0; byte < 4; byte++) {
        int row = rows[tile * TILE + 2 * (lane & 3) + (whole ? byte / 2 * 8 : 0) + byte % 2];
        int d = row & 0xFF;
        int first = (paired ? i / 128 % 2 : whole ? upper : byte / 2) * (A::TOKENS / 2) + token;
        ChannelGrid chosen = grids[digits[d] * D + d];
        Grid grid = Grid::of((1 << 2 * digits[d]) - 1, of_half(chosen.minimum), of_half(chosen.scale));
#pragma unroll
        for (int n = 0; n < 4; n++) {
          int t = first + n * TILE;
          uint32_t digit = static_cast<uint32_t>(grid.code(key(t, d))) >> (row >> 8) & 3;
          word |= (is_masked(t) ? 0 : digit) << (8 * byte + 2 * n);
        }
      }
      reinterpret_cast<uint32_t*>(half)[i] = word;
    }
  }

  __device__ void pack(uint8_t* half, const Window& w, int first) const {
    Base::gather(w, first, 0, 0, D / TILE, [&](int block, int tile, int row, int column, uint32_t pair) {
      *reinterpret_cast<uint32_t*>(keys + (block * TILE + row) * PITCH + tile * TILE + column) = pair;
    });
    __syncthreads();
    find_ranges();
    __syncthreads();
    for (int i = threadIdx.x; i < (MAX_DIGITS + 1) * D; i += THREADS) {
      if (i < D) {
        weigh_mean(i);
      } else {
        search(i % D, i / D);
      }
    }
    __syncthreads();
    allocate();
    write_tables(half);
    write_codes(half);
    Base::pad(half, A::MASK_AT + A::TOKENS / 8, A::KEY_HALF);
  }
};

}  // namespace sinkq
