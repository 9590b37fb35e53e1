// pack: pages from the window, quantized (or, for dense pages, copied), each half by a block of its own.
// Grid (pages to be filled, kv_heads, halves), PACK_THREADS a block; shared memory: a half's elements in fp16, a
// Quantizer for each channel (keys) or token (values).
#pragma once
#include "layout.cuh"
#include "params.cuh"
#include "quantizer.cuh"

namespace sinkq {

constexpr int PACK_THREADS = 512;

// Halves between two rows of so many columns in shared memory: lanes of 8 rows and 4 words have banks of their own.
__host__ __device__ constexpr int pack_pitch(int columns) { return columns + 8; }

__host__ __device__ constexpr int pack_shared(int head_dim, int page_tokens) {
  int more = head_dim > page_tokens ? head_dim : page_tokens;
  int quantizers = value_groups(head_dim) * page_tokens > head_dim ? value_groups(head_dim) * page_tokens : head_dim;
  return 2 * (head_dim * page_tokens + 8 * more) + 16 * quantizers + 16;
}

__device__ __forceinline__ void put_parameters(uint8_t* minimum, int scale_offset, const Quantizer& q, bool mark) {
  uint16_t scale = __half_as_ushort(__float2half_rn(q.scale)) | (mark ? 0x8000 : 0);
  *reinterpret_cast<uint16_t*>(minimum) = __half_as_ushort(__float2half_rn(q.minimum));
  *reinterpret_cast<uint16_t*>(minimum + scale_offset) = scale;
}

// Bits of the page's tokens that live elsewhere; there for all once the block has synchronized.
__device__ __forceinline__ void mark_masked(const Params& p, int sequence, int head, int first, uint32_t* masked) {
  if (threadIdx.x < 4) masked[threadIdx.x] = 0;
  __syncthreads();
  if (p.sink_slots == 0 || threadIdx.x >= p.pool_tokens) return;
  int token = p.picks[(int64_t{sequence} * p.kv_heads + head) * p.pool_tokens + threadIdx.x] - first;
  if (token >= 0 && token < p.page_tokens) {
    atomicOr(masked + token / 32, 1u << (token % 32));
  }
}

template <int BITS, int D>
struct Packer {
  static constexpr int BLOCK = 2 * dense_half(D);
  static constexpr int CHANNEL_TILES = D / TILE;
  static constexpr int POSITIONS = 8 / BITS;
  static constexpr int GROUPS = value_groups(D);
  static constexpr int GROUP = D / GROUPS;
  static constexpr int SHARING = 8;  // lanes that look for a range together

  const Params& p;
  const int tokens;
  uint32_t* const x;            // pairs of keys, [G][D], or of values, [D][G]
  Quantizer* const quantizers;  // of keys [D], of values [GROUPS][G]
  uint32_t* const masked;       // [4] bits of masked tokens

  __device__ Packer(const Params& p, uint8_t* shared) : p(p), tokens(p.page_tokens),
      x(reinterpret_cast<uint32_t*>(shared)),
      quantizers(reinterpret_cast<Quantizer*>(shared + 2 * (D * p.page_tokens + 8 * max(D, p.page_tokens)))),
      masked(reinterpret_cast<uint32_t*>(quantizers + max(D, GROUPS * p.page_tokens))) {}

  // Words between two rows.
  static constexpr int KEY_PITCH = pack_pitch(D) / 2;
  __device__ __forceinline__ int value_pitch() const { return pack_pitch(tokens) / 2; }

  // Copies one half of the page's dense blocks to shared memory, as they have it: rows of keys are tokens, those of values
  // channels.
  __device__ void gather(const Window& w, int first, bool values) const {
    int blocks = tokens / TILE;
#pragma unroll 4
    for (int i = threadIdx.x; i < blocks * CHANNEL_TILES * 32; i += PACK_THREADS) {
      int lane = i % 32;
      int tile = i / 32 % CHANNEL_TILES;
      int block = i / 32 / CHANNEL_TILES;
      const uint8_t* from = w.blocks + int64_t{w.slot(first + block * TILE) / TILE} * BLOCK +
                            (values ? dense_half(D) : 0) + tile * TILE_BYTES + lane * 16;
      uint4 regs = *reinterpret_cast<const uint4*>(from);
      int pitch = values ? value_pitch() : KEY_PITCH;
      int row = (values ? tile : block) * TILE + lane / 4;
      uint32_t* to = x + row * pitch + (values ? block : tile) * (TILE / 2) + lane % 4;
      to[0] = regs.x;
      to[8 * pitch] = regs.y;
      to[4] = regs.z;
      to[8 * pitch + 4] = regs.w;
    }
  }

