// What layers need besides kernels.cu whose sinks go by attention mass: attend that gives masses itself, for codecs that
// have sinks, and mass, for steps in which it does not.
#include "attend_entries.cuh"
#include "mass.cuh"
#include "names.cuh"

using sinkq::Params;

ATTEND_FEW(_masses, true)
ATTEND_MANY(_masses, true)

extern "C" __global__ void __launch_bounds__(sinkq::MassShape<HEAD_DIM>::THREADS, 2)
    NAME(mass_d, HEAD_DIM)(const __grid_constant__ Params p) {
  sinkq::add_masses<HEAD_DIM>(p);
}

// What the host has to agree with.
extern "C" __constant__ int NAME(masses_layout_d, HEAD_DIM)[] = {
    sinkq::MassShape<HEAD_DIM>::TOKENS, sinkq::MassShape<HEAD_DIM>::THREADS, sinkq::MOST_COLUMNS};
