// The sink table on the device, with the rules of org.sinkq.cache.SinkTable: two copies for each
// sequence slot, so that a step writes the one that is not committed and a rollback costs nothing.
//
// one copy, one tracked head   frozen_at | position [slots] | pad to 8 | score [slots] u64 | kind [slots] u8 | pad to 8
// one sequence slot            side 0: [tracked_heads] | side 1: [tracked_heads]
#pragma once
#include "params.cuh"

namespace sinkq {

constexpr int FREE = -1;
constexpr int NOT_FROZEN = -1;
// Score of a token without attention mass, and the units by which a probability lowers it.
constexpr uint64_t NO_MASS = uint64_t{1} << 62;
constexpr float MASS_UNITS = 0x1p24f;
enum Kind : uint8_t { KIND_FREE = 0, KIND_POOL = 1, KIND_SPILL = 2 };

struct SinkHead {
  int* frozen_at;
  int* position;
  uint64_t* score;
  uint8_t* kind;
};

__host__ __device__ constexpr int sink_scores_offset(int slots) { return (4 + 4 * slots + 7) / 8 * 8; }
__host__ __device__ constexpr int sink_kinds_offset(int slots) { return sink_scores_offset(slots) + 8 * slots; }
__host__ __device__ constexpr int sink_head_bytes(int slots) { return (sink_kinds_offset(slots) + slots + 7) / 8 * 8; }

// `head` counts from the layer's first KV head.
__device__ __forceinline__ SinkHead sink_head(const Params& p, int slot, int side, int head) {
  uint8_t* at = p.sinks + slot * p.sinks_stride +
                (int64_t{side} * p.tracked_heads + p.tracked_head + head) * sink_head_bytes(p.sink_slots);
  SinkHead h;
  h.frozen_at = reinterpret_cast<int*>(at);
  h.position = h.frozen_at + 1;
  h.score = reinterpret_cast<uint64_t*>(at + sink_scores_offset(p.sink_slots));
  h.kind = at + sink_kinds_offset(p.sink_slots);
  return h;
}

}  // namespace sinkq
