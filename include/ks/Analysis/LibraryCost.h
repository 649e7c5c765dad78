//===- LibraryCost.h - Dense products by a library --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a vendor's library (cublasLt) would take for a dense product,
//
//   1.25 · (2.5 µs + max(bytes / bandwidth of DRAM, flops / (87 % of the
//   peak))),
//
// where the peak is that of the unit it multiplies with: tensor cores for f16,
// bf16 and tf32, and FMAs for f32 and f64. On an H100 (f16, batches 1, 64, 4096
// and 25088, 384 to 16384 features) what is in the brackets is mostly 0.8
// to 1.2 times what cuBLAS was measured to take; more (up to 1.4) where weights
// stay in L2 between launches, and less (0.6 to 0.8) for products of a wave or
// two of blocks, of which the last is not full.
//
// The factor in front, kLibraryMargin, is for what the model does not know: our
// own kernel depends on nothing that may be missing, and gives way only where
// the library is clearly faster.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_LIBRARYCOST_H
#define KS_ANALYSIS_LIBRARYCOST_H

#include "ks/Analysis/Problem.h"

#include <optional>
#include <string>

namespace ks {

struct GPUTarget;

/// See above.
constexpr double kLibraryMargin = 1.25;

/// Why a library cannot compute `problem`; "" if it can: one factor (1, N, M,
/// 1) of real numbers, and nothing behind it.
std::string checkLibraryProblem(const Problem &problem);

/// Seconds that the library of `target` takes for `problem`, whose batch is
/// known; none if it has no library, or that cannot compute it.
std::optional<double> predictLibrary(const Problem &problem,
                                     const GPUTarget &target);

} // namespace ks

#endif // KS_ANALYSIS_LIBRARYCOST_H
