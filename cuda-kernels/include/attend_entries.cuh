// The entries of attend over pages of codes, one list for the kernels of all layers and those that give attention masses.
#pragma once
#include "adaptive_attend.cuh"
#include "attend.cuh"
#include "names.cuh"

#define ATTEND(name, ...)                                                           \
  extern "C" __global__ void __launch_bounds__(sinkq::WARPS * 32)                   \
      NAME(attend_##name##_d, HEAD_DIM)(const __grid_constant__ sinkq::Params p) {  \
    sinkq::attend<__VA_ARGS__>(p);                                                  \
  }

// attend_<codec>_g<page tokens>_c<columns><suffix>_d<head dim>
#define ATTEND_FEW(suffix, masses)                                                    \
  ATTEND(q2_g32_c4##suffix, sinkq::Attention<2, HEAD_DIM, 32, false, masses>)         \
  ATTEND(q2_g64_c4##suffix, sinkq::Attention<2, HEAD_DIM, 64, false, masses>)         \
  ATTEND(q2_g128_c4##suffix, sinkq::Attention<2, HEAD_DIM, 128, false, masses>)       \
  ATTEND(q4_g32_c4##suffix, sinkq::Attention<4, HEAD_DIM, 32, false, masses>)         \
  ATTEND(q4_g64_c4##suffix, sinkq::Attention<4, HEAD_DIM, 64, false, masses>)         \
  ATTEND(q4_g128_c4##suffix, sinkq::Attention<4, HEAD_DIM, 128, false, masses>)       \
  ATTEND(q2a_g128_c4##suffix, sinkq::AdaptiveAttention<HEAD_DIM, false, masses>)

#if HEAD_DIM <= 128
#define ATTEND_MANY(suffix, masses)                                                   \
  ATTEND(q2_g128_c8##suffix, sinkq::Attention<2, HEAD_DIM, 128, true, masses>)        \
  ATTEND(q4_g128_c8##suffix, sinkq::Attention<4, HEAD_DIM, 128, true, masses>)        \
  ATTEND(q2a_g128_c8##suffix, sinkq::AdaptiveAttention<HEAD_DIM, true, masses>)
#else
#define ATTEND_MANY(suffix, masses)
#endif
