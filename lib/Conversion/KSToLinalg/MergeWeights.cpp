//===- MergeWeights.cpp - Weights of products in linalg -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One `linalg.generic` that sums products into the accumulator type, and a
// second one where the sums are rounded. With the letters of ks.merge_weights,
// of a chainable pair all axes are split until each index is a loop of its own:
//
//   K[i, (n, q), (s, k), j] += K1[i, n, (s, t), (q, j)] · K2[(i, s), (t, q), k,
//   j]
//
// The dense matrix is a sum over the non-zeros of a row of K1,
//
//   K[(i, n, j), C] += K1[i, n, k, j] · K2[where row (i, k, j) meets column C]
//
//===----------------------------------------------------------------------===//

#include "KSToLinalg.h"

#include "../IndexBuilder.h"
#include "../Scalars.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ks;

namespace {

class MergeLowering {
public:
  MergeLowering(RewriterBase &b, MergeWeightsOp op)
      : b(b), op(op), loc(op.getLoc()), isOnTensors(op->getNumResults() != 0),
        right(op.getRight().getPattern()), left(op.getLeft().getPattern()),
        type(cast<ShapedType>(op.getInit().getType())) {}

  void lower();

private:
  Value createChainableSums(Value destination);
  Value createDenseSums(Value destination);
  Value createRounding(Value sums);
  Value createElementOfRight(OpBuilder &b, ValueRange at, Value column,
                             Value &isThere);

  Value createGeneric(ArrayRef<Value> inputs, Value output,
                      ArrayRef<AffineMap> maps,
                      ArrayRef<utils::IteratorType> iterators,
                      function_ref<Value(OpBuilder &, ValueRange)> body) {
    auto generic = linalg::GenericOp::create(
        b, loc, isOnTensors ? TypeRange(output.getType()) : TypeRange(), inputs,
        output, maps, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          linalg::YieldOp::create(b, loc, body(b, args));
        });
    return isOnTensors ? generic->getResult(0) : output;
  }

  /// `value` with each axis split, or put together, as `groups` say.
  Value expand(Value value, ArrayRef<int64_t> shape,
               ArrayRef<ReassociationIndices> groups) {
    Type element = getElementTypeOrSelf(value.getType());
    if (isOnTensors)
      return tensor::ExpandShapeOp::create(
          b, loc, RankedTensorType::get(shape, element), value, groups);
    return memref::ExpandShapeOp::create(b, loc, shape, value, groups);
  }
  Value collapse(Value value, ArrayRef<ReassociationIndices> groups) {
    if (isOnTensors)
      return tensor::CollapseShapeOp::create(b, loc, value, groups);
    return memref::CollapseShapeOp::create(b, loc, value, groups);
  }

  static int64_t getSize(Value value, int64_t dim) {
    return cast<ShapedType>(value.getType()).getDimSize(dim);
  }
  AffineMap getMap(unsigned dims, ArrayRef<AffineExpr> results) {
    return AffineMap::get(dims, 0, results, b.getContext());
  }

  RewriterBase &b;
  MergeWeightsOp op;
  Location loc;
  bool isOnTensors;
  const KSPattern right, left;
  ShapedType type; // of the result
};

} // namespace

Value MergeLowering::createChainableSums(Value destination) {
  constexpr unsigned kDims = 7;
  AffineExpr i, n, q, s, t, k, j, zero = b.getAffineConstantExpr(0);
  bindDims(b.getContext(), i, n, q, s, t, k, j);
  SmallVector<utils::IteratorType> iterators(kDims,
                                             utils::IteratorType::parallel);
  iterators[4] = utils::IteratorType::reduction; // t
  int64_t h = right.a / left.a, g = left.d / right.d, r = left.c / h;

  // What has size 1 is shared by all, and split into 1 and 1.
  Value k1 = op.getLeftWeight(), k2 = op.getRightWeight();
  bool isLeftTiedA = getSize(k1, 0) == 1, isLeftTiedD = getSize(k1, 3) == 1;
  bool isRightTiedA = getSize(k2, 0) == 1, isRightTiedD = getSize(k2, 3) == 1;
  SmallVector<ReassociationIndices> leftGroups{{0}, {1}, {2, 3}, {4, 5}};
  k1 = expand(k1,
              {getSize(k1, 0), left.b, h, r, isLeftTiedD ? 1 : g,
               isLeftTiedD ? 1 : right.d},
              leftGroups);
  SmallVector<ReassociationIndices> rightGroups{{0, 1}, {2, 3}, {4}, {5}};
  k2 = expand(k2,
              {isRightTiedA ? 1 : left.a, isRightTiedA ? 1 : h, r, g, right.c,
               getSize(k2, 3)},
              rightGroups);
  SmallVector<ReassociationIndices> groups{{0}, {1, 2}, {3, 4}, {5}};
  Value sums = expand(
      destination,
      {type.getDimSize(0), left.b, g, h, right.c, type.getDimSize(3)}, groups);
  sums = createGeneric(
      {k1, k2}, sums,
      {getMap(kDims, {isLeftTiedA ? zero : i, n, s, t, isLeftTiedD ? zero : q,
                      isLeftTiedD ? zero : j}),
       getMap(kDims, {isRightTiedA ? zero : i, isRightTiedA ? zero : s, t, q, k,
                      isRightTiedD ? zero : j}),
       getMap(kDims, {i, n, q, s, k, j})},
      iterators, [&](OpBuilder &b, ValueRange args) {
        return createMultiplyAdd(b, loc, args[2], args[0], args[1]);
      });
  return isOnTensors ? collapse(sums, groups) : destination;
}

