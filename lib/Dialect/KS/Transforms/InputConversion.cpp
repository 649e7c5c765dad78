//===- InputConversion.cpp - A cast in front of a product -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InputConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace ks;

/// The operand that the body of `op` converts, and does nothing else; null if
/// there is none.
static OpOperand *getConverted(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  if (body->getOperations().size() != 2)
    return nullptr;
  Operation *cast = &body->front();
  auto truncation = dyn_cast<arith::TruncFOp>(cast);
  // Products round to nearest.
  bool isConversion =
      isa<arith::ExtFOp>(cast) || (truncation && !truncation.getRoundingmode());
  if (!isConversion ||
      body->getTerminator()->getOperand(0) != cast->getResult(0))
    return nullptr;
  auto argument = dyn_cast<BlockArgument>(cast->getOperand(0));
  if (!argument || argument.getOwner() != body)
    return nullptr;
  OpOperand &operand = op->getOpOperand(argument.getArgNumber());
  return op.isDpsInit(&operand) ? nullptr : &operand;
}

InputConversion::InputConversion(ProductOpInterface product)
    : product(product) {
  auto op = product.getInput().getDefiningOp<linalg::LinalgOp>();
  // What reads no elements, like linalg.fill, is not in front of the product.
  bool readsElements = op && llvm::any_of(op.getDpsInputs(), [](Value input) {
                         return isa<RankedTensorType>(input.getType());
                       });
  if (!readsElements || op.getNumParallelLoops() != op.getNumLoops())
    return;
  producer = op;
  source = match();
}

Value InputConversion::refuse(const Twine &why) {
  reason = why.str();
  return {};
}

/// Whether `reader`, which reads what the producer makes, can convert it.
bool InputConversion::canConvert(ProductOpInterface reader) {
  return !reader.getPlanAttr() && !reader.getLoadAsAttr() &&
         getProblem(reader).getPlanes() == 0 &&
         producer->getBlock() == reader->getBlock();
}

Value InputConversion::match() {
  Value result = product.getInput();
  if (product.getPlanAttr())
    return refuse("the product has a plan");
  OpOperand *operand = getConverted(producer);
  if (!operand || !producer.hasPureTensorSemantics())
    return refuse("it is no conversion to another real type; others would be "
                  "computed again for each panel of weights that reads an "
                  "element");
  Type from = getElementTypeOrSelf(operand->get().getType());
  if (!isRealElementType(from))
    return refuse(
        llvm::formatv("products cannot load elements of type {0}", from));
  if (product.getLoadAsAttr())
    return refuse("the product already converts what it loads");
  if (getProblem(product).getPlanes() != 0)
    return refuse("the product has features in another order");
  if (!canConvert(product))
    return refuse("it is in another block than the product");
  if (producer.getNumLoops() != 2 ||
      producer.getMatchingIndexingMap(operand) !=
          producer.getMatchingIndexingMap(producer.getDpsInitOperand(0)) ||
      !producer.getMatchingIndexingMap(operand).isPermutation())
    return refuse("it reads at other places than it writes");
  for (OpOperand &use : result.getUses()) {
    if (isa<tensor::DimOp>(use.getOwner()))
      continue;
    auto reader = dyn_cast<ProductOpInterface>(use.getOwner());
    if (!reader || use.getOperandNumber() != 0 || !canConvert(reader))
      return refuse("its result is also read by " +
                    use.getOwner()->getName().getStringRef());
    int64_t axis = reader.getFeatureDim();
    if (cast<ShapedType>(operand->get().getType()).getDimSize(axis) !=
        cast<ShapedType>(result.getType()).getDimSize(axis))
      return refuse("the number of features that it reads is not known");
    readers.push_back(reader);
  }
  return operand->get();
}
