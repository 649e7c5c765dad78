//===- Passes.h - Conversions of the KS dialect -----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_CONVERSION_PASSES_H
#define KS_CONVERSION_PASSES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace ks {

#define GEN_PASS_DECL
#include "ks/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "ks/Conversion/Passes.h.inc"

} // namespace ks

#endif // KS_CONVERSION_PASSES_H
