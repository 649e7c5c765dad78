//===- KSVerifiers.h - Parts of the verifiers of the KS ops -----*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_DIALECT_KS_IR_KSVERIFIERS_H
#define KS_LIB_DIALECT_KS_IR_KSVERIFIERS_H

#include "ks/Dialect/KS/IR/KS.h"

namespace ks::detail {

/// Writes `2x3x4x1`.
std::string shapeToString(llvm::ArrayRef<int64_t> shape);

/// C15 to C17 of ks.chain.
llvm::LogicalResult verifyEpilogue(ProductOpInterface op);

} // namespace ks::detail

#endif // KS_LIB_DIALECT_KS_IR_KSVERIFIERS_H
