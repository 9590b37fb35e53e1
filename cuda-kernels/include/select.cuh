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
constexpr int NONE = -1;  // in the place of a token, or of how many there are

// A head's table while it is worked on; all lanes are called together, and see what the others have written.
struct Table {
  int position[MAX_SLOTS];
  uint64_t score[MAX_SLOTS];
  uint8_t kind[MAX_SLOTS];
  bool stays[MAX_SLOTS];
  int free[MAX_POOL + 1];  // the first free slots

  __device__ void load(const SinkHead& from, int slots, int lane) {
    for (int s = lane; s < slots; s += 32) {
      position[s] = from.position[s];
      score[s] = from.score[s];
      kind[s] = from.kind[s];
      stays[s] = false;
    }
    __syncwarp();
  }

  __device__ void store(const SinkHead& to, int slots, int lane) const {
    for (int s = lane; s < slots; s += 32) {
      to.position[s] = position[s];
      to.score[s] = score[s];
      to.kind[s] = kind[s];
    }
  }

  // How many slots of 32 from a first one on are of a kind, by bits.
  __device__ unsigned of_kind(Kind wanted, int first, int slots, int lane) const {
    return __ballot_sync(~0u, first + lane < slots && kind[first + lane] == wanted);
  }

  __device__ int count(Kind wanted, int slots, int lane) const {
    int all = 0;
    for (int first = 0; first < slots; first += 32) all += __popc(of_kind(wanted, first, slots, lane));
    return all;
  }

  // Finds the free slots that new members may take.
  __device__ void find_free(int slots, int lane) {
    int found = 0;
    for (int first = 0; first < slots && found <= MAX_POOL; first += 32) {
      unsigned mask = __ballot_sync(~0u, first + lane < slots && position[first + lane] == FREE);
      int at = found + __popc(mask & ((1u << lane) - 1));
      if ((mask >> lane & 1) && at <= MAX_POOL) free[at] = first + lane;
      found += __popc(mask);
    }
    __syncwarp();
  }
};

// Candidates for the pool: flushed tokens, or -1 - slot for a member.
struct Candidates {
  int candidate[MAX_POOL + 1];
  uint64_t score[MAX_POOL + 1];

  // Members sorted by (score, position); returns their number. All lanes.
  __device__ int collect(const Table& table, int slots, int lane) {
    int size = 0;
    for (int first = 0; first < slots; first += 32) {
      unsigned members = table.of_kind(KIND_POOL, first, slots, lane);
      if (members >> lane & 1) candidate[size + __popc(members & ((1u << lane) - 1))] = first + lane;
      size += __popc(members);
    }
    __syncwarp();
    int slot = lane < size ? candidate[lane] : 0;
    uint64_t mine = table.score[slot];
    int rank = 0;
    for (int i = 0; i < size; i++) {
      int other = candidate[i];
      uint64_t theirs = table.score[other];
      rank += theirs < mine || (theirs == mine && table.position[other] < table.position[slot]);
    }
    __syncwarp();
    if (lane < size) {
      candidate[rank] = -1 - slot;
      score[rank] = mine;
    }
    __syncwarp();
    return size;
  }
};

// The candidates while tokens are offered: entry i in lane i, behind the last one an infinite score.
struct Offers {
  static constexpr uint64_t INFINITE = ~uint64_t{0};

  int lane;
  int most;  // entries
  int candidate;
  uint64_t score;
  uint64_t worst;  // of a full list

  __device__ Offers(const Candidates& c, int size, int most, int lane) : lane(lane), most(most) {
    bool used = lane < size;
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

  __device__ bool used() const { return score != INFINITE; }
};

// Scores of so many times 32 tokens, asked for before they are needed.
struct Scores {
  static constexpr int ROUNDS = 12;
  uint64_t of[ROUNDS];

  __device__ __forceinline__ void load(const Window& w, int base, int count, int lane) {
#pragma unroll
    for (int i = 0; i < ROUNDS; i++) {
      of[i] = base + 32 * i < count ? w.scores[w.slot(base + 32 * i + lane)] : Offers::INFINITE;
    }
  }

