// What layers need besides kernels.cu whose sinks go by attention mass: attend that gives masses itself, for codecs that
// have sinks, and mass, for steps in which it does not.
#include "adaptive_attend.cuh"
#include "attend.cuh"
#include "mass.cuh"
#include "names.cuh"

using sinkq::Params;

// attend_<codec>_g<page tokens>_c<columns>_masses_d<head dim>
#define ATTEND(name, ...)                                                            \
  extern "C" __global__ void __launch_bounds__(sinkq::WARPS * 32)                    \
      NAME(attend_##name##_masses_d, HEAD_DIM)(const __grid_constant__ Params p) {   \
    sinkq::attend<__VA_ARGS__>(p);                                                   \
  }

ATTEND(q2_g32_c4, sinkq::Attention<2, HEAD_DIM, 32, false, true>)
ATTEND(q2_g64_c4, sinkq::Attention<2, HEAD_DIM, 64, false, true>)
ATTEND(q2_g128_c4, sinkq::Attention<2, HEAD_DIM, 128, false, true>)
ATTEND(q4_g32_c4, sinkq::Attention<4, HEAD_DIM, 32, false, true>)
ATTEND(q4_g64_c4, sinkq::Attention<4, HEAD_DIM, 64, false, true>)
ATTEND(q4_g128_c4, sinkq::Attention<4, HEAD_DIM, 128, false, true>)
ATTEND(q2a_g128_c4, sinkq::AdaptiveAttention<HEAD_DIM, false, true>)
#if HEAD_DIM <= 128
ATTEND(q2_g128_c8, sinkq::Attention<2, HEAD_DIM, 128, true, true>)
ATTEND(q4_g128_c8, sinkq::Attention<4, HEAD_DIM, 128, true, true>)
ATTEND(q2a_g128_c8, sinkq::AdaptiveAttention<HEAD_DIM, true, true>)
#endif

extern "C" __global__ void __launch_bounds__(sinkq::MassShape<HEAD_DIM>::THREADS, 2)
    NAME(mass_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::add_masses<HEAD_DIM>(p);
}

// What the host has to agree with.
extern "C" __constant__ int NAME(masses_layout_d, HEAD_DIM)[] = {
    sinkq::MassShape<HEAD_DIM>::TOKENS, sinkq::MassShape<HEAD_DIM>::THREADS, sinkq::MOST_COLUMNS};
