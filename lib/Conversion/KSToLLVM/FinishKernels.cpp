//===- FinishKernels.cpp - What is left to say of kernels -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// gpu.func takes neither attribute of tensor maps (nvvm.grid_constant is
// refused, llvm.byval lost), so they are attached when kernels are in the llvm
// dialect.
//
//===----------------------------------------------------------------------===//

#include "ks/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace ks {
#define GEN_PASS_DEF_FINISHKERNELS
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;

namespace {
struct FinishKernelsPass : ks::impl::FinishKernelsBase<FinishKernelsPass> {
  void runOnOperation() override {
    passTensorMapsByValue();
    makeDynamicMemoryExternal();
    allowAllRegisters();
  }

private:
  void passTensorMapsByValue() {
    OpBuilder b(&getContext());
    constexpr int64_t kBytes = 128, kAlignment = 64; // of CUtensorMap
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), kBytes);
    getOperation().walk([&](NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp op) {
      auto map = dyn_cast<BlockArgument>(op.getTmaDescriptor());
      auto kernel = op->getParentOfType<LLVM::LLVMFuncOp>();
      if (!map || !kernel || map.getOwner() != &kernel.front())
        return;
      unsigned number = map.getArgNumber();
      kernel.setArgAttr(number, LLVM::LLVMDialect::getByValAttrName(),
                        TypeAttr::get(type));
      kernel.setArgAttr(number, LLVM::LLVMDialect::getAlignAttrName(),
                        b.getI64IntegerAttr(kAlignment));
      kernel.setArgAttr(number, NVVM::NVVMDialect::getGridConstantAttrName(),
                        b.getUnitAttr());
    });
  }

  void allowAllRegisters() {
    OpBuilder b(&getContext());
    for (auto kernel : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (kernel->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
        kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                        b.getI32IntegerAttr(1));
  }

  void makeDynamicMemoryExternal() {
    for (auto global : getOperation().getOps<LLVM::GlobalOp>()) {
      auto type = dyn_cast<LLVM::LLVMArrayType>(global.getGlobalType());
      if (type && type.getNumElements() == 0)
        global.setLinkage(LLVM::Linkage::External);
    }
  }
};
} // namespace
