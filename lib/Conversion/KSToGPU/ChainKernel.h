//===- ChainKernel.h - The kernel of a chain --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_CHAINKERNEL_H
#define KS_LIB_CONVERSION_KSTOGPU_CHAINKERNEL_H

#include "KSToGPU.h"

#include "mlir/IR/PatternMatch.h"

namespace ks {

/// Replaces a product of any number of factors by a launch of its kernel.
void lowerChainToGPU(mlir::RewriterBase &b, ProductOpInterface op,
                     GPUChainPlanAttr attr, KernelModule &kernels,
                     llvm::StringRef name);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_CHAINKERNEL_H
