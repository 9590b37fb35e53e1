// append: rows of k and v into the window, with the L1 score of each key. In a decode step attend does that
// itself, see append_own_row there.
// A sequence that uses the staging area also has its committed window moved to the front of that; there a warp takes
// the keys or the values of a dense block, elsewhere a row.
// Grid (twice the dense blocks, or rows, of the sequence that has most, kv_heads, sequences), one warp a block.
#pragma once
#include "elements.cuh"
#include "layout.cuh"
#include "params.cuh"
#include "ptx.cuh"

namespace sinkq {

// Code of a bad element: sequence | head | row of the sequence | value or key | channel, in 18, 10, 26,
// 1 and 8 bits, so that the smallest is the first. The host decodes it to name the element.
__device__ __forceinline__ void report(const Params& p, int sequence, int row, int head, int value, int channel) {
  unsigned long long code = (static_cast<unsigned long long>(sequence) << 45) |
                            (static_cast<unsigned long long>(head) << 35) |
                            (static_cast<unsigned long long>(row) << 9) | (value << 8) | channel;
  atomicMin(p.error, code);
}

// fp16 bits of an element, 0 if it is not finite there.
__device__ __forceinline__ uint16_t checked(const Params& p, float x, int sequence, int row, int head, int value,
                                            int channel) {
  uint16_t bits = __half_as_ushort(__float2half_rn(x));
  if ((bits & 0x7C00) == 0x7C00) {
    report(p, sequence, row, head, value, channel);
    return 0;
  }
  return bits;
}

// |x| in units of 2^-24.
__device__ __forceinline__ uint64_t score_units(uint32_t bits) {
  unsigned exponent = (bits >> 10) & 31;
  uint64_t mantissa = bits & 0x3FF;
  return exponent == 0 ? mantissa : (mantissa | 0x400) << (exponent - 1);
}

// A row of a sequence's step on its way into the window, by a warp: asked for first, and put there once it has come.
template <int D>
struct NewRow {
  static constexpr int EACH = ceil_div(D, 32);

  // Bits of elements. Those of fp32 come in halves: a load never waits for one of the other size to leave its register.
  uint32_t key[EACH][2];
  uint32_t value[EACH][2];

  static __device__ __forceinline__ void load(uint32_t (&x)[2], const Tensor& from, int64_t at) {
    bool whole = from.dtype == F32;
    const uint16_t* halves = reinterpret_cast<const uint16_t*>(from.data) + (whole ? 2 * at : at);
    x[0] = halves[0];
    x[1] = whole ? halves[1] : 0;
  }

  static __device__ __forceinline__ float element(const uint32_t (&x)[2], const Tensor& from) {
    return of_bits(from, x[0] | x[1] << 16);
  }

  __device__ __forceinline__ void load(const Params& p, const Sequence& s, int head, int row_of_step) {
    int lane = threadIdx.x % 32;
    int64_t row = s.first_row + row_of_step;
    int64_t key_at = row * p.k.token_stride + head * p.k.head_stride;
    int64_t value_at = row * p.v.token_stride + head * p.v.head_stride;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      int d = i * 32 + lane;
      if (d >= D) continue;
      load(key[i], p.k, key_at + d);
      load(value[i], p.v, value_at + d);
    }
  }

  // Puts it into the window, and into a copy of the halves of its block if there is one.
  __device__ __forceinline__ void put(const Params& p, const Sequence& s, int sequence, int head, const Window& w,
                                      int row_of_step, uint8_t* keys = nullptr, uint8_t* values = nullptr) const {
    int lane = threadIdx.x % 32;
    int slot = w.slot(s.length - s.flushed + row_of_step);
    uint8_t* block = w.blocks + int64_t{slot / TILE} * (2 * dense_half(D));
    uint64_t score = 0;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      int d = i * 32 + lane;
      if (d >= D) continue;
      uint16_t key_bits = checked(p, element(key[i], p.k), sequence, row_of_step, head, 0, d);
      uint16_t value_bits = checked(p, element(value[i], p.v), sequence, row_of_step, head, 1, d);
      score += score_units(key_bits & 0x7FFF);
      int key_at = dense_key_offset(slot, d);
      int value_at = dense_value_offset<D>(slot, d);
      *reinterpret_cast<uint16_t*>(block + key_at) = key_bits;
      *reinterpret_cast<uint16_t*>(block + value_at) = value_bits;
      if (keys != nullptr) {
        *reinterpret_cast<uint16_t*>(keys + key_at) = key_bits;
        *reinterpret_cast<uint16_t*>(values + value_at - dense_half(D)) = value_bits;
      }
    }
    for (int i = 16; i > 0; i /= 2) score += __shfl_xor_sync(~0u, score, i);
    if (p.sink_slots > 0 && lane == 0) w.scores[slot] = score;
  }
};

