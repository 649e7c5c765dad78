//===- SplitChains.cpp - Chains as one product per factor -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace ks {
#define GEN_PASS_DEF_SPLITCHAINS
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

/// Memory for `features` of each entry of the batch of `op`.
static Value createIntermediate(RewriterBase &b, ChainOp op, int64_t features) {
  Location loc = op.getLoc();
  auto product = cast<ProductOpInterface>(op.getOperation());
  int64_t batchDim = product.getBatchDim();
  SmallVector<int64_t> shape(2, features);
  shape[batchDim] = product.getBatch();
  SmallVector<Value> dynamic;
  if (product.isOnTensors()) {
    if (ShapedType::isDynamic(shape[batchDim]))
      dynamic.push_back(tensor::DimOp::create(b, loc, op.getInit(), batchDim));
    return tensor::EmptyOp::create(b, loc, shape, product.getElementType(),
                                   dynamic);
  }
  if (ShapedType::isDynamic(shape[batchDim]))
    dynamic.push_back(memref::DimOp::create(b, loc, op.getInit(), batchDim));
  return memref::AllocOp::create(
      b, loc, MemRefType::get(shape, product.getElementType()), dynamic);
}

static void splitChain(RewriterBase &b, ChainOp op) {
  b.setInsertionPoint(op);
  Location loc = op.getLoc();
  SmallVector<KSPattern> patterns = op.getPatternList();
  bool isOnTensors = op->getNumResults() != 0;
  Value source = op.getInput();
  SmallVector<Value> buffers;
  for (auto [t, pattern, weight] : llvm::enumerate(patterns, op.getWeights())) {
    bool isLast = t + 1 == patterns.size();
    Value init = op.getInit();
    if (!isLast) {
      init = createIntermediate(b, op, pattern.outFeatures());
      if (!isOnTensors)
        buffers.push_back(init);
    }
    auto matmul = MatmulOp::create(
        b, loc, isOnTensors ? TypeRange(init.getType()) : TypeRange(),
        PatternAttr::get(b.getContext(), pattern), source, weight,
        isLast ? ValueRange(op.getExtras()) : ValueRange(), init,
        op.getLayoutAttr(), op.getPrecisionAttr(), /*plan=*/{},
        isLast ? op.getEpilogueRegions().size() : 0);
    if (isLast && op.getEpilogue())
      b.inlineRegionBefore(*op.getEpilogue(), *matmul.getEpilogue(),
                           matmul.getEpilogue()->end());
    source = isOnTensors ? matmul->getResult(0) : init;
  }
  for (Value buffer : buffers)
    memref::DeallocOp::create(b, loc, buffer);
  if (isOnTensors)
    b.replaceOp(op, source);
  else
    b.eraseOp(op);
}

namespace {
struct SplitChainsPass : ks::impl::SplitChainsBase<SplitChainsPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<ChainOp> chains;
    getOperation()->walk([&](ChainOp op) {
      if (!op.getPlan())
        chains.push_back(op);
    });
    for (ChainOp op : chains)
      splitChain(rewriter, op);
  }
};
} // namespace
