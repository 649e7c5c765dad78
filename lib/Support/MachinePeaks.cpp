//===- MachinePeaks.cpp - What this CPU can do at most ----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Support/MachinePeaks.h"

#include "ks/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#endif

using Clock = std::chrono::steady_clock;

/// Calls `run` at least three times, and until `budget` seconds have passed;
/// returns the least number of seconds that a call took.
template <typename Function>
static double getBestTime(double budget, Function run) {
  using Seconds = std::chrono::duration<double>;
  double best = 1e30;
  Clock::time_point start = Clock::now(), before = start, after = start;
  for (int i = 0; i < 3 || Seconds(after - start).count() < budget; ++i) {
    before = Clock::now();
    run();
    after = Clock::now();
    best = std::min(best, Seconds(after - before).count());
  }
  return std::max(best, 1e-9);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static constexpr size_t copyBytes = size_t(256) << 20;
/// A thread takes several adjacent blocks at a time.
static constexpr size_t blockBytes = size_t(256) << 10;
static constexpr size_t hugePageBytes = size_t(2) << 20;

namespace {
struct Free {
  void operator()(char *pointer) const { std::free(pointer); }
};
using Buffer = std::unique_ptr<char, Free>;

struct Copy {
  char *target;
  const char *source;
};
} // namespace

static Buffer allocateBuffer() {
  Buffer buffer(
      static_cast<char *>(std::aligned_alloc(hugePageBytes, copyBytes)));
#ifdef __linux__
  // Fewer page faults and TLB misses; it does not matter if it is refused.
  if (buffer)
    madvise(buffer.get(), copyBytes, MADV_HUGEPAGE);
#endif
  return buffer;
}

/// Through the caches. Large copies of the C library may bypass them too.
static void copyBlocks(void *context, int64_t begin, int64_t end) {
  Copy copy = *static_cast<Copy *>(context);
  std::memcpy(copy.target + begin * blockBytes,
              copy.source + begin * blockBytes, (end - begin) * blockBytes);
}

#ifdef __x86_64__
/// Without reading the target's cache lines first.
static void streamBlocks(void *context, int64_t begin, int64_t end) {
  Copy copy = *static_cast<Copy *>(context);
  auto *target = reinterpret_cast<__m128i *>(copy.target + begin * blockBytes);
  auto *source =
      reinterpret_cast<const __m128i *>(copy.source + begin * blockBytes);
  auto *last =
      reinterpret_cast<const __m128i *>(copy.source + end * blockBytes);
  for (; source != last; source += 4, target += 4) {
    __m128i v0 = _mm_load_si128(source + 0);
    __m128i v1 = _mm_load_si128(source + 1);
    __m128i v2 = _mm_load_si128(source + 2);
    __m128i v3 = _mm_load_si128(source + 3);
    _mm_stream_si128(target + 0, v0);
    _mm_stream_si128(target + 1, v1);
    _mm_stream_si128(target + 2, v2);
    _mm_stream_si128(target + 3, v3);
  }
  _mm_sfence();
}
#endif

double ks::measureCopyBandwidth() {
  Buffer source = allocateBuffer(), target = allocateBuffer();
  if (!source || !target)
    return 0;
  Copy copy = {target.get(), source.get()};
  constexpr int64_t numBlocks = copyBytes / blockBytes;
  // Touch the pages from all threads: the system places them near the first
  // to write, and a page that was only read is no memory at all.
  auto touch = [](void *context, int64_t begin, int64_t end) {
    auto *copy = static_cast<Copy *>(context);
    std::memset(const_cast<char *>(copy->source) + begin * blockBytes, 1,
                (end - begin) * blockBytes);
    std::memset(copy->target + begin * blockBytes, 2,
                (end - begin) * blockBytes);
  };
  ksParallelFor(numBlocks, touch, &copy);
  double seconds =
      getBestTime(0.1, [&] { ksParallelFor(numBlocks, copyBlocks, &copy); });
#ifdef __x86_64__
  seconds = std::min(seconds, getBestTime(0.1, [&] {
                       ksParallelFor(numBlocks, streamBlocks, &copy);
                     }));
#endif
  return 2.0 * copyBytes / seconds;
}

//===----------------------------------------------------------------------===//
// Fused multiply-adds
//===----------------------------------------------------------------------===//

namespace {
/// Computes x = x + a * b on numChains vectors x, `steps` times; returns a
/// number that depends on all of them.
template <typename T> using FmaKernel = T (*)(int64_t steps, T a, T b);
} // namespace

// Chains per kernel. Hiding a latency of 4 or 5 cycles on two ports takes 8 or
// 10, and 12 with their two factors fit in 16 registers. Arm cores have up to
// four ports, and 32 registers.
#define KS_FOR_12_CHAINS(F)                                                    \
  F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
#ifdef __x86_64__
static constexpr int numChains = 12;
#define KS_FOR_CHAINS KS_FOR_12_CHAINS
#else
static constexpr int numChains = 20;
#define KS_FOR_CHAINS(F)                                                       \
  KS_FOR_12_CHAINS(F)                                                          \
  F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19)
