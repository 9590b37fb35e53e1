// Reading and writing the caller's tensors, whatever their element type.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include "params.cuh"
#include "ptx.cuh"

namespace sinkq {

// An element as it lies in memory, for loads that are not to be waited for yet.
template <DType TYPE>
__device__ __forceinline__ uint32_t load_bits(const uint8_t* data, int64_t index) {
  if constexpr (TYPE == F32) return reinterpret_cast<const uint32_t*>(data)[index];
  return reinterpret_cast<const uint16_t*>(data)[index];
}

template <DType TYPE>
__device__ __forceinline__ float of_bits(uint32_t bits) {
  if constexpr (TYPE == F32) return __uint_as_float(bits);
  if constexpr (TYPE == F16) return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
  return __uint_as_float(bits << 16);
}

template <DType TYPE>
__device__ __forceinline__ float load(const uint8_t* data, int64_t index) {
  return of_bits<TYPE>(load_bits<TYPE>(data, index));
}

// Likewise for any type.
__device__ __forceinline__ float of_bits(const Tensor& x, uint32_t bits) {
  return x.dtype == F32 ? of_bits<F32>(bits) : x.dtype == F16 ? of_bits<F16>(bits) : of_bits<BF16>(bits);
}

// Rounded to bf16, in the lower half.
__device__ __forceinline__ uint32_t bf16_bits(float value) {
  uint32_t bits = __float_as_uint(value);
  return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
}

__device__ __forceinline__ void store(const Tensor& x, int64_t index, float value) {
  switch (x.dtype) {
    case F32:
      reinterpret_cast<float*>(x.data)[index] = value;
      break;
    case F16:
      reinterpret_cast<__half*>(x.data)[index] = __float2half_rn(value);
      break;
    default:
      reinterpret_cast<uint16_t*>(x.data)[index] = static_cast<uint16_t>(bf16_bits(value));
  }
}

// A power of two just beyond the largest of some numbers, by that one's exponent bits. Both it and its inverse are normal.
struct PowerAbove {
  int exponent;

  explicit __device__ __forceinline__ PowerAbove(float largest)
      : exponent(min(max(static_cast<int>(__float_as_uint(largest) >> 23), 1), 252)) {}

  static __device__ __forceinline__ PowerAbove one() { return PowerAbove(0.5f); }

  __device__ __forceinline__ float value() const { return __uint_as_float((exponent + 1) << 23); }
  __device__ __forceinline__ float inverse() const { return __uint_as_float((253 - exponent) << 23); }
};

// Two elements of a type of 16 bits.
__device__ __forceinline__ uint32_t pair_bits(const Tensor& x, float first, float second) {
  return x.dtype == F16 ? pack_halves(first, second) : bf16_bits(first) | bf16_bits(second) << 16;
}

// Two neighbouring elements of a type of 16 bits, the first at a multiple of 4 bytes.
__device__ __forceinline__ void store_pair(const Tensor& x, int64_t index, float first, float second) {
  *reinterpret_cast<uint32_t*>(x.data + 2 * index) = pair_bits(x, first, second);
}

// Four neighbouring elements.
__device__ __forceinline__ void store_four(const Tensor& x, int64_t index, float4 v) {
  uint8_t* at = x.data + index * (x.dtype == F32 ? 4 : 2);
  if (x.dtype != F32 && (reinterpret_cast<uintptr_t>(at) & 3) == 0) {
    store_pair(x, index, v.x, v.y);
    store_pair(x, index + 2, v.z, v.w);
  } else if (x.dtype == F32 && (reinterpret_cast<uintptr_t>(at) & 15) == 0) {
    *reinterpret_cast<float4*>(at) = v;
  } else {
    store(x, index, v.x);
    store(x, index + 1, v.y);
    store(x, index + 2, v.z);
    store(x, index + 3, v.w);
  }
}

}  // namespace sinkq
