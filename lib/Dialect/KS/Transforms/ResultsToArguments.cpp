//===- ResultsToArguments.cpp - Results in the caller's memory ------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace ks {
#define GEN_PASS_DEF_RESULTSTOARGUMENTS
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;

/// The (argument, dimension) that dimension `dim` of `value` is equal to, or
/// (-1, size) if it is static.
static FailureOr<std::pair<int64_t, int64_t>> getOrigin(Value value,
                                                        int64_t dim) {
  while (true) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return failure();
    if (!type.isDynamicDim(dim))
      return std::pair<int64_t, int64_t>(-1, type.getDimSize(dim));
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (!isa<func::FuncOp>(argument.getOwner()->getParentOp()))
        return failure();
      return std::pair<int64_t, int64_t>(argument.getArgNumber(), dim);
    }
    Operation *op = value.getDefiningOp();
    if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
      auto dimOp = empty.getDynamicSize(dim).getDefiningOp<tensor::DimOp>();
      std::optional<int64_t> index =
          dimOp ? dimOp.getConstantIndex() : std::nullopt;
      if (!index)
        return failure();
      value = dimOp.getSource();
      dim = *index;
      continue;
    }
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      value = cast.getSource();
      continue;
    }
    auto dstOp = dyn_cast<DestinationStyleOpInterface>(op);
    if (!dstOp)
      return failure();
    value = dstOp.getTiedOpOperand(cast<OpResult>(value))->get();
  }
}

static LogicalResult moveResultsToArguments(func::FuncOp func) {
  auto returnOp = cast<func::ReturnOp>(func.front().getTerminator());
  OpBuilder b(returnOp);
  Builder attributes(func.getContext());
  for (OpOperand &operand : returnOp->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type)
      continue;
    SmallVector<int64_t> dims;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      auto origin = getOrigin(operand.get(), dim);
      if (failed(origin))
        return returnOp.emitError("dimension ")
               << dim << " of result " << operand.getOperandNumber() << " of @"
               << func.getName()
               << " is not a dimension of an argument; expected a result that "
                  "a caller can allocate (take tensor.dim of an argument, or "
                  "pass the destination as an argument)";
      dims.append({origin->first, origin->second});
    }
    unsigned number = func.getNumArguments();
    auto dimsAttr = attributes.getNamedAttr(
        "ks.result_dims", attributes.getDenseI64ArrayAttr(dims));
    if (failed(func.insertArgument(number, type,
                                   attributes.getDictionaryAttr(dimsAttr),
                                   operand.get().getLoc())))
      return failure();
    auto materialize = bufferization::MaterializeInDestinationOp::create(
        b, returnOp.getLoc(), type, operand.get(), func.getArgument(number));
    operand.set(materialize.getResult());
  }
  return success();
}

namespace {
struct ResultsToArgumentsPass
    : ks::impl::ResultsToArgumentsBase<ResultsToArgumentsPass> {
  void runOnOperation() override {
    DenseSet<StringAttr> called;
    getOperation().walk([&](func::CallOp call) {
      called.insert(call.getCalleeAttr().getAttr());
    });
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isDeclaration() || called.contains(func.getSymNameAttr()))
        continue;
      if (!func.getFunctionBody().hasOneBlock()) {
        func.emitError("has several blocks; expected structured control flow "
                       "(scf) in functions on tensors");
        return signalPassFailure();
      }
      if (failed(moveResultsToArguments(func)))
        return signalPassFailure();
    }
  }
};
} // namespace
