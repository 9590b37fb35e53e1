// The kernels of a forward pass, for every shape, under stable names. One parameter each, a struct by value.
#include "forward.cuh"

#define FORWARD(name, type, threads)                                                                              \
  extern "C" __global__ void __launch_bounds__(threads) forward_##name(const __grid_constant__ sinkq::type p) {   \
    sinkq::name(p);                                                                                               \
  }

FORWARD(embed, Embed, sinkq::FORWARD_THREADS)
FORWARD(norm, Norm, sinkq::NORM_THREADS)
FORWARD(turn, Turn, sinkq::TURN_THREADS)
FORWARD(gate, Gate, sinkq::FORWARD_THREADS)
FORWARD(add_bias, Bias, sinkq::FORWARD_THREADS)
FORWARD(choose, Choose, sinkq::CHOOSE_THREADS)
FORWARD(randomize, Randomize, sinkq::FORWARD_THREADS)
