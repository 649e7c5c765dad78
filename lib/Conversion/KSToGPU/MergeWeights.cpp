//===- MergeWeights.cpp - Weights of products on GPUs ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel with a thread for each element of the result, which sums the
// products of ks.merge_weights. It runs once per weight.
//
//===----------------------------------------------------------------------===//

#include "KSToGPU.h"

#include "../IndexBuilder.h"
#include "../Scalars.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

static constexpr int64_t kThreads = 256;

namespace {

/// A product that is summed: where its factors are.
struct Term {
  SmallVector<Value> leftAt, rightAt;
  Value isThere; // Null where both always are in the supports.
};

class MergeEmitter {
public:
  MergeEmitter(OpBuilder &b, MergeWeightsOp op, ValueRange arguments)
      : b(b), loc(op.getLoc()), index(b, loc), op(op),
        right(op.getRight().getPattern()), left(op.getLeft().getPattern()),
        rightWeight(arguments[0]), leftWeight(arguments[1]),
        result(arguments[2]) {}

  void emit();

private:
  Term getChainableTerm(ArrayRef<Value> at, Value t);
  Term getDenseTerm(ArrayRef<Value> at, Value k);
  Value load(Value weight, SmallVector<Value> at);
  Value emitSum(ArrayRef<Value> at);

  OpBuilder &b;
  Location loc;
  IndexBuilder index;
  MergeWeightsOp op;
  const KSPattern right, left;
  Value rightWeight, leftWeight, result;
};

} // namespace

/// With the letters of the op's description.
Term MergeEmitter::getChainableTerm(ArrayRef<Value> at, Value t) {
  int64_t h = right.a / left.a, g = left.d / right.d, r = left.c / h;
  Value i = at[0], j = at[3];
  Value n = index.div(at[1], g), q = index.rem(at[1], g);
  Value s = index.div(at[2], right.c), k = index.rem(at[2], right.c);
  Term term;
  term.leftAt = {i, n, index.add(index.mul(s, r), t),
                 index.add(index.mul(q, right.d), j)};
  term.rightAt = {index.add(index.mul(i, h), s), index.add(index.mul(t, g), q),
                  k, j};
  return term;
}

/// Row R of the left factor has non-zeros in columns m, for all k; row m of the
/// right factor has one in column C, or not.
Term MergeEmitter::getDenseTerm(ArrayRef<Value> at, Value k) {
  Value row = at[1], column = at[2];
  Value i = index.div(row, left.b * left.d), j = index.rem(row, left.d);
  Value n = index.rem(index.div(row, left.d), left.b);
  Value m = index.add(index.mul(index.add(index.mul(i, left.c), k), left.d), j);
  Value rightI = index.div(m, right.b * right.d);
  Value rightJ = index.rem(m, right.d);
  Term term;
  term.leftAt = {i, n, k, j};
  term.rightAt = {rightI, index.rem(index.div(m, right.d), right.b),
                  index.rem(index.div(column, right.d), right.c), rightJ};
  term.isThere =
      index.both(index.equal(index.div(column, right.c * right.d), rightI),
                 index.equal(index.rem(column, right.d), rightJ));
  return term;
}

/// An element of a weight, which is tied where it has size 1.
Value MergeEmitter::load(Value weight, SmallVector<Value> at) {
  for (int64_t axis : {0, 3})
    if (cast<MemRefType>(weight.getType()).getDimSize(axis) == 1)
      at[axis] = index.constant(0);
  return memref::LoadOp::create(b, loc, weight, at);
}

Value MergeEmitter::emitSum(ArrayRef<Value> at) {
  bool isChainable = op.isChainable();
  int64_t terms = isChainable ? left.c / (right.a / left.a) : left.c;
  Type element = cast<MemRefType>(result.getType()).getElementType();
  Value zero = createZero(b, loc, getAccumulatorType(element));
  auto loop =
      scf::ForOp::create(b, loc, index.constant(0), index.constant(terms),
                         index.constant(1), zero);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar();
  Term term =
      isChainable ? getChainableTerm(at, number) : getDenseTerm(at, number);
  Value before = loop.getRegionIterArg(0);
  Value sum = createMultiplyAdd(b, loc, before, load(leftWeight, term.leftAt),
                                load(rightWeight, term.rightAt));
  if (term.isThere)
    sum = arith::SelectOp::create(b, loc, term.isThere, sum, before);
  scf::YieldOp::create(b, loc, sum);
  return loop.getResult(0);
}

void MergeEmitter::emit() {
  auto type = cast<MemRefType>(result.getType());
  Value thread = index.add(
      index.mul(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x), kThreads),
      gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x));
  auto isThere = scf::IfOp::create(
      b, loc, index.less(thread, type.getNumElements()), /*else=*/false);
  b.setInsertionPointToStart(isThere.thenBlock());
  SmallVector<Value> at = index.delinearize(thread, type.getShape());
  Value sum = emitSum(at);
  memref::StoreOp::create(
      b, loc, createRounded(b, loc, sum, type.getElementType()), result, at);
}

LogicalResult ks::lowerMergeWeightsToGPU(RewriterBase &b, MergeWeightsOp op,
                                         KernelModule &kernels,
                                         StringRef name) {
  if (op->getNumResults() != 0)
    return op.emitOpError("is on tensors; expected memrefs (run ks-bufferize "
                          "first)");
  Location loc = op.getLoc();
  SmallVector<Value> operands(op->getOperands());
  gpu::GPUFuncOp kernel = kernels.createKernel(
      loc, name, TypeRange(ValueRange(operands)), kThreads);
  b.setInsertionPointToStart(&kernel.getBody().front());
  MergeEmitter(b, op, kernel.getArguments()).emit();

  b.setInsertionPoint(op);
  int64_t count = cast<MemRefType>(op.getInit().getType()).getNumElements();
  Value blocks = IndexBuilder(b, loc).constant(
      static_cast<int64_t>(llvm::divideCeil(count, kThreads)));
  createLaunch(b, kernel, blocks, kThreads, /*sharedBytes=*/0, operands);
  b.eraseOp(op);
  return success();
}
