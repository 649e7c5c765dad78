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
//   2.5 µs + max(bytes / bandwidth of DRAM, flops / (87 % of the peak)),
//
// where the peak is that of the unit it multiplies with: tensor cores for f16,
// bf16 and tf32, and FMAs for f32 and f64. On an H100 (f16, batches 1, 64, 4096
// and 25088, 384 to 16384 features) that is 0.9 to 1.2 times the time measured,
// but for weights that stay in L2 between launches (0.6 to 0.7), and for
// products of a wave or two of blocks, of which the last is not full (1.3
// to 1.5).
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_LIBRARYCOST_H
#define KS_ANALYSIS_LIBRARYCOST_H

#include "ks/Analysis/Problem.h"

#include <optional>
#include <string>

namespace ks {

struct GPUTarget;

/// Why a library cannot compute `problem`; "" if it can: one factor (1, N, M,
/// 1) of real numbers, and nothing behind it.
std::string checkLibraryProblem(const Problem &problem);

/// Seconds that the library of `target` takes for `problem`, whose batch is
/// known; none if it has no library, or that cannot compute it.
std::optional<double> predictLibrary(const Problem &problem,
                                     const GPUTarget &target);

} // namespace ks

#endif // KS_ANALYSIS_LIBRARYCOST_H
