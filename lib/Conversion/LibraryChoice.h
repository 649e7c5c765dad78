//===- LibraryChoice.h - With a library or without --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What conversions for GPUs and for CPUs make of a #ks.library_plan alike.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_LIBRARYCHOICE_H
#define KS_LIB_CONVERSION_LIBRARYCHOICE_H

#include "ks/Dialect/KS/IR/KS.h"

namespace mlir {
class RewriterBase;
} // namespace mlir

namespace ks {

/// A ks.with_library in front of `op`, with two empty regions.
WithLibraryOp createWithLibrary(mlir::RewriterBase &b, mlir::Operation *op,
                                Library library);

/// Puts `op` where no library is there, with the plan of the kernel, next to
/// the library's product.
void moveToLibraryChoice(mlir::RewriterBase &b, ProductOpInterface op,
                         LibraryPlanAttr plan);

/// Puts `op`, whose packing is a #ks.library_packing, where no library is
/// there, with the packing of the kernel.
void moveToOtherwise(WithLibraryOp choice, PackWeightsOp op);

} // namespace ks

#endif // KS_LIB_CONVERSION_LIBRARYCHOICE_H