  // Few pages have a masked token, and what `any` says is in a register.
  __device__ bool any_masked() const { return (masked[0] | masked[1] | masked[2] | masked[3]) != 0; }
  __device__ bool is_masked(bool any, int token) const { return any && (masked[token / 32] >> (token % 32) & 1); }

  __device__ void find_key_ranges(uint8_t* page, bool any) const {
    int parameters_at = code_bytes(BITS, D, tokens);
    for (int first = 0; first < SHARING * D / 2; first += PACK_THREADS) {
      int i = (first + threadIdx.x) / SHARING;
      int sharer = threadIdx.x % SHARING;
      PairRange r;
      if (i < D / 2) {
#pragma unroll 4
        for (int t = sharer; t < tokens; t += SHARING) {
          uint32_t pair = x[t * KEY_PITCH + i];
          if (!is_masked(any, t)) r.add(pair);
        }
      }
      r.join(SHARING);
      int d = 2 * i + sharer;
      if (sharer < 2 && d < D) {
        quantizers[d] = r.quantizer<BITS>(sharer);
        uint8_t* minimum = page + parameters_at + d / TILE * PARAMETER_BYTES + parameter_offset(d % TILE);
        put_parameters(minimum, SCALE_OFFSET, quantizers[d], d == 0 && any);
      }
    }
  }

  __device__ void find_value_ranges(uint8_t* half, bool any) const {
    int parameters_at = code_bytes(BITS, D, tokens);
    int pairs = tokens / 2;
    for (int first = 0; first < SHARING * GROUPS * pairs; first += PACK_THREADS) {
      int i = (first + threadIdx.x) / SHARING;
      int sharer = threadIdx.x % SHARING;
      int group = i / pairs;
      PairRange r;
      if (group < GROUPS) {
        const uint32_t* from = x + group * GROUP * value_pitch() + i % pairs;
#pragma unroll 4
        for (int d = sharer; d < GROUP; d += SHARING) r.add(from[d * value_pitch()]);
      }
      r.join(SHARING);
      int t = 2 * (i % pairs) + sharer;
      if (sharer < 2 && group < GROUPS) {
        Quantizer& q = quantizers[group * tokens + t];
        q = r.quantizer<BITS>(sharer);
        uint8_t* minimum = half + parameters_at + (group * (tokens / TILE) + t / TILE) * PARAMETER_BYTES +
                           value_parameter_offset(t % TILE);
        put_parameters(minimum, VALUE_SCALE_OFFSET, q, group == 0 && is_masked(any, t));
      }
    }
  }

  // Word i of the codes of keys.
  template <bool EXACT>
  __device__ __forceinline__ Word<BITS, EXACT> key_word(int i, bool any) const {
    int token_tiles = tokens / TILE;  // 2, 4 or 8
    int shift = __ffs(token_tiles) - 1;
    int lane = i / 4 % 32;
    int half = i >> 1 & 1;
    Word<BITS, EXACT> word;
    Quantizer q[4];
#pragma unroll
    for (int n = 0; n < POSITIONS; n++) {
      int j = i / 128 * POSITIONS + n;
      if (j >= CHANNEL_TILES * token_tiles / 2) break;
      int pair_of_tiles = j >> shift;
      int in_pair = j & (token_tiles - 1);
      bool paired = 2 * pair_of_tiles + 1 < CHANNEL_TILES;
      int token_tile = paired ? in_pair : in_pair * 2 + half;
      int first = (2 * pair_of_tiles + (paired ? half : 0)) * TILE + 2 * (lane & 3);
      if (n == 0 || in_pair == 0) {
#pragma unroll
        for (int k = 0; k < 4; k++) q[k] = quantizers[first + k / 2 * 8 + k % 2];
      }
      int token = token_tile * TILE + lane / 4 + 8 * (i & 1);
      if (is_masked(any, token)) continue;
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float2 keys = floats(x[token * KEY_PITCH + first / 2 + 4 * h]);
        word.add(2 * h, n, keys.x, q[2 * h]);
        word.add(2 * h + 1, n, keys.y, q[2 * h + 1]);
      }
    }
    return word;
  }

