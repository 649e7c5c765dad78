//===- KSEpilogue.cpp - Constraints of epilogues --------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSVerifiers.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace ks;
using namespace ks::detail;

static LogicalResult verifyEpilogueArguments(ProductOpInterface op) {
  auto init = cast<ShapedType>(op.getInit().getType());
  int64_t features = init.getDimSize(op.getFeatureDim());
  // C15
  if (!op.getExtras().empty() && !op.hasEpilogue())
    return op->emitOpError("has epilogue operands but no epilogue region; "
                           "expected a region that uses them");
  for (Value extra : op.getExtras()) {
    auto type = cast<ShapedType>(extra.getType());
    bool isPerFeature = type.getRank() == 1 && type.getDimSize(0) == features;
    bool isResultShaped =
        type.getRank() == 2 &&
        succeeded(verifyCompatibleShape(type.getShape(), init.getShape())) &&
        type.getDimSize(op.getFeatureDim()) == features;
    if (!isPerFeature && !isResultShaped)
      return op->emitOpError("epilogue operand has shape ")
             << shapeToString(type.getShape()) << "; expected " << features
             << " (one per output feature) or "
             << shapeToString(init.getShape()) << " (the result's shape)";
  }
  // C16
  if (!op.hasEpilogue())
    return success();
  SmallVector<Type> expected(1, op.getAccumulatorType());
  for (Value extra : op.getExtras())
    expected.push_back(getElementTypeOrSelf(extra.getType()));
  if (TypeRange(op.getEpilogue()->getArgumentTypes()) != TypeRange(expected))
    return op->emitOpError("epilogue has arguments (")
           << op.getEpilogue()->getArgumentTypes() << "); expected ("
           << expected
           << "): the accumulator, then one element per epilogue operand";
  return success();
}

bool ks::isAllowedInEpilogue(Operation *op) {
  auto isScalar = [](Type type) {
    return type.isIntOrIndexOrFloat() || isa<ComplexType>(type);
  };
  return isa_and_nonnull<arith::ArithDialect, math::MathDialect,
                         complex::ComplexDialect>(op->getDialect()) &&
         op->getNumRegions() == 0 && isPure(op) &&
         llvm::all_of(op->getResultTypes(), isScalar);
}

static LogicalResult verifyEpilogueBody(ProductOpInterface op) {
  if (!op.hasEpilogue())
    return success();
  // C17
  Block &body = op.getEpilogue()->front();
  auto yield = body.empty() ? YieldOp() : dyn_cast<YieldOp>(body.back());
  if (!yield)
    return op->emitOpError("epilogue does not end in ks.yield; expected it to "
                           "yield the value to store");
  if (yield.getValue().getType() != op.getYieldType())
    return yield.emitOpError("yields ")
           << yield.getValue().getType() << "; expected the accumulator type "
           << op.getYieldType()
           << (op.getYieldType() == op.getAccumulatorType() ? "" : " of outs");
  for (Operation &inner : body.without_terminator()) {
    if (!isAllowedInEpilogue(&inner))
      return inner.emitOpError("is not allowed in the epilogue of ")
             << op->getName()
             << "; expected a pure arith, math or complex op on "
                "scalars (apply others after the product)";
  }
  return success();
}

LogicalResult ks::detail::verifyEpilogue(ProductOpInterface op) {
  return success(succeeded(verifyEpilogueArguments(op)) &&
                 succeeded(verifyEpilogueBody(op)));
}
