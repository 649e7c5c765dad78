//===- KSToLinalg.h - Parts of convert-ks-to-linalg -------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOLINALG_KSTOLINALG_H
#define KS_LIB_CONVERSION_KSTOLINALG_KSTOLINALG_H

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/PatternMatch.h"

namespace ks {

/// Replaces `op`, on tensors or memrefs, by linalg ops. On CPUs that is also
/// how it runs.
void lowerMergeWeightsToLinalg(mlir::RewriterBase &b, MergeWeightsOp op);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOLINALG_KSTOLINALG_H
