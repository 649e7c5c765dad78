//===- ElementwiseCone.cpp - Elementwise ops behind a product -------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementwiseCone.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// What is read
//===----------------------------------------------------------------------===//

Attribute ks::getUniformConstant(Value value) {
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return {};
  auto elements = dyn_cast<ElementsAttr>(constant);
  if (!elements)
    return isa<ShapedType>(value.getType()) ? Attribute() : constant;
  return elements.isSplat() ? elements.getSplatValue<Attribute>() : Attribute();
}

/// The operand that `op` moves and does not change, as linalg.broadcast, fill,
/// transpose and copy do; null if it computes something.
static OpOperand *getMovedOperand(linalg::LinalgOp op) {
  if (!op || !op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::hasSingleElement(*op.getBlock()))
    return nullptr;
  auto yielded =
      dyn_cast<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0));
  if (!yielded || yielded.getOwner() != op.getBlock())
    return nullptr;
  OpOperand &operand = op->getOpOperand(yielded.getArgNumber());
  return op.isDpsInit(&operand) ? nullptr : &operand;
}

/// From places in the result of `op` to those in its operand; null if the
/// result is not written place by place.
static AffineMap getMapFromResult(linalg::LinalgOp op, OpOperand &operand) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isPermutation())
    return {};
  return op.getMatchingIndexingMap(&operand).compose(
      inversePermutation(result));
}

/// What is behind ops that move elements only.
ElementwiseCone::View ElementwiseCone::lookThroughMoves(View view) {
  while (auto op = view.value.getDefiningOp<linalg::LinalgOp>()) {
    OpOperand *moved = getMovedOperand(op);
    AffineMap map = moved ? getMapFromResult(op, *moved) : AffineMap();
    if (!map)
      break;
    view = {moved->get(), map.compose(view.map)};
  }
  return view;
}

//===----------------------------------------------------------------------===//
// What can be absorbed
//===----------------------------------------------------------------------===//

ElementwiseCone::ElementwiseCone(ProductOpInterface product)
    : product(product), values{product->getResult(0)} {
  grow();
}

std::nullopt_t ElementwiseCone::refuse(const Twine &why) {
  reason = why.str();
  return std::nullopt;
}

/// Whether operands and result of the product may be of type `element` (C7).
bool ElementwiseCone::isElementType(Type element) {
  return element == product.getElementType() ||
         (isRealElementType(product.getElementType()) &&
          isRealElementType(element));
}

/// Of `value`, which is of the layout of the result.
int64_t ElementwiseCone::getNumFeatures(Value value) {
  return cast<ShapedType>(value.getType()).getDimSize(product.getFeatureDim());
}

/// Whether `user` is no step. Who asks for sizes reads no elements.
bool ElementwiseCone::isOutside(Operation *user) {
  return !isa<tensor::DimOp>(user) &&
         llvm::none_of(steps,
                       [&](ElementwiseStep &step) { return step.op == user; });
}

/// Whether nothing but the last value is read from outside.
bool ElementwiseCone::isClosed() {
  return llvm::all_of(ArrayRef(values).drop_back(), [&](Value value) {
    return llvm::none_of(value.getUsers(),
                         [&](Operation *user) { return isOutside(user); });
  });
}

/// The first op in the block, behind the product, that reads a value and is no
/// step; an op of another block if there is one.
Operation *ElementwiseCone::getNextUser() {
  Operation *next = nullptr;
  for (Value value : values)
    for (Operation *user : value.getUsers()) {
      if (!isOutside(user))
        continue;
      if (user->getBlock() != product->getBlock())
        return user;
      if (!next || user->isBeforeInBlock(next))
        next = user;
    }
  return next;
}

void ElementwiseCone::grow() {
  size_t count = 0; // of steps that are absorbed if no more can be
  while (Operation *user = getNextUser()) {
    std::optional<ElementwiseStep> step = match(user);
    if (!step) {
      if (steps.size() == count) {
        // Who returns, stores or multiplies the result is no candidate.
        bool isCandidate =
            isa<linalg::LinalgOp>(user) ||
            isa_and_nonnull<tensor::TensorDialect>(user->getDialect());
        refused = isCandidate ? user : nullptr;
      } else if (!isClosed()) {
        refused = steps[count].op;
        reason = llvm::formatv("what it reads is also read by {0}",
                               user->getName().getStringRef());
      } else {
        refused = steps[count].op;
        reason = llvm::formatv(
            "the result would be of type {0}, and the product is of type {1}",
            getElementTypeOrSelf(values.back().getType()),
            product.getElementType());
      }
      break;
    }
    values.push_back(step->getResult());
    steps.push_back(std::move(*step));
    if (isClosed() &&
        isElementType(getElementTypeOrSelf(values.back().getType())))
      count = steps.size();
  }
  steps.resize(count);
  values.resize(count + 1);
}

