// select: which tokens of the groups to be flushed become sinks, the rules of
// org.sinkq.cache.SinkTable.select. Writes the table side that is not committed, copies the rows of
// new sinks into their slots and leaves their token numbers for `pack`.
// Grid (kv_heads, sequences), one warp a block.
#pragma once
#include "layout.cuh"
#include "sinks.cuh"

namespace sinkq {

constexpr int MAX_POOL = 31;
constexpr int MAX_SLOTS = 255;

// A candidate for the pool: a flushed token, or -1 - slot for a member.
struct Candidates {
  int candidate[MAX_POOL + 1];
  uint64_t score[MAX_POOL + 1];
  int size;
};

// Puts an entry in front of the worse ones; among equals the older, listed one stays ahead.
__device__ inline void insert(Candidates& c, int at, int candidate, uint64_t score) {
  while (at > 0 && c.score[at - 1] > score) {
    c.candidate[at] = c.candidate[at - 1];
    c.score[at] = c.score[at - 1];
    at--;
  }
  c.candidate[at] = candidate;
  c.score[at] = score;
}

// Members sorted by (score, position).
__device__ inline void collect_pool(Candidates& c, const SinkHead& h, int slots) {
  c.size = 0;
  for (int s = 0; s < slots; s++) {
    if (h.kind[s] != KIND_POOL) continue;
    int i = c.size++;
    while (i > 0 && (c.score[i - 1] > h.score[s] ||
                     (c.score[i - 1] == h.score[s] && h.position[-1 - c.candidate[i - 1]] > h.position[s]))) {
      c.candidate[i] = c.candidate[i - 1];
      c.score[i] = c.score[i - 1];
      i--;
    }
    c.candidate[i] = -1 - s;
    c.score[i] = h.score[s];
  }
}

// Copies one side of a head's table to the other, all lanes.
__device__ inline void copy_table(const SinkHead& to, const SinkHead& from, int slots, int lane) {
  for (int s = lane; s < slots; s += 32) {
    to.position[s] = from.position[s];
    to.score[s] = from.score[s];
    to.kind[s] = from.kind[s];
  }
  if (lane == 0) *to.frozen_at = *from.frozen_at;
  __syncwarp();
}

// Offers the flushed tokens in order; most fail against the worst candidate and cost one ballot for 32.
__device__ inline void offer_all(Candidates& c, const Params& p, const Window& w, int count, int lane) {
  for (int base = 0; base < count; base += 32) {
    uint64_t score = w.scores[w.slot(base + lane)];
    unsigned left = ~0u;
    while (true) {
      int size = c.size;
      bool full = size == p.pool_tokens;
      bool wins = (left >> lane & 1) && (!full || score < c.score[size - 1]);
      unsigned winners = __ballot_sync(~0u, wins);
      if (winners == 0) break;
      __syncwarp();  // everybody has read the list
      int first = __ffs(winners) - 1;
      if (lane == first) {
        insert(c, full ? size - 1 : size, base + lane, score);
        c.size = full ? size : size + 1;
      }
      left = first == 31 ? 0 : ~0u << (first + 1);
      __syncwarp();
    }
  }
}

// Lane 0: applies the new pool to the table; returns how many tokens became sinks.
__device__ inline int apply(const Candidates& c, const Params& p, const SinkHead& h, int base, int* picks, int* slot_of_pick) {
  int spilled = 0;
  int pooled = 0;
  int staying = 0;
  for (int s = 0; s < p.sink_slots; s++) {
    spilled += h.kind[s] == KIND_SPILL;
    pooled += h.kind[s] == KIND_POOL;
  }
  for (int i = 0; i < c.size; i++) staying += c.candidate[i] < 0;
  if (pooled - staying > p.spill_tokens - spilled) {
    *h.frozen_at = base;
    return 0;
  }
  for (int s = 0; s < p.sink_slots; s++) {
    if (h.kind[s] != KIND_POOL) continue;
    bool stays = false;
    for (int i = 0; i < c.size; i++) stays |= c.candidate[i] == -1 - s;
    if (!stays) h.kind[s] = KIND_SPILL;
  }
  int count = 0;
  int slot = 0;
  for (int i = 0; i < c.size; i++) {
    if (c.candidate[i] < 0) continue;
    while (h.position[slot] != FREE) slot++;
    h.position[slot] = base + c.candidate[i];
    h.score[slot] = c.score[i];
    h.kind[slot] = KIND_POOL;
    picks[count] = c.candidate[i];
    slot_of_pick[count++] = slot;
  }
  return count;
}

template <int D>
__device__ void select_sinks(const Params& p) {
  constexpr int BLOCK = 2 * dense_half(D);
  __shared__ Candidates candidates;
  __shared__ int slot_of_pick[MAX_POOL + 1];
  __shared__ int pick_count;
  const Sequence& s = sequence(p, blockIdx.y);
  if (s.new_pages == 0) return;
  int head = blockIdx.x;
  int lane = threadIdx.x;
  int* picks = p.picks + (int64_t{blockIdx.y} * p.kv_heads + head) * (1 + p.pool_tokens);
  SinkHead table = sink_head(p, s.slot, 1 - s.sink_side, head);
  copy_table(table, sink_head(p, s.slot, s.sink_side, head), p.sink_slots, lane);
  if (*table.frozen_at != NOT_FROZEN) {
    if (lane == 0) picks[0] = 0;
    return;
  }
  Window w = window<BLOCK>(p, s, head);
  if (lane == 0) collect_pool(candidates, table, p.sink_slots);
  __syncwarp();
  offer_all(candidates, p, w, s.new_pages * p.page_tokens, lane);
  if (lane == 0) {
    pick_count = apply(candidates, p, table, s.flushed, picks + 1, slot_of_pick);
    picks[0] = pick_count;
  }
  __syncwarp();
  uint8_t* sinks = sink_rows<BLOCK>(p, s.slot, head);
  for (int i = 0; i < pick_count; i++) {
    int from = w.slot(picks[1 + i]);
    int to = slot_of_pick[i];
    const uint8_t* source = w.blocks + int64_t{from / TILE} * BLOCK;
    uint8_t* target = sinks + to / TILE * BLOCK;
    for (int d = lane; d < D; d += 32) {
      *reinterpret_cast<uint16_t*>(target + dense_key_offset(to, d)) =
          *reinterpret_cast<const uint16_t*>(source + dense_key_offset(from, d));
      *reinterpret_cast<uint16_t*>(target + dense_value_offset<D>(to, d)) =
          *reinterpret_cast<const uint16_t*>(source + dense_value_offset<D>(from, d));
    }
  }
}

}  // namespace sinkq