  // Word i of the codes of values.
  template <bool EXACT>
  __device__ __forceinline__ Word<BITS, EXACT> value_word(int i, bool any) const {
    int token_tiles = tokens / TILE;
    int lane = i / 4 % 32;
    int row = lane / 4 + 8 * (i & 1);
    int column = 2 * (lane & 3) + 8 * (i >> 1 & 1);
    Word<BITS, EXACT> word;
    Quantizer q[4];
#pragma unroll
    for (int n = 0; n < POSITIONS; n++) {
      int j = i / 128 * POSITIONS + n;
      if (j >= CHANNEL_TILES * token_tiles / 2) break;
      int tile = j % CHANNEL_TILES;
      int first = j / CHANNEL_TILES * 2 * TILE + column;  // token; another one a tile behind
      if (n == 0 || tile % (CHANNEL_TILES / GROUPS) == 0) {
#pragma unroll
        for (int k = 0; k < 4; k++) {
          int token = first + k % 2 * TILE + k / 2;
          q[k] = quantizers[tile * TILE / GROUP * tokens + token];
          if (is_masked(any, token)) q[k].inverse = 0;
        }
      }
      const uint32_t* from = x + (tile * TILE + row) * value_pitch() + first / 2;
#pragma unroll
      for (int b = 0; b < 2; b++) {
        float2 values = floats(from[b * TILE / 2]);
        word.add(b, n, values.x, q[b]);
        word.add(2 + b, n, values.y, q[2 + b]);
      }
    }
    return word;
  }

  __device__ void pack(uint8_t* half, bool values) const {
    bool any = any_masked();
    if (values) {
      find_value_ranges(half, any);
    } else {
      find_key_ranges(half, any);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < code_bytes(BITS, D, tokens) / 4; i += PACK_THREADS) {
      Word<BITS, false> word = values ? value_word<false>(i, any) : key_word<false>(i, any);
      uint32_t bits = word.bits();
      if (word.near_tie()) bits = values ? value_word<true>(i, any).bits() : key_word<true>(i, any).bits();
      reinterpret_cast<uint32_t*>(half)[i] = bits;
    }
  }
};

template <int BITS, int D>
__device__ void pack(const Params& p) {
  extern __shared__ __align__(128) uint8_t shared[];
  using P = Packer<BITS, D>;
  const int* entry = p.plan + p.page_list + 2 * blockIdx.x;
  if (entry[0] < 0) return;  // a recorded step has room for more pages than fill
  const Sequence& s = sequence(p, entry[0]);
  int index = entry[1];
  int head = blockIdx.y;
  int page = p.plan[s.new_page_table + index];
  uint8_t* record = p.pages + (int64_t{page} * p.kv_heads + head) * page_bytes(BITS, D, p.page_tokens);
  Window w = window<P::BLOCK>(p, s, head);
  int first = index * p.page_tokens;
  bool values = blockIdx.z == 1;
  if constexpr (BITS == 16) {
    // Every second word, since both halves of a block of tokens are copied alike.
    constexpr int WORDS = P::BLOCK / 16;
    for (int i = 2 * threadIdx.x + values; i < p.page_tokens / TILE * WORDS; i += 2 * PACK_THREADS) {
      int block = w.slot(first + i / WORDS * TILE) / TILE;
      reinterpret_cast<uint4*>(record)[i] =
          reinterpret_cast<const uint4*>(w.blocks + int64_t{block} * P::BLOCK)[i % WORDS];
    }
  } else {
    P packer(p, shared);
    packer.gather(w, first, values);
    mark_masked(p, entry[0], head, first, packer.masked);
    __syncthreads();
    packer.pack(record + (values ? key_half(BITS, D, p.page_tokens) : 0), values);
  }
}

}  // namespace sinkq
