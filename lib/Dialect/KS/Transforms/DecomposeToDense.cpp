//===- DecomposeToDense.cpp - Chains as dense matrices --------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace ks {
#define GEN_PASS_DEF_DECOMPOSETODENSE
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

/// 0 or 1 of `type`.
static Value createScalar(OpBuilder &b, Location loc, Type type, double value) {
  FloatAttr real = b.getFloatAttr(getRealType(type), value);
  if (!isa<ComplexType>(type))
    return arith::ConstantOp::create(b, loc, real);
  Attribute zero = b.getZeroAttr(getRealType(type));
  return complex::ConstantOp::create(b, loc, type,
                                     b.getArrayAttr({real, zero}));
}

/// The identity matrix in `destination`, a tensor or memref.
static Value createIdentity(OpBuilder &b, Location loc, Value destination) {
  Type type = destination.getType();
  Type element = getElementTypeOrSelf(type);
  SmallVector<Type> resultTypes;
  if (isa<TensorType>(type))
    resultTypes.push_back(type);
  auto generic = linalg::GenericOp::create(
      b, loc, resultTypes, ValueRange(), destination,
      AffineMap::getMultiDimIdentityMap(2, b.getContext()),
      SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
      [&](OpBuilder &b, Location loc, ValueRange) {
        Value onDiagonal =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                  linalg::IndexOp::create(b, loc, 0),
                                  linalg::IndexOp::create(b, loc, 1));
        Value value = arith::SelectOp::create(b, loc, onDiagonal,
                                              createScalar(b, loc, element, 1),
                                              createScalar(b, loc, element, 0));
        linalg::YieldOp::create(b, loc, value);
      });
  return generic->getNumResults() ? generic->getResult(0) : destination;
}

namespace {

/// The dense matrix is K I: the chain applied to the identity, batch-last.
struct ApplyToIdentity : OpRewritePattern<ToDenseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ToDenseOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto init = cast<ShapedType>(op.getInit().getType());
    bool onTensors = isa<TensorType>(init);
    SmallVector<int64_t> shape(2, init.getDimSize(1));
    Type element = init.getElementType();
    Value memory =
        onTensors
            ? Value(tensor::EmptyOp::create(rewriter, loc, shape, element))
            : Value(memref::AllocOp::create(rewriter, loc,
                                            MemRefType::get(shape, element)));
    auto chain = ChainOp::create(
        rewriter, loc, op.getResultTypes(), op.getPatternsAttr(),
        createIdentity(rewriter, loc, memory), op.getWeights(),
        /*extras=*/ValueRange(), op.getInit(),
        LayoutAttr::get(getContext(), Layout::BatchLast),
        PrecisionAttr::get(getContext(), Precision::IEEE),
        /*fastmath=*/{}, /*loadAs=*/{}, /*plan=*/nullptr,
        /*epilogueRegionsCount=*/0);
    if (!onTensors)
      memref::DeallocOp::create(rewriter, loc, memory);
    rewriter.replaceOp(op, chain);
    return success();
  }
};

struct DecomposeToDensePass
    : ks::impl::DecomposeToDenseBase<DecomposeToDensePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateDecomposeToDensePatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void ks::populateDecomposeToDensePatterns(RewritePatternSet &patterns) {
  patterns.add<ApplyToIdentity>(patterns.getContext());
}
