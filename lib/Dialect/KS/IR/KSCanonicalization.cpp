//===- KSCanonicalization.cpp - KS canonicalizations ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Only rewrites that hold for everyone. What depends on cost belongs to
// ks-fuse-factors; what changes roundings needs permission.
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

namespace {

/// A product with an empty batch computes nothing: its result is its init.
template <typename OpTy> struct EraseEmptyBatch : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    auto product = cast<ProductOpInterface>(op.getOperation());
    if (product.getBatch() != 0)
      return rewriter.notifyMatchFailure(op, "batch is not statically 0");
    if (product.isOnTensors())
      rewriter.replaceOp(op, op.getInit());
    else
      rewriter.eraseOp(op);
    return success();
  }
};

/// chain [p] is matmul p.
struct OneFactorChainToMatmul : OpRewritePattern<ChainOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ChainOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPatterns().size() != 1)
      return rewriter.notifyMatchFailure(op, "more than one factor");
    auto matmul = MatmulOp::create(
        rewriter, op.getLoc(), op.getResultTypes(),
        cast<PatternAttr>(op.getPatterns()[0]), op.getInput(),
        op.getWeights().front(), op.getExtras(), op.getInit(),
        op.getLayoutAttr(), op.getPrecisionAttr(), op.getFastmathAttr(),
        op.getLoadAsAttr(), /*reads=*/{}, /*writes=*/{}, op.getPlanAttr(),
        op.getEpilogueRegions().size());
    if (Region *epilogue = op.getEpilogue())
      rewriter.inlineRegionBefore(*epilogue, *matmul.getEpilogue(),
                                  matmul.getEpilogue()->end());
    matmul->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, matmul);
    return success();
  }
};

/// chain [q...] (chain [p...] x) is chain [p..., q...] x, because each factor's
/// result is rounded anyway. A plan or an epilogue in between stays.
struct FlattenChain : OpRewritePattern<ChainOp> {
  using OpRewritePattern::OpRewritePattern;

  /// The batch of `value`, as a shape of rank 1.
  static ArrayRef<int64_t> getBatchShape(Value value, ProductOpInterface op) {
    return cast<ShapedType>(value.getType())
        .getShape()
        .slice(op.getBatchDim(), 1);
  }

  LogicalResult matchAndRewrite(ChainOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ChainOp>();
    if (!inner || !inner->hasOneUse())
      return rewriter.notifyMatchFailure(
          op, "input is not a chain with a single use");
    if (inner.getLayout() != op.getLayout() ||
        inner.getPrecision() != op.getPrecision() ||
        inner.getFastmath() != op.getFastmath())
      return rewriter.notifyMatchFailure(
          op, "layout, precision or fastmath differ");
    auto first = cast<ProductOpInterface>(*inner);
    if (op.getLoadAsAttr() ||
        first.getElementType() != first.getResultElementType())
      return rewriter.notifyMatchFailure(op, "what is in between is converted");
    if (inner.getEpilogue() || inner.getPlan() || op.getPlan() ||
        inner->hasAttr(kKernelAttr) || op->hasAttr(kKernelAttr))
      return rewriter.notifyMatchFailure(
          op, "an epilogue or a plan is there, or one is a kernel by itself");
    if (failed(verifyCompatibleShape(getBatchShape(inner.getInput(), op),
                                     getBatchShape(op.getInit(), op))))
      return rewriter.notifyMatchFailure(op, "batches differ");

    SmallVector<Attribute> patterns(inner.getPatterns().getValue());
    llvm::append_range(patterns, op.getPatterns());
    SmallVector<Value> weights(inner.getWeights());
    llvm::append_range(weights, op.getWeights());
    rewriter.modifyOpInPlace(op, [&] {
      op.setPatternsAttr(rewriter.getArrayAttr(patterns));
      op.getInputMutable().assign(inner.getInput());
      op.setLoadAsAttr(inner.getLoadAsAttr());
      op.getWeightsMutable().assign(weights);
    });
    rewriter.eraseOp(inner);
    return success();
  }
};

} // namespace

void MatmulOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                           MLIRContext *context) {
  results.add<EraseEmptyBatch<MatmulOp>>(context);
}

void ChainOp::getCanonicalizationPatterns(RewritePatternSet &results,
                                          MLIRContext *context) {
  results.add<EraseEmptyBatch<ChainOp>, OneFactorChainToMatmul, FlattenChain>(
      context);
}
