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

// The candidates while tokens are offered: entry i in lane i, behind the last one an infinite score.
struct Offers {
  static constexpr uint64_t INFINITE = ~uint64_t{0};

  int lane;
  int most;  // entries
  int candidate;
  uint64_t score;
  uint64_t worst;  // of a full list

  __device__ Offers(const Candidates& c, int most, int lane) : lane(lane), most(most) {
    bool used = lane < c.size;
    candidate = used ? c.candidate[lane] : 0;
    score = used ? c.score[lane] : INFINITE;
    worst = __shfl_sync(~0u, score, most - 1);
  }

  // Offers each lane's token, all of them in order; among equals the older, listed one stays ahead.
  __device__ void offer(int token, uint64_t of) {
    unsigned winners = __ballot_sync(~0u, of < worst);
    while (winners != 0) {
      int first = __ffs(winners) - 1;
      uint64_t better = __shfl_sync(~0u, of, first);
      int taken = __shfl_sync(~0u, token, first);
      int at = __popc(__ballot_sync(~0u, score <= better));
      uint64_t score_before = __shfl_up_sync(~0u, score, 1);
      int candidate_before = __shfl_up_sync(~0u, candidate, 1);
      if (lane == at) {
        score = better;
        candidate = taken;
      } else if (lane > at) {
        score = lane < most ? score_before : INFINITE;
        candidate = candidate_before;
      }
      worst = __shfl_sync(~0u, score, most - 1);
      unsigned later = first == 31 ? 0 : ~0u << (first + 1);
      winners = __ballot_sync(~0u, of < worst) & later;
    }
  }

  __device__ void store(Candidates& c) const {
    unsigned used = __ballot_sync(~0u, score != INFINITE);
    if (score != INFINITE) {
      c.candidate[lane] = candidate;
      c.score[lane] = score;
    }
    if (lane == 0) c.size = __popc(used);
  }
};

// Offers the flushed tokens in order. Scores of several rounds are asked for at once; most tokens fail against
// the worst candidate and cost one vote for all rounds.
__device__ inline void offer_all(Candidates& c, const Params& p, const Window& w, int count, int lane) {
  constexpr int ROUNDS = 8;
  Offers offers(c, p.pool_tokens, lane);
  for (int base = 0; base < count; base += 32 * ROUNDS) {
    uint64_t score[ROUNDS];
    uint64_t best = Offers::INFINITE;
#pragma unroll
    for (int i = 0; i < ROUNDS; i++) {
      score[i] = base + 32 * i < count ? w.scores[w.slot(base + 32 * i + lane)] : Offers::INFINITE;
      best = min(best, score[i]);
    }
    if (!__any_sync(~0u, best < offers.worst)) continue;
#pragma unroll
    for (int i = 0; i < ROUNDS; i++) offers.offer(base + 32 * i + lane, score[i]);
  }
  __syncwarp();  // votes and shuffles do not order what lanes read of the list before what they write now
  offers.store(c);
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
  __syncwarp();
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
