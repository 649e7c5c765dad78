//===- Bufferize.cpp - Bufferization with row pitches ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"

namespace ks {
#define GEN_PASS_DEF_BUFFERIZE
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace mlir::bufferization;

/// Rows of any pitch for rank 2, contiguous for the rest.
static BaseMemRefType getBoundaryType(TensorType type, Attribute memorySpace) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (!ranked)
    return UnrankedMemRefType::get(type.getElementType(), memorySpace);
  MemRefLayoutAttrInterface layout;
  if (ranked.getRank() == 2)
    layout = StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic,
                                    {ShapedType::kDynamic, 1});
  return MemRefType::get(ranked.getShape(), ranked.getElementType(), layout,
                         memorySpace);
}

static int64_t countResults(ModuleOp module) {
  int64_t count = 0;
  for (auto func : module.getOps<func::FuncOp>())
    count += func.getNumResults();
  return count;
}

/// Drops results that are arguments. Upstream's function leaves public
/// functions alone, and sees a result of a call as an argument only once the
/// callee has been handled.
static LogicalResult dropResults(ModuleOp module) {
  SmallVector<func::FuncOp> publicFuncs;
  for (auto func : module.getOps<func::FuncOp>())
    if (func.isPublic() && !func.isDeclaration())
      publicFuncs.push_back(func);
  for (func::FuncOp func : publicFuncs)
    func.setPrivate();
  int64_t before;
  do {
    before = countResults(module);
    if (failed(dropEquivalentBufferResults(module)))
      return failure();
  } while (countResults(module) != before);
  for (func::FuncOp func : publicFuncs)
    func.setPublic();
  return success();
}

namespace {
struct BufferizePass : ks::impl::BufferizeBase<BufferizePass> {
  void getDependentDialects(DialectRegistry &registry) const override {
    BufferizeBase::getDependentDialects(registry);
    cleanUp().getDependentDialects(registry);
  }

  void runOnOperation() override {
    OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.inferFunctionResultLayout = false;
    options.functionArgTypeConverterFn =
        [](TensorLikeType type, Attribute memorySpace, FunctionOpInterface,
           const BufferizationOptions &) {
          return cast<BufferLikeType>(
              getBoundaryType(cast<TensorType>(type), memorySpace));
        };
    // Copies that remain become loops, not calls of a runtime.
    options.memCpyFn = [](OpBuilder &b, Location loc, Value from, Value to) {
      linalg::CopyOp::create(b, loc, from, to);
      return success();
    };
    BufferizationState state;
    if (failed(runOneShotModuleBufferize(getOperation(), options, state)))
      return signalPassFailure();
    if (failed(dropResults(getOperation())))
      return signalPassFailure();
    OpPassManager pipeline = cleanUp();
    if (failed(runPipeline(pipeline, getOperation())))
      signalPassFailure();
  }

private:
  /// Frees what is allocated and not returned.
  static OpPassManager cleanUp() {
    OpPassManager pipeline(ModuleOp::getOperationName());
    pipeline.addNestedPass<func::FuncOp>(createBufferHoistingPass());
    pipeline.addPass(createOwnershipBasedBufferDeallocationPass());
    pipeline.addPass(createBufferDeallocationSimplificationPass());
    pipeline.addPass(createLowerDeallocationsPass());
    return pipeline;
  }
};
} // namespace