// A block of 16 tokens into the staging area. Lane 4 g + t has tokens g and g + 8, channels 2 t and 2 t + 1 of 8, as
// keys lie in the block; values lie there transposed.
template <int D>
struct BlockAppender {
  static constexpr int HALF = dense_half(D);

  const Params& p;
  const Sequence& s;
  const int block;  // of the window
  const int value;  // values instead of keys
  const Tensor& x;
  const int head = blockIdx.y;
  const int lane = threadIdx.x;
  const int g = threadIdx.x / 4;
  const int t = threadIdx.x % 4;
  const int first;  // row of the step, of the block's first token

  __device__ BlockAppender(const Params& p, const Sequence& s, int block, int value)
      : p(p), s(s), block(block), value(value), x(value ? p.v : p.k), first(block * TILE - (s.length - s.flushed)) {}

  // Two elements as they lie in memory, so that nothing waits for them yet. How wide they are and whether they are aligned is
  // known to the compiler: a branch between two loads would have the second wait for the first.
  template <int BYTES, bool ALIGNED>
  static __device__ __forceinline__ uint2 load(const uint8_t* from) {
    if constexpr (BYTES == 4) {
      const uint32_t* words = reinterpret_cast<const uint32_t*>(from);
      return ALIGNED ? *reinterpret_cast<const uint2*>(from) : uint2{words[0], words[1]};
    }
    const uint16_t* halves = reinterpret_cast<const uint16_t*>(from);
    return ALIGNED ? uint2{*reinterpret_cast<const uint32_t*>(from), 0} : uint2{halves[0], halves[1]};
  }

  // The same as fp16.
  template <int BYTES, bool ALIGNED>
  __device__ __forceinline__ uint32_t halves(uint2 pair) const {
    if (BYTES == 4) return pack_halves(__uint_as_float(pair.x), __uint_as_float(pair.y));
    uint32_t bits = ALIGNED ? pair.x : pair.x | pair.y << 16;
    return x.dtype == F16 ? bits : pack_halves(__uint_as_float(bits << 16), __uint_as_float(bits & 0xFFFF0000));
  }

  // Zeros for elements that are not finite in fp16.
  __device__ __forceinline__ uint32_t checked_pair(uint32_t bits, int row, int channel) const {
    if ((((bits & 0x7C007C00) + 0x04000400) & 0x80008000) == 0) return bits;
    for (int i = 0; i < 2; i++) {
      uint32_t exponent = 0x7C00u << (16 * i);
      if ((bits & exponent) != exponent) continue;
      report(p, blockIdx.z, row, head, value, channel + i);
      bits &= ~(0xFFFFu << (16 * i));
    }
    return bits;
  }

  static __device__ __forceinline__ uint4 transposed(uint4 a) {
    return {transpose(a.x), transpose(a.z), transpose(a.y), transpose(a.w)};
  }

  // Where a row's part of this lane is; null if it is none of the step's.
  __device__ __forceinline__ const uint8_t* row_data(int row, int bytes) const {
    if (row < 0 || row >= s.rows) return nullptr;
    return x.data + ((s.first_row + row) * x.token_stride + head * x.head_stride + 2 * t) * bytes;
  }

