//===- Passes.h - Transformations of KS products ----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_TRANSFORMS_PASSES_H
#define KS_DIALECT_KS_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace ks {

#define GEN_PASS_DECL
#include "ks/Dialect/KS/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "ks/Dialect/KS/Transforms/Passes.h.inc"

} // namespace ks

#endif // KS_DIALECT_KS_TRANSFORMS_PASSES_H
