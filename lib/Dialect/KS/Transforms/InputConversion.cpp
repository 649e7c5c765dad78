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
  if (producer->getBlock() != product->getBlock())
    return refuse("it is in another block than the product");
  if (producer.getNumLoops() != 2 ||
      producer.getMatchingIndexingMap(operand) !=
          producer.getMatchingIndexingMap(producer.getDpsInitOperand(0)) ||
      !producer.getMatchingIndexingMap(operand).isPermutation())
    return refuse("it reads at other places than it writes");
  if (cast<ShapedType>(operand->get().getType())
          .getDimSize(product.getFeatureDim()) !=
      cast<ShapedType>(result.getType()).getDimSize(product.getFeatureDim()))
    return refuse("the number of features that it reads is not known");
  for (OpOperand &use : result.getUses())
    if (!isa<tensor::DimOp>(use.getOwner()) &&
        &use != &product->getOpOperand(0))
      return refuse("its result is also read by " +
                    use.getOwner()->getName().getStringRef());
  return operand->get();
}
