//===- SplitChains.cpp - Chains as one product per factor -----------------===//
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
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace ks {
#define GEN_PASS_DEF_SPLITCHAINS
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

Value ks::createIntermediate(OpBuilder &b, ProductOpInterface op,
                             int64_t features) {
  Location loc = op->getLoc();
  int64_t batchDim = op.getBatchDim();
  SmallVector<int64_t> shape(2, features);
  shape[batchDim] = op.getBatch();
  SmallVector<Value> dynamic;
  if (op.isOnTensors()) {
    if (ShapedType::isDynamic(shape[batchDim]))
      dynamic.push_back(tensor::DimOp::create(b, loc, op.getInit(), batchDim));
    return tensor::EmptyOp::create(b, loc, shape, op.getElementType(), dynamic);
  }
  if (ShapedType::isDynamic(shape[batchDim]))
    dynamic.push_back(memref::DimOp::create(b, loc, op.getInit(), batchDim));
  return memref::AllocOp::create(
      b, loc, MemRefType::get(shape, op.getElementType()), dynamic);
}

Value ks::createRounded(OpBuilder &b, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  if (getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth() <
      getElementTypeOrSelf(type).getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, type, value);
  return arith::TruncFOp::create(b, loc, type, value);
}

void ks::moveEpilogue(RewriterBase &b, ProductOpInterface from,
                      ProductOpInterface to) {
  if (Region *epilogue = from.getEpilogue())
    b.inlineRegionBefore(*epilogue, *to.getEpilogue(), to.getEpilogue()->end());
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
      init = createIntermediate(b, cast<ProductOpInterface>(*op),
                                pattern.outFeatures());
      if (!isOnTensors)
        buffers.push_back(init);
    }
    auto matmul = MatmulOp::create(
        b, loc, isOnTensors ? TypeRange(init.getType()) : TypeRange(),
        PatternAttr::get(b.getContext(), pattern), source, weight,
        isLast ? ValueRange(op.getExtras()) : ValueRange(), init,
        op.getLayoutAttr(), op.getPrecisionAttr(), op.getFastmathAttr(),
        t == 0 ? op.getLoadAsAttr() : TypeAttr(), /*reads=*/{}, /*writes=*/{},
        /*plan=*/{}, isLast ? op.getEpilogueRegions().size() : 0);
    if (isLast)
      moveEpilogue(b, cast<ProductOpInterface>(*op),
                   cast<ProductOpInterface>(*matmul));
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
