// pack of the codec INT2_ADAPTIVE: sums in ascending order, operations as in grids.cuh, so that every engine gets the
// same bits. A chain of 128 dependent sums is what takes time, so there are as many chains at once as the codec
// allows: a block for the keys of a page and one for each group of its values, a thread for each channel and number of
// digits, and for each token's values and grid.
//
// Grid (pages to be filled, kv_heads, 1 + value groups), PACK_THREADS a block; shared memory: keys as fp16 or
// the values of a group as floats, then tables.
#pragma once
#include "adaptive_pack_keys.cuh"
#include "adaptive_pack_values.cuh"

namespace sinkq {

template <int D>
__host__ __device__ constexpr int adaptive_pack_shared() {
  constexpr int keys = AdaptiveKeyPacker<D>::shared_bytes();
  constexpr int values = AdaptiveValuePacker<D>::shared_bytes();
  return keys > values ? keys : values;
}

template <int D>
__device__ void pack_adaptive(const Params& p) {
  extern __shared__ __align__(128) uint8_t shared[];
  using A = AdaptiveShape<D>;
  const int* entry = p.plan + p.page_list + 2 * blockIdx.x;
  if (entry[0] < 0) return;  // a recorded step has room for more pages than fill
  const Sequence& s = sequence(p, entry[0]);
  int head = blockIdx.y;
  int page = p.plan[s.new_page_table + entry[1]];
  int first = entry[1] * A::TOKENS;
  uint8_t* record = p.pages + (int64_t{page} * p.kv_heads + head) * A::PAGE_BYTES;
  Window w = window<AdaptivePacker<D>::BLOCK>(p, s, head);
  if (blockIdx.z == 0) {
    AdaptiveKeyPacker<D> packer(shared);
    mark_masked(p, entry[0], head, first, packer.masked);
    packer.pack(record, w, first);
  } else {
    AdaptiveValuePacker<D> packer(shared);
    mark_masked(p, entry[0], head, first, packer.masked);
    packer.pack(record + A::KEY_HALF, w, first, blockIdx.z - 1);
  }
}

}  // namespace sinkq