#endif

// A macro, because GCC splits the vectors of a template for the template's own
// target before it inlines it into a function with a larger one; named
// variables, because arrays may stay in memory. The chains start apart, or the
// compiler could see that they are one.
#define KS_CHAIN_START(I) Vector x##I = Vector{} + (a + b * (I));
#define KS_CHAIN_STEP(I) x##I = KS_FMA(x##I, va, vb);
#define KS_CHAIN_SUM(I) sum += x##I;
#define KS_FMA_KERNEL(NAME, TARGET, TYPE, VECTOR)                              \
  TARGET static TYPE NAME(int64_t steps, TYPE a, TYPE b) {                     \
    typedef VECTOR Vector;                                                     \
    Vector va = Vector{} + a, vb = Vector{} + b, sum = {};                     \
    KS_FOR_CHAINS(KS_CHAIN_START)                                              \
    for (int64_t i = 0; i < steps; ++i) {                                      \
      KS_FOR_CHAINS(KS_CHAIN_STEP)                                             \
    }                                                                          \
    KS_FOR_CHAINS(KS_CHAIN_SUM)                                                \
    return sum[0];                                                             \
  }

#if defined(__x86_64__)
#define KS_AVX512 __attribute__((target("avx512f")))
#define KS_AVX2 __attribute__((target("avx2,fma")))
#define KS_FMA(X, A, B) _mm512_fmadd_ps(A, B, X)
KS_FMA_KERNEL(runAvx512F32, KS_AVX512, float, __m512)
#undef KS_FMA
#define KS_FMA(X, A, B) _mm512_fmadd_pd(A, B, X)
KS_FMA_KERNEL(runAvx512F64, KS_AVX512, double, __m512d)
#undef KS_FMA
#define KS_FMA(X, A, B) _mm256_fmadd_ps(A, B, X)
KS_FMA_KERNEL(runAvx2F32, KS_AVX2, float, __m256)
#undef KS_FMA
#define KS_FMA(X, A, B) _mm256_fmadd_pd(A, B, X)
KS_FMA_KERNEL(runAvx2F64, KS_AVX2, double, __m256d)
#undef KS_FMA
#endif

// The baseline: any CPU of the architecture.
#ifdef __aarch64__
#define KS_FMA(X, A, B) vfmaq_f32(X, A, B)
KS_FMA_KERNEL(runBaselineF32, , float, float32x4_t)
#undef KS_FMA
#define KS_FMA(X, A, B) vfmaq_f64(X, A, B)
KS_FMA_KERNEL(runBaselineF64, , double, float64x2_t)
#undef KS_FMA
#else
// A multiplication and an addition, fused if the compiler may. The chain runs
// through both, or the product would move out of the loop; with factors of 1/2
// the values approach 1.
using VectorF32 = float __attribute__((vector_size(16)));
using VectorF64 = double __attribute__((vector_size(16)));
#define KS_FMA(X, A, B) ((X) * (A) + (B))
KS_FMA_KERNEL(runBaselineF32, , float, VectorF32)
KS_FMA_KERNEL(runBaselineF64, , double, VectorF64)
#undef KS_FMA
#endif

template <typename T>
static double measureKernel(FmaKernel<T> kernel, int vectorBytes) {
  struct Context {
    FmaKernel<T> kernel;
    std::atomic<T> sum;
  } context = {kernel, T(0)};
  // Tasks of about 0.2 ms, several per thread: a thread that wakes late takes
  // fewer of them.
  constexpr int64_t steps = 40000;
  int64_t tasks = int64_t(8) * ksGetNumThreads();
  auto run = [](void *pointer, int64_t begin, int64_t end) {
    auto *context = static_cast<Context *>(pointer);
    for (; begin != end; ++begin)
      context->sum = context->kernel(steps, T(0.5), T(0.5));
  };
  double seconds =
      getBestTime(0.15, [&] { ksParallelFor(tasks, run, &context); });
  double lanes = double(vectorBytes) / sizeof(T);
  return 2.0 * numChains * lanes * steps * tasks / seconds;
}

double ks::measureFmaPeak(bool f64) {
#ifdef __x86_64__
  // These ask the operating system too, which must save the registers.
  if (__builtin_cpu_supports("avx512f"))
    return f64 ? measureKernel(runAvx512F64, 64)
               : measureKernel(runAvx512F32, 64);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return f64 ? measureKernel(runAvx2F64, 32) : measureKernel(runAvx2F32, 32);
#endif
  return f64 ? measureKernel(runBaselineF64, 16)
             : measureKernel(runBaselineF32, 16);
}
