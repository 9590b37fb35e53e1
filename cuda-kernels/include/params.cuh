// What the host hands to the kernels: one struct for every launch of a layer, and the plan of a step,
// an int array that all layers of the step share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector_types.h>

namespace sinkq {

enum DType : int { F32 = 0, F16 = 1, BF16 = 2 };

// A tensor [tokens, heads, D]; strides in elements.
struct Tensor {
  uint8_t* data;
  int64_t token_stride;
  int64_t head_stride;
  int64_t dtype;
};

// One sequence's share of a step, in the plan.
struct Sequence {
  int slot;          // of its dense rows
  int length;        // committed tokens
  int flushed;       // position of the first window token
  int rows;          // new tokens
  int first_row;     // of those in q, k, v, out
  int pages;         // committed pages
  int page_table;    // plan index of their ids
  int new_pages;     // pages that this step fills
  int new_page_table;// plan index of their ids
  int window_slots;  // token slots of the window's area; position p is in slot (p - flushed + first_slot) mod this
  int first_slot;    // slot of position flushed
  int sink_side;     // which of the two copies of the sink table is committed
  int staged_block;  // first dense block of the window in the staging area, per KV head; -1: ring
  int kept_block;    // first dense block of the tail to be published, per layer and KV head
  unsigned kept_blocks : 31;  // of the tail
  unsigned score_side : 1;    // which of the two copies of the ring's scores is committed; 0 without masses
  int sink_blocks;   // of 16 slots, of which all that hold a sink are
};

constexpr int MOST_COLUMNS = 8;  // of an item of attend

// A block of attend: a range of units for some columns of one KV head. Units of a
// sequence are its pages, then blocks of 16 sink slots, then blocks of 16 window tokens; columns are
// its query rows times the query heads of a group. A block of prefill takes all units. The sequence comes
// along, so that a block does not have to wait for one load before it can begin the next.
struct alignas(16) Item {
  int sequence;
  int head;
  int first_column;
  int columns;
  int first_unit;
  int end_unit;
  int split;    // which range this is
  int splits;   // ranges of these columns
  int counter;  // of arrived ranges
  int partial;  // where range 0 leaves its result; range s at partial + s
  int padding[2];
  Sequence of;
};

struct Params {
  const int* plan;
  uint8_t* pages;         // [page][kv_heads][page_bytes] of this layer
  uint8_t* rows;          // dense rows of this layer and sequence slot 0
  int64_t rows_stride;    // bytes from one sequence slot to the next
  int64_t head_stride;    // bytes from one KV head to the next
  uint8_t* staging;       // dense blocks of steps that do not fit into the ring
  uint64_t* staging_scores;
  uint8_t* kept;          // dense blocks to be published, of this layer
  uint64_t* kept_scores;  // of this layer
  uint8_t* sinks;         // sink tables, see sinks.cuh
  int64_t sinks_stride;   // bytes from one sequence slot to the next
  int* picks;             // [sequence][kv_heads][pool]: flushed tokens that became sinks, then -1
  float* partials;        // partial results, see merge.cuh
  unsigned* counters;
  unsigned long long* error;  // smallest code of a key or value that fp16 cannot hold
  Tensor q, k, v, out;
  int sequence_table;  // plan index of the sequences
  int item_table;      // plan index of the items of attend
  int page_list;       // plan index of (sequence, index) pairs, one for each page to be filled; sequence -1: none
  int layer;
  int kv_heads;
  int group;           // query heads of a KV head
  int page_tokens;
  int ring_tokens;
  int sink_slots;      // pool + spill; 0: layer does not track sinks
  int pool_tokens;
  int spill_tokens;
  int tracked_head;    // row of the sink table of KV head 0
  int tracked_heads;   // rows of a sink table
  int sliding_window;  // 0: none
  int bits;            // of a stored element: 2, 4 or 16
  int prompt_table;    // plan index of the items of prefill
  float scale_log2;    // softmax scale times log2 e
  float soft_cap_log2; // soft cap times log2 e; 0: none
  float2* extents;     // largest base-2 logit and sum of the weights of each column, see mass.cuh; null: not needed
  int masses;          // whether scores are attention masses, of which the ring has two copies
  float* window_logits;  // base-2 logits of window tokens, [sequence][kv_heads][ring_tokens][MOST_COLUMNS], where attend
                         // gives the masses itself; null: it does not
};

__device__ __forceinline__ const Sequence& sequence(const Params& p, int index) {
  return reinterpret_cast<const Sequence*>(p.plan + p.sequence_table)[index];
}

// Query row of a column, by a division in floating point that is a quarter as long as that of ints and exact
// for the few columns there are.
__device__ __forceinline__ int row_of(const Params& p, int column) {
  return static_cast<int>(__fdividef(column + 0.5f, p.group));
}

// Extents of a KV head's columns: sequence by sequence, [kv_heads][columns].
__device__ __forceinline__ float2* extents(const Params& p, const Sequence& s, int head) {
  return p.extents + (s.first_row * p.kv_heads + head * s.rows) * p.group;
}

// Dense rows of a KV head: ring blocks, sink blocks, scores of the ring (masses: twice).
__device__ __forceinline__ uint8_t* head_rows(const Params& p, int slot, int head) {
  return p.rows + slot * p.rows_stride + head * p.head_stride;
}

__host__ __device__ constexpr int sink_blocks(int slots) { return (slots + 15) / 16; }

template <int DENSE_BLOCK>
__device__ __forceinline__ uint8_t* sink_rows(const Params& p, int slot, int head) {
  return head_rows(p, slot, head) + p.ring_tokens / 16 * DENSE_BLOCK;
}

// Scores of the ring. Where they are masses, a step changes those of committed tokens: it works on the
// side that is not committed, so that a rollback costs nothing.
template <int DENSE_BLOCK>
__device__ __forceinline__ uint64_t* ring_scores(const Params& p, const Sequence& s, int head, bool committed) {
  int side = p.masses && !committed ? 1 - s.score_side : s.score_side;
  return reinterpret_cast<uint64_t*>(sink_rows<DENSE_BLOCK>(p, s.slot, head) +
                                     sink_blocks(p.sink_slots) * DENSE_BLOCK) +
         side * p.ring_tokens;
}

// The dense tokens of a step: committed window and new rows, in the ring or in the staging area.
struct Window {
  uint8_t* blocks;
  uint64_t* scores;
  int first_slot;
  int slots;

  // Slot of the n-th token.
  __device__ __forceinline__ int slot(int n) const {
    int s = first_slot + n;
    return s >= slots ? s - slots : s;
  }
};

template <int DENSE_BLOCK>
__device__ __forceinline__ Window window(const Params& p, const Sequence& s, int head) {
  Window w;
  w.first_slot = s.first_slot;
  w.slots = s.window_slots;
  if (s.staged_block < 0) {
    w.blocks = head_rows(p, s.slot, head);
    w.scores = ring_scores<DENSE_BLOCK>(p, s, head, false);
  } else {
    int64_t block = s.staged_block + int64_t{head} * (s.window_slots / 16);
    w.blocks = p.staging + block * DENSE_BLOCK;
    w.scores = p.staging_scores + block * 16;
  }
  return w;
}

}  // namespace sinkq
