// All kernels of one head dimension, HEAD_DIM, under stable names, but those of attention masses (masses.cu). One parameter
// each: Params by value.
#include "adaptive_pack.cuh"
#include "adaptive_rows.cuh"
#include "append.cuh"
#include "attend_entries.cuh"
#include "layout.cuh"
#include "names.cuh"
#include "pack.cuh"
#include "prefill.cuh"
#include "rows.cuh"
#include "select.cuh"

using sinkq::Params;

extern "C" __global__ void __launch_bounds__(32) NAME(append_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::append<HEAD_DIM>(p);
}

extern "C" __global__ void __launch_bounds__(32) NAME(select_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::select_sinks<HEAD_DIM>(p);
}

extern "C" __global__ void __launch_bounds__(sinkq::COPY_THREADS)
    NAME(keep_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::move_tail<HEAD_DIM, false>(p);
}

extern "C" __global__ void __launch_bounds__(sinkq::COPY_THREADS)
    NAME(publish_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::move_tail<HEAD_DIM, true>(p);
}

#define CODEC(bits, codec)                                                             \
  extern "C" __global__ void __launch_bounds__(sinkq::PACK_THREADS, 3)                 \
      NAME(pack_##codec##_d, HEAD_DIM)(const __grid_constant__ Params p) {             \
    sinkq::pack<bits, HEAD_DIM>(p);                                                    \
  }                                                                                    \
  extern "C" __global__ void __launch_bounds__(32)                                     \
      NAME(reopen_##codec##_d, HEAD_DIM)(const __grid_constant__ Params p) {           \
    sinkq::reopen<sinkq::RowReader<bits, HEAD_DIM>, HEAD_DIM>(p);                                                  \
  }

CODEC(2, q2)
CODEC(4, q4)
CODEC(16, f16)

extern "C" __global__ void __launch_bounds__(sinkq::PACK_THREADS)
    NAME(pack_q2a_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::pack_adaptive<HEAD_DIM>(p);
}

extern "C" __global__ void __launch_bounds__(32) NAME(reopen_q2a_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::reopen<sinkq::AdaptiveRowReader<HEAD_DIM>, HEAD_DIM>(p);
}

ATTEND_FEW(, false)
ATTEND_MANY(, false)
// Dense pages of any size share an entry.
ATTEND(f16_c4, sinkq::Attention<16, HEAD_DIM, 16, false, false>)
#if HEAD_DIM <= 128
ATTEND(f16_c8, sinkq::Attention<16, HEAD_DIM, 16, true, false>)
#endif

extern "C" __global__ void __launch_bounds__(sinkq::WARPS * 32)
    NAME(prefill_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::prefill<HEAD_DIM>(p);
}

// What the host has to agree with: sizes in bytes, by page size 32, 64, 128.
#define SIZES(bits)                                                                                     \
  sinkq::page_bytes(bits, HEAD_DIM, 32), sinkq::page_bytes(bits, HEAD_DIM, 64), sinkq::page_bytes(bits, HEAD_DIM, 128)

extern "C" __constant__ int NAME(layout_d, HEAD_DIM)[] = {
    SIZES(2), SIZES(4), SIZES(16), 2 * sinkq::dense_half(HEAD_DIM),
    sinkq::pack_shared(HEAD_DIM, 128),
    sinkq::attend_shared<2, HEAD_DIM, 32>(), sinkq::attend_shared<2, HEAD_DIM, 64>(),
    sinkq::attend_shared<2, HEAD_DIM, 128>(), sinkq::attend_shared<4, HEAD_DIM, 32>(),
    sinkq::attend_shared<4, HEAD_DIM, 64>(), sinkq::attend_shared<4, HEAD_DIM, 128>(),
    sinkq::attend_shared<16, HEAD_DIM, 16>(),
    sinkq::AdaptiveShape<HEAD_DIM>::PAGE_BYTES, sinkq::adaptive_pack_shared<HEAD_DIM>(),
    sinkq::attend_shared<sinkq::ADAPTIVE, HEAD_DIM, 128>(),
    sinkq::prefill_shared<HEAD_DIM>(), sinkq::PrefillShape<HEAD_DIM>::COLUMNS,
    sinkq::PrefillShape<HEAD_DIM>::PARTIAL * 4,
    sizeof(Params), offsetof(Params, q), offsetof(Params, sequence_table), offsetof(Params, soft_cap_log2), offsetof(Params, masses),
    sizeof(sinkq::Sequence), sizeof(sinkq::Item),
    sinkq::sink_head_bytes(35)};
