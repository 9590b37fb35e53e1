// Codes as operands of integer products, and what comes out of them.
//
// Codes in place, masked out of their register, are four bytes of an operand, times a power of two that goes into the
// unit of a sum: no conversion, and two tiles for a mask and a product. The other operand is an integer of 16 bits, its bytes
// in two columns or, with 8 columns, in two products.
#pragma once
#include <cstdint>

namespace sinkq {

template <int BITS, bool WIDE>
struct Codes {
  static constexpr int POSITIONS = 8 / BITS;  // of a word set
  static constexpr int OWN = WIDE ? 2 : 1;    // columns of a thread

  // Bytes of codes at position j of a word set, moved to where `inner`, the tile that they are summed for, has its
  // power of two.
  static __device__ __forceinline__ uint32_t moved(uint32_t word, int j, int inner) {
    int shift = BITS * (j % POSITIONS - inner % POSITIONS);
    return (shift >= 0 ? word >> shift : word << -shift) & mask(inner % POSITIONS, inner % POSITIONS);
  }

  static __device__ __forceinline__ uint32_t mask(int first, int last) {
    uint32_t bits = (1u << (BITS * (last + 1))) - (1u << (BITS * first));
    return (bits & 0xFF) * 0x1010101u;
  }

  // Operand of a tile whose codes are at position j. Where tiles that follow one another are at positions that follow
  // one another for every operand, the lower ones are left in, those from `first` on: the last of four positions needs no
  // mask then, and what the sums of the tile before have in them is subtracted in the end.
  template <bool IN_ORDER>
  static __device__ __forceinline__ uint32_t codes(uint32_t word, int first, int j, int inner) {
    return IN_ORDER ? word & mask(first % POSITIONS, j % POSITIONS) : moved(word, j, inner);
  }

  template <bool IN_ORDER>
  static __device__ __forceinline__ uint4 codes(uint4 word, int first, int j, int inner) {
    return {codes<IN_ORDER>(word.x, first, j, inner), codes<IN_ORDER>(word.y, first, j, inner),
            codes<IN_ORDER>(word.z, first, j, inner), codes<IN_ORDER>(word.w, first, j, inner)};
  }

  static __device__ __forceinline__ float unit_of(int position) {
    return 1.f / static_cast<float>(1 << (BITS * (position % POSITIONS)));
  }

  static __device__ __forceinline__ void clear(int (&before)[OWN][2]) {
#pragma unroll
    for (int w = 0; w < OWN; w++) before[w][0] = before[w][1] = 0;
  }

  // What two accumulators of bytes have for a thread's column in their upper (h = 0) or lower eight rows.
  static __device__ __forceinline__ int sum(const int (&high)[4], const int (&low)[4], int w, int h) {
    uint32_t upper = WIDE ? high[2 * h + w] : high[2 * h];
    uint32_t lower = WIDE ? low[2 * h + w] : high[2 * h + 1];
    return static_cast<int>(upper * 256 + lower);
  }

  // The same, less what those of the tile before had.
  static __device__ __forceinline__ float own_sum(const int (&high)[4], const int (&low)[4], int w, int h,
                                                int (&before)[OWN][2]) {
    // Those of several tiles may be too much for 31 bits, which the difference is not.
    int all = sum(high, low, w, h);
    int own = static_cast<int>(static_cast<uint32_t>(all) - static_cast<uint32_t>(before[w][h]));
    before[w][h] = all;
    return own;
  }
};

}  // namespace sinkq