std::optional<ElementwiseStep> ElementwiseCone::match(Operation *user) {
  auto matmul = dyn_cast<MatmulOp>(*product);
  if (matmul && matmul.getWritesAttr())
    return refuse("its features are not in their natural order");
  auto op = dyn_cast<linalg::LinalgOp>(user);
  if (!op)
    return refuse("it is no op of linalg (move it behind the elementwise ops)");
  if (op->getBlock() != product->getBlock())
    return refuse("it is in another block than the product");
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1)
    return refuse("it has not one tensor as its result");
  if (op.getNumParallelLoops() != op.getNumLoops())
    return refuse("it is not elementwise: it reduces");
  if (!op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isPermutation())
    return refuse("it is not elementwise: its result has another shape");
  if (op.getNumLoops() != 2 ||
      getNumFeatures(op->getResult(0)) != getNumFeatures(product->getResult(0)))
    return refuse("the number of features of its result is not known");
  if (!matchBody(op))
    return std::nullopt;
  ElementwiseStep step{op, {}};
  for (BlockArgument argument : op.getBlock()->getArguments()) {
    std::optional<ElementwiseOperand> operand = ElementwiseOperand();
    if (!argument.use_empty())
      operand = read(op, op->getOpOperand(argument.getArgNumber()));
    if (!operand)
      return std::nullopt;
    step.operands.push_back(*operand);
  }
  if (llvm::none_of(step.operands, [](const ElementwiseOperand &operand) {
        return operand.kind == ElementwiseOperand::Absorbed;
      }))
    return refuse("it overwrites the product's result without reading it");
  return step;
}

/// Whether an epilogue may hold the body of `op`.
bool ElementwiseCone::matchBody(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  auto isAvailable = [&](Value value) {
    return value.getParentBlock() == body || getUniformConstant(value);
  };
  for (Operation &inner : *body) {
    if (!inner.hasTrait<OpTrait::IsTerminator>() &&
        !isAllowedInEpilogue(&inner)) {
      refuse("epilogues may not hold " + inner.getName().getStringRef());
      return false;
    }
    if (!llvm::all_of(inner.getOperands(), isAvailable)) {
      refuse("it uses a value from outside that is not a constant");
      return false;
    }
  }
  return true;
}

std::optional<ElementwiseOperand> ElementwiseCone::read(linalg::LinalgOp op,
                                                        OpOperand &operand) {
  View view{operand.get(), getMapFromResult(op, operand)};
  if (!llvm::is_contained(values, view.value))
    view = lookThroughMoves(view);
  if (Attribute constant = getUniformConstant(view.value))
    return ElementwiseOperand{ElementwiseOperand::Constant, {}, constant};
  if (!llvm::is_contained(values, view.value))
    return readExtra(view);
  if (!view.map.isIdentity())
    return refuse("it reads the product's result at other places: " +
                  llvm::formatv("{0}", view.map).str());
  return ElementwiseOperand{ElementwiseOperand::Absorbed, view.value, {}};
}

/// Whether `view` can be an operand of the epilogue (C7, C15).
std::optional<ElementwiseOperand> ElementwiseCone::readExtra(View view) {
  auto type = dyn_cast<RankedTensorType>(view.value.getType());
  if (!type)
    return refuse("it reads a scalar that is not a constant");
  auto refuseType = [&](StringRef why) {
    return refuse(
        llvm::formatv("it reads {0} at {1}, {2}", type, view.map, why).str());
  };
  if (!isElementType(type.getElementType()))
    return refuseType("which is of a type that the product cannot load");
  auto feature =
      getAffineDimExpr(product.getFeatureDim(), product->getContext());
  bool isPerFeature =
      view.map.getNumResults() == 1 && view.map.getResult(0) == feature;
  if (!isPerFeature && !view.map.isIdentity()) {
    bool isPerEntry = view.map.isFunctionOfDim(product.getBatchDim()) &&
                      !view.map.isFunctionOfDim(product.getFeatureDim());
    return refuseType(isPerEntry
                          ? "which differs along the batch only"
                          : "which is neither one per feature nor one per "
                            "element of the result");
  }
  int64_t features =
      isPerFeature ? type.getDimSize(0) : getNumFeatures(view.value);
  if (features != getNumFeatures(product->getResult(0)))
    return refuseType("whose number of features is not known");
  return ElementwiseOperand{ElementwiseOperand::Extra, view.value, {}};
}