  // The 16 x 16 tile of a channel tile. Rows in front of the step's come from the ring.
  __device__ __forceinline__ uint4 tile(int c, uint32_t (&words)[4], const uint8_t* ring) const {
#pragma unroll
    for (int r = 0; r < 4; r++) {
      words[r] = checked_pair(words[r], first + g + 8 * (r % 2), c * TILE + 2 * t + 8 * (r / 2));
    }
    if (first < 0) {
      uint4 old = reinterpret_cast<const uint4*>(ring + c * TILE_BYTES)[lane];
      if (value) old = transposed(old);
      if (first + g < 0) words[0] = old.x, words[2] = old.z;
      if (first + g + 8 < 0) words[1] = old.y, words[3] = old.w;
    }
    return {words[0], words[1], words[2], words[3]};
  }

  template <int BYTES, bool ALIGNED>
  __device__ __forceinline__ void run() const {
    constexpr int C = D / TILE;
    constexpr int AT_ONCE = 4;  // channel tiles
    Window w = window<2 * HALF>(p, s, head);
    uint8_t* to = w.blocks + int64_t{block} * 2 * HALF + value * HALF;
    int from = (s.flushed + block * TILE) % p.ring_tokens;
    const uint8_t* ring = head_rows(p, s.slot, head) + from / TILE * 2 * HALF + value * HALF;
    const uint8_t* rows[2] = {row_data(first + g, BYTES), row_data(first + g + 8, BYTES)};
    uint64_t score[2] = {};
#pragma unroll 1
    for (int begin = 0; begin < C; begin += AT_ONCE) {
      uint2 pairs[AT_ONCE][4] = {};
#pragma unroll
      for (int i = 0; i < AT_ONCE; i++) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
          bool there = C % AT_ONCE == 0 || begin + i < C;
          const uint8_t* row = rows[r % 2];
          if (there && row != nullptr) {
            pairs[i][r] = load<BYTES, ALIGNED>(row + ((begin + i) * TILE + 8 * (r / 2)) * BYTES);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < AT_ONCE; i++) {
        int c = begin + i;
        if (C % AT_ONCE != 0 && c >= C) break;
        uint32_t words[4];
#pragma unroll
        for (int r = 0; r < 4; r++) words[r] = halves<BYTES, ALIGNED>(pairs[i][r]);
        uint4 a = tile(c, words, ring);
        reinterpret_cast<uint4*>(to + c * TILE_BYTES)[lane] = value ? transposed(a) : a;
        if (value) continue;
        score[0] += units_of_pair(a.x) + units_of_pair(a.z);
        score[1] += units_of_pair(a.y) + units_of_pair(a.w);
      }
    }
    if (p.sink_slots == 0 || value) return;
#pragma unroll
    for (int h = 0; h < 2; h++) {
      score[h] += __shfl_xor_sync(~0u, score[h], 1);
      score[h] += __shfl_xor_sync(~0u, score[h], 2);
      if (t == 0) w.scores[block * TILE + g + 8 * h] = score[h];
    }
  }

  __device__ __forceinline__ void run() const {
    bool even = ((x.token_stride | x.head_stride) & 1) == 0;
    uintptr_t address = reinterpret_cast<uintptr_t>(x.data);
    if (x.dtype == F32) {
      if (even && (address & 7) == 0) {
        run<4, true>();
      } else {
        run<4, false>();
      }
    } else if (even && (address & 3) == 0) {
      run<2, true>();
    } else {
      run<2, false>();
    }
  }

  static __device__ __forceinline__ uint64_t units_of_pair(uint32_t bits) {
    return score_units(bits & 0x7FFF) + score_units(bits >> 16 & 0x7FFF);
  }
};

template <int D>
__device__ void append(const Params& p) {
  const Sequence& s = sequence(p, blockIdx.z);
  if (s.staged_block >= 0) {
    int block = blockIdx.x / 2;
    if (block * TILE < s.length - s.flushed + s.rows) BlockAppender<D>(p, s, block, blockIdx.x % 2).run();
  } else if (blockIdx.x < s.rows) {
    NewRow<D> row;
    row.load(p, s, blockIdx.y, blockIdx.x);
    row.put(p, s, blockIdx.z, blockIdx.y, window<2 * dense_half(D)>(p, s, blockIdx.y), blockIdx.x);
  }
}

}  // namespace sinkq
