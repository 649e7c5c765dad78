//===- KSToGPU.cpp - GPU plans as kernels ---------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Planned products, and ks.pack_weights, become kernels and their launches; see
// ProductKernel.h and ChainKernel.h.
//
//===----------------------------------------------------------------------===//

#include "ChainKernel.h"
#include "ProductKernel.h"

#include "../LibraryChoice.h"

#include "ks/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTKSTOGPU
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Kernels and launches
//===----------------------------------------------------------------------===//

gpu::GPUFuncOp KernelModule::createKernel(Location loc, StringRef name,
                                          TypeRange arguments, int64_t threads,
                                          int64_t cluster) {
  OpBuilder b(module.getContext());
  if (!kernels) {
    b.setInsertionPointToEnd(module.getBody());
    kernels = gpu::GPUModuleOp::create(b, module.getLoc(), "ks_kernels");
    SymbolTable(module).insert(kernels);
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    b.getUnitAttr());
  }
  b.setInsertionPointToEnd(&kernels.getBodyRegion().front());
  auto kernel = gpu::GPUFuncOp::create(
      b, loc, name, FunctionType::get(b.getContext(), arguments, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  kernel.setKnownBlockSize(
      ArrayRef<int32_t>{static_cast<int32_t>(threads), 1, 1});
  if (cluster > 1)
    kernel.setKnownClusterSize(
        ArrayRef<int32_t>{static_cast<int32_t>(cluster), 1, 1});
  SymbolTable(kernels).insert(kernel);
  b.setInsertionPointToEnd(&kernel.getBody().front());
  gpu::ReturnOp::create(b, loc);
  return kernel;
}

void ks::createLaunch(OpBuilder &b, gpu::GPUFuncOp kernel, Value blocks,
                      int64_t threads, int64_t sharedBytes,
                      ValueRange operands) {
  Location loc = kernel.getLoc();
  IndexBuilder index(b, loc);
  Value one = index.constant(1);
  Value shared;
  if (sharedBytes != 0)
    shared = arith::ConstantIntOp::create(b, loc, sharedBytes, 32);
  gpu::LaunchFuncOp::create(b, loc, kernel, gpu::KernelDim3{blocks, one, one},
                            gpu::KernelDim3{index.constant(threads), one, one},
                            shared, operands);
}

namespace {

/// What the verifier of the op cannot know to be required.
LogicalResult checkLowerable(ProductOpInterface op) {
  if (op.isOnTensors())
    return op->emitOpError("is on tensors; expected memrefs (run ks-bufferize "
                           "first)");
  auto library = dyn_cast_or_null<LibraryPlanAttr>(op.getPlanAttr());
  if (library
          ? !library.getGPUPlan()
          : !isa_and_nonnull<GPUPlanAttr, GPUChainPlanAttr>(op.getPlanAttr()))
    return op->emitOpError("has ")
           << (op.getPlanAttr() ? "a plan for another target" : "no plan")
           << "; expected a #ks.gpu_plan, #ks.gpu_chain_plan or "
              "#ks.library_plan<cublaslt, ...> (run ks-select-plan with a GPU "
              "target first)";
  for (Value operand : op->getOperands()) {
    SmallVector<int64_t> strides;
    int64_t offset;
    auto type = cast<MemRefType>(operand.getType());
    if (failed(type.getStridesAndOffset(strides, offset)) ||
        strides.back() != 1)
      return op->emitOpError("has an operand of type ")
             << type
             << ", whose inner stride is not known to be 1; expected "
                "strided<[?, 1], offset: ?> (use ks-bufferize)";
  }
  if (llvm::any_of(op.getWeightOperands().getTypes(), [](Type type) {
        return cast<ShapedType>(type).getRank() != 1;
      }))
    return op->emitOpError("has an unpacked weight; expected a packed one (run "
                           "ks-pack-weights first)");
  return success();
}

struct ConvertKSToGPUPass : ks::impl::ConvertKSToGPUBase<ConvertKSToGPUPass> {
  using ConvertKSToGPUBase::ConvertKSToGPUBase;

  void runOnOperation() override {
    KernelModule kernels{getOperation(), {}, overlapLaunches};
    IRRewriter rewriter(&getContext());
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      SmallVector<Operation *> ops;
      func.walk([&](Operation *op) {
        if (isa<ProductOpInterface, MergeWeightsOp, PackWeightsOp>(op))
          ops.push_back(op);
      });
      for (auto [number, op] : llvm::enumerate(ops)) {
        std::string name = (func.getName() + "_" + Twine(number)).str();
        if (auto pack = dyn_cast<PackWeightsOp>(op)) {
          if (pack->getNumResults() == 0 &&
              isa<LibraryPackingAttr>(pack.getPacking()))
            pack = lowerLibraryPackingToGPU(rewriter, pack, kernels, name);
          if (failed(lowerPackWeightsToGPU(rewriter, pack, kernels, name)))
            return signalPassFailure();
          continue;
        }
        if (auto merge = dyn_cast<MergeWeightsOp>(op)) {
          if (failed(lowerMergeWeightsToGPU(rewriter, merge, kernels, name)))
            return signalPassFailure();
          continue;
        }
        auto product = cast<ProductOpInterface>(op);
        if (failed(checkLowerable(product)))
          return signalPassFailure();
        if (auto library = dyn_cast<LibraryPlanAttr>(product.getPlanAttr()))
          moveToLibraryChoice(rewriter, product, library);
        if (auto chain = dyn_cast<GPUChainPlanAttr>(product.getPlanAttr())) {
          lowerChainToGPU(rewriter, product, chain, kernels, name);
          continue;
        }
        auto plan = cast<GPUPlanAttr>(product.getPlanAttr());
        auto create = createCpAsyncKernel;
        if (plan.getPacking().getLayout().isWgmma())
          create = createWgmmaKernel;
        else if (plan.getCopies() == CopyEngine::Bulk)
          create = createBulkKernel;
        create(rewriter, product, plan)->lower(kernels, name);
      }
    }
  }
};

} // namespace
