//===- KS.h - The KS dialect in C++ -----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_DIALECT_KS_IR_KS_H
#define KS_DIALECT_KS_IR_KS_H

#include "ks/Analysis/GPUChain.h"
#include "ks/Analysis/GPUPlanner.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/MathExtras.h"

#include "ks/Dialect/KS/IR/KSDialect.h.inc"
#include "ks/Dialect/KS/IR/KSEnums.h.inc"

namespace ks {
// Names that code generated from MLIR's own interfaces uses unqualified.
using mlir::BaseMemRefType;
using mlir::OpOperand;
using mlir::TensorType;
using mlir::Value;

/// The type in which products of `elementType` are accumulated.
mlir::Type getAccumulatorType(mlir::Type elementType);
/// `type`, or the type of its parts if it is complex.
mlir::Type getRealType(mlir::Type type);

/// Of a function's argument: it does not change between packing and runs.
inline constexpr llvm::StringLiteral kFrozenAttr = "ks.frozen";

/// Of a product without a plan: it is a kernel, next to others that it is not
/// to be joined with; see ks-fuse-factors.
inline constexpr llvm::StringLiteral kKernelAttr = "ks.kernel";

/// Which axes of a weight of `pattern` are tied (have size 1 instead of the
/// pattern's). `shape` is a×b×c×d with 1 where tied.
Ties getTies(const KSPattern &pattern, llvm::ArrayRef<int64_t> shape);

/// Sizes of the plain matrices that a library reads, [i][j][n][k]: one for all
/// i or j that share it.
std::array<int64_t, 4> getPlainShape(const KSPattern &pattern, Ties tied);

/// Whether `type` is a real one that elements may have: f16, bf16, f32 or f64.
bool isRealElementType(mlir::Type type);

/// Whether an epilogue may hold `op` (C17).
bool isAllowedInEpilogue(mlir::Operation *op);

class ProductOpInterface;
/// What `op` asks for, without the IR. Ties of packed weights are those that
/// the plan's packing says.
Problem getProblem(ProductOpInterface op);

namespace detail {
// Shared by all destination-style ops of the dialect.
void getDestinationStyleEffects(
    mlir::DestinationStyleOpInterface op,
    llvm::SmallVectorImpl<mlir::MemoryEffects::EffectInstance> &effects);
llvm::LogicalResult reifyInitShape(mlir::DestinationStyleOpInterface op,
                                   mlir::OpBuilder &b,
                                   mlir::ReifiedRankedShapedTypeDims &dims);

// Shared by ks.matmul and ks.chain.
llvm::LogicalResult verifyProductOp(mlir::Operation *op);
/// What kernels for CPUs ask for: features in their natural order.
llvm::LogicalResult verifyNaturalOrder(mlir::Operation *op);
llvm::SmallVector<mlir::Range> getProductDomain(mlir::Operation *op,
                                                mlir::OpBuilder &b);
mlir::FailureOr<mlir::TilingResult>
tileProduct(mlir::Operation *op, mlir::OpBuilder &b,
            llvm::ArrayRef<mlir::OpFoldResult> offsets,
            llvm::ArrayRef<mlir::OpFoldResult> sizes);
llvm::LogicalResult
getProductTilePosition(mlir::Operation *op, mlir::OpBuilder &b,
                       llvm::ArrayRef<mlir::OpFoldResult> offsets,
                       llvm::ArrayRef<mlir::OpFoldResult> sizes,
                       llvm::SmallVector<mlir::OpFoldResult> &resultOffsets,
                       llvm::SmallVector<mlir::OpFoldResult> &resultSizes);
mlir::FailureOr<mlir::TilingResult>
tileProductForResult(mlir::Operation *op, mlir::OpBuilder &b,
                     llvm::ArrayRef<mlir::OpFoldResult> offsets,
                     llvm::ArrayRef<mlir::OpFoldResult> sizes);
void nameEpilogueArguments(mlir::Region &region,
                           mlir::OpAsmSetValueNameFn setName);
} // namespace detail
} // namespace ks

#include "ks/Dialect/KS/IR/KSAttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "ks/Dialect/KS/IR/KSAttrs.h.inc"

#include "ks/Dialect/KS/IR/KSOpInterfaces.h.inc"

#define GET_OP_CLASSES
#include "ks/Dialect/KS/IR/KSOps.h.inc"

#endif // KS_DIALECT_KS_IR_KS_H
