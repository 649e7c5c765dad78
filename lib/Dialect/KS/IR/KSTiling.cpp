//===- KSTiling.cpp - Tiling KS products along the batch ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product is a parallel loop over the batch: any block of the batch can be
// computed on its own. That is all a tiling pass needs to know.
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ks;

/// The size of `value` along `dim`, static if known.
static OpFoldResult getSize(OpBuilder &b, Location loc, Value value,
                            int64_t dim) {
  auto type = cast<ShapedType>(value.getType());
  if (!type.isDynamicDim(dim))
    return b.getIndexAttr(type.getDimSize(dim));
  if (isa<TensorType>(type))
    return tensor::DimOp::create(b, loc, value, dim).getResult();
  return memref::DimOp::create(b, loc, value, dim).getResult();
}

LogicalResult ks::detail::reifyInitShape(DestinationStyleOpInterface op,
                                         OpBuilder &b,
                                         ReifiedRankedShapedTypeDims &dims) {
  if (op->getNumResults() == 0) // on memrefs
    return success();
  Value init = op.getDpsInits().front();
  auto &shape = dims.emplace_back();
  for (int64_t dim = 0, e = cast<ShapedType>(init.getType()).getRank(); dim < e;
       ++dim)
    shape.push_back(getSize(b, op->getLoc(), init, dim));
  return success();
}

SmallVector<Range> ks::detail::getProductDomain(Operation *operation,
                                                OpBuilder &b) {
  auto op = cast<ProductOpInterface>(operation);
  return {Range{b.getIndexAttr(0),
                getSize(b, op->getLoc(), op.getInit(), op.getBatchDim()),
                b.getIndexAttr(1)}};
}

LogicalResult ks::detail::getProductTilePosition(
    Operation *operation, OpBuilder &b, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  auto op = cast<ProductOpInterface>(operation);
  int64_t batchDim = op.getBatchDim(), featureDim = op.getFeatureDim();
  resultOffsets.assign(2, b.getIndexAttr(0));
  resultSizes.assign(2, nullptr);
  resultOffsets[batchDim] = offsets.front();
  resultSizes[batchDim] = sizes.front();
  resultSizes[featureDim] = getSize(b, op->getLoc(), op.getInit(), featureDim);
  return success();
}

/// Slices a rank-2 `value` along `dim`; notes the slicing op.
static Value sliceBatch(OpBuilder &b, Location loc, Value value, int64_t dim,
                        OpFoldResult offset, OpFoldResult size,
                        SmallVector<Operation *> &slices) {
  SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(2, b.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes{getSize(b, loc, value, 0),
                                  getSize(b, loc, value, 1)};
  offsets[dim] = offset;
  sizes[dim] = size;
  Value slice;
  if (isa<TensorType>(value.getType()))
    slice =
        tensor::ExtractSliceOp::create(b, loc, value, offsets, sizes, strides);
  else
    slice = memref::SubViewOp::create(b, loc, value, offsets, sizes, strides);
  slices.push_back(slice.getDefiningOp());
  return slice;
}

FailureOr<TilingResult> ks::detail::tileProduct(Operation *operation,
                                                OpBuilder &b,
                                                ArrayRef<OpFoldResult> offsets,
                                                ArrayRef<OpFoldResult> sizes) {
  auto op = cast<ProductOpInterface>(operation);
  Location loc = op->getLoc();
  SmallVector<Operation *> slices;
  SmallVector<Value> operands(op->getOperands());
  auto slice = [&](Value value) {
    return sliceBatch(b, loc, value, op.getBatchDim(), offsets.front(),
                      sizes.front(), slices);
  };
  // Of the operands, only activations and result-shaped extras have a batch.
  operands.front() = slice(op.getInput());
  for (OpOperand &operand : op->getOpOperands())
    if (llvm::is_contained(op.getExtras(), operand.get()) &&
        cast<ShapedType>(operand.get().getType()).getRank() == 2)
      operands[operand.getOperandNumber()] = slice(operand.get());
  operands.back() = slice(op.getInit());

  SmallVector<Type> resultTypes;
  if (op.isOnTensors())
    resultTypes.push_back(operands.back().getType());
  Operation *tiled = mlir::clone(b, op, resultTypes, operands);
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

FailureOr<TilingResult>
ks::detail::tileProductForResult(Operation *operation, OpBuilder &b,
                                 ArrayRef<OpFoldResult> offsets,
                                 ArrayRef<OpFoldResult> sizes) {
  // Features are never cut: a tile of the result is whole there.
  auto op = cast<ProductOpInterface>(operation);
  auto init = cast<ShapedType>(op.getInit().getType());
  int64_t featureDim = op.getFeatureDim();
  if (getConstantIntValue(offsets[featureDim]) != 0 ||
      getConstantIntValue(sizes[featureDim]) != init.getDimSize(featureDim))
    return failure();
  int64_t batchDim = op.getBatchDim();
  return tileProduct(operation, b, offsets[batchDim], sizes[batchDim]);
}
