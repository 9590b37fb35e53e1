// The few instructions that CUDA C++ has no name for.
#pragma once
#include <cstdint>

namespace sinkq {

// Two floats rounded to fp16, the first in the lower half.
__device__ __forceinline__ uint32_t pack_halves(float low, float high) {
  uint32_t d;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(d) : "f"(high), "f"(low));
  return d;
}

// The larger ones of two pairs of fp16; +0 is larger than -0.
__device__ __forceinline__ uint32_t larger_halves(uint32_t a, uint32_t b) {
  uint32_t d;
  asm("max.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

// 2^x; relative error 2^-22, subnormal results are 0.
__device__ __forceinline__ float exp2_fast(float x) {
  float d;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(x));
  return d;
}

// D (16 x 8, fp32) += A (16 x 16, fp16) * B (16 x 8, fp16).
__device__ __forceinline__ void mma(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint32_t b0,
                                    uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// The same of bytes, unsigned ones in A, 16 x 32, and in B, 32 x 8; added up in integers.
__device__ __forceinline__ void mma_bytes(int (&d)[4], uint4 a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

// The same, those in B signed.
__device__ __forceinline__ void mma_signed_bytes(int (&d)[4], uint4 a, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

// Transposes an 8 x 8 matrix of fp16 across the warp: rows of an accumulator become columns of an operand.
__device__ __forceinline__ uint32_t transpose(uint32_t a) {
  uint32_t d;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(d) : "r"(a));
  return d;
}

// Reads shared memory now, even if it has been read before.
__device__ __forceinline__ uint4 read_again(const uint4* shared) {
  uint4 x;
  uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("ld.volatile.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "r"(from)
               : "memory");
  return x;
}

__device__ __forceinline__ uint2 read_again(const uint2* shared) {
  uint2 x;
  uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("ld.volatile.shared.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "r"(from) : "memory");
  return x;
}

// The float at a byte of `bytes`, counted from `from` in shared memory; `place` has a 4 where that byte is.
__device__ __forceinline__ float look_up(uint32_t from, uint32_t bytes, uint32_t place) {
  float x;
  asm("{ .reg .b32 at; dp4a.u32.u32 at, %1, %2, %3; ld.shared.f32 %0, [at]; }"
      : "=f"(x)
      : "r"(bytes), "r"(place), "r"(from));
  return x;
}

// For data that nobody reads a second time: it gives its place in L2 up first. What createpolicy.fractional.L2::evict_first
// is compiled to for every generation so far, as a constant: its own result would be moved to two uniform registers for
// each copy.
constexpr uint64_t EVICT_FIRST = 0x12F0000000000000;

__device__ __forceinline__ void copy16_async(void* shared, const void* global) {
  uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(global) : "memory");
}

// From `OFFSET` to `OFFSET`, which costs no addition.
template <int OFFSET>
__device__ __forceinline__ void copy16_async_once(void* shared, const void* global) {
  uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0+%2], [%1+%2], 16, %3;" ::"r"(to), "l"(global), "n"(OFFSET),
               "n"(EVICT_FIRST)
               : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most `PENDING` of this thread's groups are under way.
template <int PENDING>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Counts an arrival; what arrived before is visible to whoever sees the count.
__device__ __forceinline__ unsigned arrive(unsigned* counter) {
  unsigned old;
  asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], 1;" : "=r"(old) : "l"(counter) : "memory");
  return old;
}

}  // namespace sinkq