/// What the right factor has in row (i, k, j) of the left one's columns and in
/// `column`: an element, if the two meet.
Value MergeLowering::createElementOfRight(OpBuilder &b, ValueRange at,
                                          Value column, Value &isThere) {
  IndexBuilder index(b, loc);
  Value row = index.add(
      index.mul(index.add(index.mul(at[0], left.c), at[1]), left.d), at[2]);
  Value i = index.div(row, right.b * right.d), j = index.rem(row, right.d);
  isThere = index.both(index.equal(index.div(column, right.c * right.d), i),
                       index.equal(index.rem(column, right.d), j));
  Value weight = op.getRightWeight(), zero = index.constant(0);
  SmallVector<Value> place{getSize(weight, 0) == 1 ? zero : i,
                           index.rem(index.div(row, right.d), right.b),
                           index.rem(index.div(column, right.d), right.c),
                           getSize(weight, 3) == 1 ? zero : j};
  if (isOnTensors)
    return tensor::ExtractOp::create(b, loc, weight, place);
  return memref::LoadOp::create(b, loc, weight, place);
}

Value MergeLowering::createDenseSums(Value destination) {
  constexpr unsigned kDims = 5;
  AffineExpr i, n, j, k, column, zero = b.getAffineConstantExpr(0);
  bindDims(b.getContext(), i, n, j, k, column);
  SmallVector<utils::IteratorType> iterators(kDims,
                                             utils::IteratorType::parallel);
  iterators[3] = utils::IteratorType::reduction; // k
  Value k1 = op.getLeftWeight();
  SmallVector<ReassociationIndices> matrix{{0, 1}, {2, 3}};
  SmallVector<ReassociationIndices> groups{{0, 1, 2}, {3}};
  Value sums = expand(collapse(destination, matrix),
                      {left.a, left.b, left.d, right.inFeatures()}, groups);
  sums = createGeneric(
      {k1}, sums,
      {getMap(kDims, {getSize(k1, 0) == 1 ? zero : i, n, k,
                      getSize(k1, 3) == 1 ? zero : j}),
       getMap(kDims, {i, n, j, column})},
      iterators, [&](OpBuilder &b, ValueRange args) -> Value {
        auto at = [&](unsigned dim) -> Value {
          return linalg::IndexOp::create(b, loc, dim);
        };
        Value isThere;
        Value k2 =
            createElementOfRight(b, {at(0), at(3), at(2)}, at(4), isThere);
        Value sum = createMultiplyAdd(b, loc, args[1], args[0], k2);
        return arith::SelectOp::create(b, loc, isThere, sum, args[1]);
      });
  if (!isOnTensors)
    return destination;
  SmallVector<int64_t> shape(type.getShape());
  return expand(collapse(sums, groups), shape, matrix);
}

/// `sums`, rounded into the destination of the op.
Value MergeLowering::createRounding(Value sums) {
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(4));
  return createGeneric(
      {sums}, op.getInit(), maps,
      SmallVector<utils::IteratorType>(4, utils::IteratorType::parallel),
      [&](OpBuilder &b, ValueRange args) {
        return createRounded(b, loc, args.front(), type.getElementType());
      });
}

void MergeLowering::lower() {
  b.setInsertionPoint(op);
  Type accumulator = getAccumulatorType(type.getElementType());
  bool isRounded = accumulator != type.getElementType();
  Value destination = op.getInit();
  if (isRounded && isOnTensors)
    destination = tensor::EmptyOp::create(b, loc, type.getShape(), accumulator);
  else if (isRounded)
    destination = memref::AllocOp::create(
        b, loc, MemRefType::get(type.getShape(), accumulator));
  auto fill = linalg::FillOp::create(b, loc, createZero(b, loc, accumulator),
                                     destination);
  Value sums = isOnTensors ? fill->getResult(0) : destination;
  sums = op.isChainable() ? createChainableSums(sums) : createDenseSums(sums);
  if (isRounded)
    sums = createRounding(sums);
  if (isOnTensors)
    return b.replaceOp(op, sums);
  if (isRounded)
    memref::DeallocOp::create(b, loc, destination);
  b.eraseOp(op);
}

void ks::lowerMergeWeightsToLinalg(RewriterBase &b, MergeWeightsOp op) {
  MergeLowering(b, op).lower();
}