  // Most tokens fail against the worst candidate and cost one vote for all rounds.
  __device__ __forceinline__ void offer(Offers& offers, int base, int lane) const {
    uint64_t best = Offers::INFINITE;
#pragma unroll
    for (int i = 0; i < ROUNDS; i++) best = min(best, of[i]);
    if (!__any_sync(~0u, best < offers.worst)) return;
#pragma unroll
    for (int i = 0; i < ROUNDS; i++) offers.offer(base + 32 * i + lane, of[i]);
  }
};

// What became sinks: tokens of the flush, and their slots.
struct Picks {
  int token[MAX_POOL + 1];
  int slot[MAX_POOL + 1];
};

// Applies the new pool to the table, all lanes; returns how many tokens became sinks, or NONE if the pool freezes, since
// the spill area cannot take what would leave.
__device__ inline int apply(const Offers& offers, const Params& p, Table& table, int base, Picks& picks) {
  int slots = p.sink_slots;
  int lane = offers.lane;
  bool stays = offers.used() && offers.candidate < 0;
  int leaving = table.count(KIND_POOL, slots, lane) - __popc(__ballot_sync(~0u, stays));
  if (leaving > p.spill_tokens - table.count(KIND_SPILL, slots, lane)) return NONE;
  if (stays) table.stays[-1 - offers.candidate] = true;
  table.find_free(slots, lane);
  for (int s = lane; s < slots; s += 32) {
    if (table.kind[s] == KIND_POOL && !table.stays[s]) table.kind[s] = KIND_SPILL;
  }
  __syncwarp();
  bool joins = offers.used() && offers.candidate >= 0;
  unsigned all = __ballot_sync(~0u, joins);
  if (joins) {
    int i = __popc(all & ((1u << lane) - 1));
    int slot = table.free[i];
    table.position[slot] = base + offers.candidate;
    table.score[slot] = offers.score;
    table.kind[slot] = KIND_POOL;
    picks.token[i] = offers.candidate;
    picks.slot[i] = slot;
  }
  __syncwarp();
  return __popc(all);
}

// Copies the rows of new sinks into their slots, several elements of a lane at once: all are read before any is written,
// which the compiler could not know to be the same.
template <int D>
__device__ __forceinline__ void copy_rows(const Picks& picks, int count, const Window& w, uint8_t* sinks, int lane) {
  constexpr int BLOCK = 2 * dense_half(D);
  constexpr int AT_ONCE = 8;
  for (int begin = lane; begin < count * D; begin += 32 * AT_ONCE) {
    uint16_t key[AT_ONCE];
    uint16_t value[AT_ONCE];
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
      int i = begin + 32 * k;
      if (i >= count * D) continue;
      int from = w.slot(picks.token[i / D]);
      const uint8_t* source = w.blocks + int64_t{from / TILE} * BLOCK;
      key[k] = *reinterpret_cast<const uint16_t*>(source + dense_key_offset(from, i % D));
      value[k] = *reinterpret_cast<const uint16_t*>(source + dense_value_offset<D>(from, i % D));
    }
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
      int i = begin + 32 * k;
      if (i >= count * D) continue;
      int to = picks.slot[i / D];
      uint8_t* target = sinks + to / TILE * BLOCK;
      *reinterpret_cast<uint16_t*>(target + dense_key_offset(to, i % D)) = key[k];
      *reinterpret_cast<uint16_t*>(target + dense_value_offset<D>(to, i % D)) = value[k];
    }
  }
}

template <int D>
__device__ void select_sinks(const Params& p) {
  __shared__ Table table;
  __shared__ Candidates candidates;
  __shared__ Picks picks;
  const Sequence& s = sequence(p, blockIdx.y);
  if (s.new_pages == 0) return;
  int head = blockIdx.x;
  int lane = threadIdx.x;
  int* picked = p.picks + (int64_t{blockIdx.y} * p.kv_heads + head) * p.pool_tokens;
  SinkHead from = sink_head(p, s.slot, s.sink_side, head);
  SinkHead to = sink_head(p, s.slot, 1 - s.sink_side, head);
  int count = s.new_pages * p.page_tokens;
  Window w = window<2 * dense_half(D)>(p, s, head);
  Scores scores;
  scores.load(w, 0, count, lane);
  int frozen_at = *from.frozen_at;
  table.load(from, p.sink_slots, lane);
  int chosen = 0;
  if (frozen_at == NOT_FROZEN) {
    Offers offers(candidates, candidates.collect(table, p.sink_slots, lane), p.pool_tokens, lane);
    for (int base = 0; base < count; base += 32 * Scores::ROUNDS) {
      Scores now = scores;
      scores.load(w, base + 32 * Scores::ROUNDS, count, lane);
      now.offer(offers, base, lane);
    }
    chosen = apply(offers, p, table, s.flushed, picks);
    if (chosen == NONE) frozen_at = s.flushed;
    chosen = max(chosen, 0);
  }
  table.store(to, p.sink_slots, lane);
  if (lane == 0) *to.frozen_at = frozen_at;
  if (lane < p.pool_tokens) picked[lane] = lane < chosen ? picks.token[lane] : NONE;
  copy_rows<D>(picks, chosen, w, sink_rows<2 * dense_half(D)>(p, s.slot, head), lane);
}

}  // namespace sinkq
