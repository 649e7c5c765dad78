//===- KernelsToPTX.cpp - Kernels in the llvm dialect to PTX --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Conversion/LLVMPasses.h"
#include "ks/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVM/NVVM/Utils.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace ks {
#define GEN_PASS_DEF_KERNELSTOPTX
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

/// Loops of tiles are written out already, so that nothing is left to unroll,
/// to vectorize or, but for libdevice, to inline. What pays is what follows
/// from the ranges of threads' and blocks' numbers, before and after loops have
/// their final form: narrow divisions, and edges that are never met; terms of
/// addresses ahead of loops; and what both sides of a branch do done once.
static constexpr const char *kPasses =
    "always-inline,globaldce,nvvm-reflect,"
    "function(nvvm-intr-range,sroa,early-cse<memssa>),ipsccp,"
    "function(instcombine<max-iterations=1;no-verify-fixpoint>,simplifycfg,"
    "reassociate,loop-mssa(loop-rotate,licm),simplifycfg,loop(indvars),"
    "early-cse<memssa>,sccp,"
    "instcombine<max-iterations=1;no-verify-fixpoint>,loop-mssa(licm),"
    "simplifycfg<hoist-common-insts;sink-common-insts>)";

namespace {
class KernelSerializer : public NVVM::SerializeGPUModuleBase {
public:
  using SerializeGPUModuleBase::SerializeGPUModuleBase;

private:
  /// Of libdevice, and only if something is called.
  std::optional<SmallVector<std::unique_ptr<llvm::Module>>>
  loadBitcodeFiles(llvm::Module &module) override {
    bool callsLibrary =
        llvm::any_of(module, [](const llvm::Function &function) {
          return function.isDeclaration() && !function.isIntrinsic();
        });
    if (!callsLibrary)
      return SmallVector<std::unique_ptr<llvm::Module>>();
    return SerializeGPUModuleBase::loadBitcodeFiles(module);
  }

  LogicalResult optimizeModule(llvm::Module &module, int level) override {
    FailureOr<llvm::TargetMachine *> machine = getOrCreateTargetMachine();
    if (failed(machine))
      return failure();
    if (llvm::Error error = runLLVMPasses(module, **machine, kPasses))
      return getOperation().emitError(llvm::toString(std::move(error)));
    return success();
  }

  FailureOr<SmallVector<char, 0>>
  moduleToObject(llvm::Module &module) override {
    FailureOr<llvm::TargetMachine *> machine = getOrCreateTargetMachine();
    if (failed(machine))
      return failure();
    // One more level makes the same kernels.
    (*machine)->setOptLevel(llvm::CodeGenOptLevel::Default);
    SmallVector<char, 0> ptx;
    llvm::raw_svector_ostream os(ptx);
    llvm::legacy::PassManager passes;
    if ((*machine)->addPassesToEmitFile(passes, os, /*DwoOut=*/nullptr,
                                        llvm::CodeGenFileType::AssemblyFile,
                                        /*DisableVerify=*/true))
      return getOperation().emitError("the target cannot be compiled for");
    passes.run(module);
    return ptx;
  }
};

struct KernelsToPTXPass : ks::impl::KernelsToPTXBase<KernelsToPTXPass> {
  void runOnOperation() override {
    NVVM::SerializeGPUModuleBase::init();
    for (auto module :
         llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      if (failed(compile(module)))
        return signalPassFailure();
  }

private:
  LogicalResult compile(gpu::GPUModuleOp module) {
    if (!module.getTargetsAttr())
      return module.emitError("has no target; expected #nvvm.target (run "
                              "nvvm-attach-target first)");
    SmallVector<Attribute> objects;
    for (Attribute target : module.getTargetsAttr()) {
      auto nvvm = dyn_cast<NVVM::NVVMTargetAttr>(target);
      if (!nvvm)
        return module.emitError("has the target ")
               << target << "; expected #nvvm.target";
      auto ptx = KernelSerializer(*module, nvvm).run();
      if (!ptx)
        return module.emitError("could not be compiled");
      objects.push_back(gpu::ObjectAttr::get(
          target, gpu::CompilationTarget::Assembly,
          StringAttr::get(&getContext(), StringRef(ptx->data(), ptx->size()))));
    }
    OpBuilder b(module);
    gpu::BinaryOp::create(b, module.getLoc(), module.getName(),
                          /*offloadingHandler=*/nullptr, objects);
    module.erase();
    return success();
  }
};
} // namespace
