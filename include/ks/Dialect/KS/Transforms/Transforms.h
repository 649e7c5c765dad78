//===- Transforms.h - Transformations of KS products ------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_TRANSFORMS_TRANSFORMS_H
#define KS_DIALECT_KS_TRANSFORMS_TRANSFORMS_H

#include "ks/Analysis/CPUPlanner.h"
#include "ks/Analysis/GPUPlanner.h"
#include "ks/Analysis/LibraryCost.h"
#include "ks/Analysis/Problem.h"
#include "ks/Dialect/KS/IR/KS.h"

namespace mlir {
class RewriterBase;
class RewritePatternSet;
} // namespace mlir

namespace ks {

/// Of a function: how its chains shall run; see ks-fuse-factors.
inline constexpr llvm::StringLiteral kKernelsAttr = "ks.kernels";

/// Of a function: the plans of its products for other batches, in order; see
/// ks-select-plan.
inline constexpr llvm::StringLiteral kMainPlansAttr = "ks.main_plans";

/// The attribute that states `plan` for `op`.
GPUPlanAttr getPlanAttr(ProductOpInterface op, const GPUPlan &plan);
GPUChainPlanAttr getPlanAttr(ProductOpInterface op, const GPUChainPlan &plan);
CPUPlanAttr getPlanAttr(ProductOpInterface op, const CPUPlan &plan);

/// The plan that has cublasLt or, on a CPU, a BLAS compute `op`, or the kernel
/// of `fallback`.
LibraryPlanAttr getLibraryPlanAttr(ProductOpInterface op,
                                   const GPUPlan &fallback);
LibraryPlanAttr getLibraryPlanAttr(ProductOpInterface op,
                                   const CPUPlan &fallback);

/// Seconds that the library of `target` takes for `op`; none if there is none,
/// or if it cannot compute it: products with an epilogue, for example, or with
/// constant weights, which are packed before it is known whether it is there.
std::optional<double> predictLibrary(ProductOpInterface op,
                                     const Problem &problem,
                                     const GPUTarget &target);
std::optional<double> predictLibrary(ProductOpInterface op,
                                     const Problem &problem,
                                     const CPUTarget &target);

/// Rewrites ks.to_dense as a chain applied to the identity.
void populateDecomposeToDensePatterns(mlir::RewritePatternSet &patterns);

/// Memory for `features` of each entry of the batch of `op`.
mlir::Value createIntermediate(mlir::OpBuilder &b, ProductOpInterface op,
                               int64_t features);

/// `value`, a real number or a vector of them, as `type`: rounded if that is
/// narrower.
mlir::Value createRounded(mlir::OpBuilder &b, mlir::Location loc,
                          mlir::Value value, mlir::Type type);

/// Moves the epilogue of `from` to `to`, which has an empty one if `from` has.
void moveEpilogue(mlir::RewriterBase &b, ProductOpInterface from,
                  ProductOpInterface to);

/// The weight that `op` makes, if both of its operands are constants; null
/// otherwise.
mlir::DenseElementsAttr mergeConstants(MergeWeightsOp op);

/// The values of `weight` of `pattern`, in the order of `packing`.
mlir::DenseElementsAttr packConstant(mlir::DenseElementsAttr weight,
                                     const KSPattern &pattern,
                                     PackingAttrInterface packing);

/// The values of a constant, be they in the IR or in a resource; null if they
/// are not known.
mlir::DenseElementsAttr getDenseElements(mlir::Attribute attribute);

} // namespace ks

#endif // KS_DIALECT_KS_TRANSFORMS_TRANSFORMS_H
