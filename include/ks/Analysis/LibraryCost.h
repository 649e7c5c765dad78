//===- LibraryCost.h - Products by a library --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a vendor's library would take for a factor whose matrices it can read
// where they lie. For a dense one, (1, N, M, 1), cublasLt on a GPU takes
//
//   launch + max(bytes / bandwidth, flops / (87 % of the peak)),
//
// where the peak is that of the unit it multiplies with: tensor cores for f16,
// bf16 and tf32, and FMAs for f32 and f64. Small batches find weights and
// activations in L2, as those of our own kernels are predicted to: then the
// launch is 2.3 µs and the bandwidth 70 % of L2's (2.6 µs and 65 % of it for
// less than 16 entries), else 5 µs and that of DRAM. A product of few tiles of
// 64x64 has a few SMs and what those can take. Rows that tensor cores cannot be
// fed by, of other than multiples of 16 bytes, take 7 times as long. On an H100
// (f16, batches 1, 64, 4096 and 25088, 384 to 16384 features) this is 0.8
// to 1.2 times what cuBLAS was measured to take.
//
// Other factors are products of blocks, batch-last
//
//   Y_ij [b, batch] = K_ij [b, c] X_ij [c, batch]   for i < a, j < d.
//
// Rows of X_ij are d rows of X apart, and X_i,j+1 begins one row behind X_ij:
// so the d products of a group are one call (a strided batch), and so are the a
// products of a column. The longer axis is the batch, and there is a call for
// each step along the other one. Batch-first the library reads whole groups,
// but no columns of them: with d = 1 there is one call for all. This takes
//
//   calls · launch + ∛(moving³ + multiplying³),
//
// as the two overlap but in part. Results cost more to move than inputs and
// weights. In f32, FMAs for 64 rows n at a time begin with what takes as long
// as 32 of k. The numbers are fitted to the 35 such factors of
// docs/gpu_factors.csv that are batch-last, of 25088 entries, on an H100, by
// cuBLAS with pointers to all blocks in one call: 0.95 to 1.06 times what that
// was measured to take in f16 and bf16, 0.83 to 1.05 in f32, 0.63 to 1.00 in
// tf32. Whether this or our own kernel's prediction is less was right for 29 of
// them in f16, 31 in bf16, 34 in f32 and 31 in tf32, and the others lose 6 % at
// most, 0.5 % of the time of all. Nobody has measured many calls, nor f64:
// these are not predicted, nor are blocks of less than 128 batch-first, which
// share lines with their neighbours. Batch-first there is one pattern, (4,
// 1792, 448, 1) in f16, of which this is 0.98 to 1.00: so it is priced 1.1
// times as high, for all that is not known.
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

/// The same of cublasLt's products of blocks batch-first.
constexpr double kBlocksMargin = 1.1;

/// Why cublasLt cannot compute `problem`; "" if it can: one factor of real
/// numbers, with d = 1 if it is batch-first, and nothing behind it.
std::string checkLibraryProblem(const Problem &problem);

/// The same of a BLAS, which also needs a dense factor, (1, N, M, 1), f32 or
/// f64, and sizes of 32 bits. It does not see whether input and result have the
/// element type.
std::string checkBlasProblem(const Problem &problem);

/// How often cublasLt is called for a factor: each call is a batch of products.
int64_t getLibraryCalls(const KSPattern &pattern);

/// More calls than so many are not predicted, and so not chosen.
constexpr int64_t kMaxLibraryCalls = 8;

/// Seconds that the library of `target` takes for `problem`, whose batch is
/// known; none if it has no library, or that cannot compute it, or nobody knows
/// how fast.
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

/// The same on a GPU, for the one factor of `problem`: of a dense product of
/// few entries, where cublasLt was compared with on an H100 (384 to 1536, 768
/// to 3072 and 1024 to 4096 features, batch 1: 1.2 to 1.7).
double getSlowdown(const Problem &problem);

} // namespace ks

#endif // KS_ANALYSIS_LIBRARYCOST_H
