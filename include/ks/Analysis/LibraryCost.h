//===- LibraryCost.h - Dense products by a library --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a vendor's library would take for a dense product. cublasLt on a GPU:
//
//   launch + max(bytes / bandwidth, flops / (87 % of the peak)),
//
// where the peak is that of the unit it multiplies with: tensor cores for f16,
// bf16 and tf32, and FMAs for f32 and f64. Small batches find weights and
// activations in L2, as those of our own kernels are predicted to: then the
// launch is 2.3 µs and the bandwidth 70 % of L2's (2.6 µs and half of that for
// less than 16 entries), else 5 µs and that of DRAM. A product of few tiles of
// 64x64 has a few SMs and what those can take. Rows that tensor cores cannot be
// fed by, of other than multiples of 16 bytes, take 7 times as long. On an H100
// (f16, batches 1, 64, 4096 and 25088, 384 to 16384 features) this is 0.8
// to 1.2 times what cuBLAS was measured to take.
//
// A BLAS on a CPU, in the scale of predictCPU, takes
//
//   1.25 · (5 µs + max(bytes / bandwidth of memory, flops / (95 % of the
//   peak))).
//
// It was compared with our kernels on one core of a Xeon with AVX-512 and 2 MiB
// of L2 (OpenBLAS 0.3.21 by its kernels for SkylakeX, f32 and f64, 128 to 4096
// features, batches 64 to 4096). Mostly there is little to gain: our kernel
// took 0.7 to 1.3 times as long. But two things cost more than the planner
// predicts, which does not model them:
//
//  * Batch-last, the input is read again for each panel of weights. Where it
//    does not fit L2 and its rows are a multiple of 2 KiB apart, so that few
//    sets of a cache hold them, that took 2.2 to 5.5 times as long as
//    predicted.
//  * Batch-first, so are weights for each block of the batch. From 16 times L2
//    on that took 1.5 to 2 times as long.
//
// The BLAS took the time above (without the factor) in all of these, within a
// fifth. So our kernel is priced kBeyondL2 times as predicted.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_LIBRARYCOST_H
#define KS_ANALYSIS_LIBRARYCOST_H

#include "ks/Analysis/Problem.h"

#include <optional>
#include <string>

namespace ks {

struct CPUTarget;
struct GPUTarget;

/// See above: for what the model of a BLAS does not know. Our own kernel
/// depends on nothing that may be missing, and gives way only where it is
/// clearly slower.
constexpr double kBlasMargin = 1.25;

/// Why a library cannot compute `problem`; "" if it can: one factor (1, N, M,
/// 1) of real numbers, and nothing behind it.
std::string checkLibraryProblem(const Problem &problem);

/// The same of a BLAS, which also needs f32 or f64 and sizes of 32 bits. It
/// does not see whether input and result have the element type.
std::string checkBlasProblem(const Problem &problem);

/// Seconds that the library of `target` takes for `problem`, whose batch is
/// known; none if it has no library, or that cannot compute it.
std::optional<double> predictLibrary(const Problem &problem,
                                     const GPUTarget &target);
std::optional<double> predictLibrary(const Problem &problem,
                                     const CPUTarget &target);

/// See above.
constexpr double kBeyondL2 = 1.5;

/// How many times as long as the planner predicts our own kernel takes for a
/// factor, of a problem whose batch is known; 1 if it is not dense.
double getSlowdown(const Problem &problem, unsigned factor,
                   const CPUTarget &target);

} // namespace ks

#endif // KS_ANALYSIS_LIBRARYCOST_H
