//===- PipelineSupport.h - What pipelines share -----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_PIPELINES_PIPELINESUPPORT_H
#define KS_LIB_PIPELINES_PIPELINESUPPORT_H

#include "ks/Pipelines/Pipelines.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace ks {

/// Canonicalization and elimination of common subexpressions.
void addCleanUp(mlir::OpPassManager &pm);

/// Results of functions in memory that their callers provide.
void addResultsInPlace(mlir::OpPassManager &pm);

/// Calls the stages that lead from rung `from` to rung `to`; stage s makes
/// rung s + 1, or is null where a pipeline has nothing to do for it.
void addStages(mlir::OpPassManager &pm, Rung from, Rung to,
               llvm::ArrayRef<llvm::function_ref<void()>> stages);

} // namespace ks

#endif // KS_LIB_PIPELINES_PIPELINESUPPORT_H
