//===- Pipelines.cpp - Named pipelines ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Pipelines/Pipelines.h"

#include "PipelineSupport.h"

#include "ks/Conversion/Passes.h"
#include "ks/Dialect/KS/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ks;

llvm::StringRef ks::getRungNames() {
  return "math, kernels, plans, buffers, tiles, machine, binary";
}

std::optional<Rung> ks::parseRung(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<Rung>>(name)
      .Case("math", Rung::Math)
      .Case("kernels", Rung::Kernels)
      .Case("plans", Rung::Plans)
      .Case("buffers", Rung::Buffers)
      .Case("tiles", Rung::Tiles)
      .Case("machine", Rung::Machine)
      .Case("binary", Rung::Binary)
      .Default(std::nullopt);
}

void ks::addCleanUp(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// From loops over memrefs, with arith, math, complex and vector ops in them,
/// to the llvm dialect. What both pipelines share.
static void addMachine(OpPassManager &pm) {
  pm.addNestedPass<func::FuncOp>(LLVM::createLLVMRequestCWrappersPass());
  pm.addPass(createConvertLibraryToRuntime());
  pm.addPass(createConvertParallelToRuntime());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  // f16 and bf16 have no instructions of their own on most machines.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass(expand));
  pm.addPass(createConvertComplexToStandardPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertComplexToLLVMPass());
  pm.addPass(createConvertKSToLLVM());
  // Memory comes from the runtime (ks/Runtime/Scratch.h).
  FinalizeMemRefToLLVMConversionPassOptions memory;
  memory.useGenericFunctions = true;
  pm.addPass(createFinalizeMemRefToLLVMConversionPass(memory));
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void ks::addResultsInPlace(OpPassManager &pm) {
  pm.addPass(createResultsToArguments());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
}

void ks::addStages(OpPassManager &pm, Rung from, Rung to,
                   ArrayRef<function_ref<void()>> stages) {
  for (auto [index, stage] : llvm::enumerate(stages))
    if (index >= static_cast<size_t>(from) && index < static_cast<size_t>(to)) {
      if (!stage)
        continue;
      stage();
      addCleanUp(pm);
    }
}

void ks::buildCPUPipeline(OpPassManager &pm,
                          const CPUPipelineOptions &options) {
  auto toKernels = [&] {
    addCleanUp(pm);
    pm.addPass(createDecomposeToDense());
    pm.addPass(createFuseElementwise());
    FuseFactorsOptions fuse;
    fuse.target = options.target;
    fuse.threads = options.threads;
    pm.addPass(createFuseFactors(fuse));
  };
  auto toPlans = [&] {
    addResultsInPlace(pm);
    SelectPlanOptions plan;
    plan.target = options.target;
    plan.threads = options.threads;
    pm.addPass(createSelectPlan(plan));
    pm.addPass(createPackWeights());
  };
  auto toBuffers = [&] { pm.addPass(createBufferize()); };
  auto toTiles = [&] {
    pm.addPass(createConvertKSToVector());
    pm.addPass(createConvertLinalgToLoopsPass());
  };
  auto toMachine = [&] { addMachine(pm); };
  addStages(pm, options.from, options.to,
            {toKernels, toPlans, toBuffers, toTiles, toMachine});
}

void ks::buildLoopsPipeline(OpPassManager &pm, Rung from, Rung to) {
  auto toPlans = [&] {
    addResultsInPlace(pm);
    pm.addPass(createConvertKSToLinalg());
  };
  auto toBuffers = [&] { pm.addPass(createBufferize()); };
  auto toTiles = [&] { pm.addPass(createConvertLinalgToLoopsPass()); };
  auto toMachine = [&] { addMachine(pm); };
  addStages(pm, from, to, {nullptr, toPlans, toBuffers, toTiles, toMachine});
}

namespace {
/// `to=<rung>`.
struct RungOption : PassPipelineOptions<RungOption> {
  Option<Rung> to{
      *this, "to", llvm::cl::desc("Rung to stop at"),
      llvm::cl::values(
          clEnumValN(Rung::Math, "math", "products as written"),
          clEnumValN(Rung::Kernels, "kernels", "one product for each kernel"),
          clEnumValN(Rung::Plans, "plans", "products with plans"),
          clEnumValN(Rung::Buffers, "buffers", "the same on memrefs"),
          clEnumValN(Rung::Tiles, "tiles", "loops over tiles"),
          clEnumValN(Rung::Machine, "machine", "the llvm dialect")),
      llvm::cl::init(Rung::Machine)};
};

struct CPUOptions : PassPipelineOptions<CPUOptions> {
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("Machine to plan for"),
                             llvm::cl::init("host")};
  Option<int64_t> threads{*this, "threads",
                          llvm::cl::desc("Threads to plan for (0: all)"),
                          llvm::cl::init(0)};
  Option<Rung> to{
      *this, "to", llvm::cl::desc("Rung to stop at"),
      llvm::cl::values(
          clEnumValN(Rung::Math, "math", "products as written"),
          clEnumValN(Rung::Kernels, "kernels", "one product for each kernel"),
          clEnumValN(Rung::Plans, "plans", "products with plans"),
          clEnumValN(Rung::Buffers, "buffers", "the same on memrefs"),
          clEnumValN(Rung::Tiles, "tiles", "loops over tiles"),
          clEnumValN(Rung::Machine, "machine", "the llvm dialect")),
      llvm::cl::init(Rung::Machine)};
};

struct GPUOptions : PassPipelineOptions<GPUOptions> {
  Option<std::string> target{*this, "chip",
                             llvm::cl::desc("Architecture: sm_80, sm_90, ..."),
                             llvm::cl::init("sm_80")};
  Option<std::string> format{*this, "format",
                             llvm::cl::desc("Of the binary: isa, bin, fatbin"),
                             llvm::cl::init("isa")};
  Option<int64_t> batch{*this, "batch",
                        llvm::cl::desc("Batch to assume where it is unknown"),
                        llvm::cl::init(0)};
  Option<Rung> to{
      *this, "to", llvm::cl::desc("Rung to stop at"),
      llvm::cl::values(
          clEnumValN(Rung::Math, "math", "products as written"),
          clEnumValN(Rung::Kernels, "kernels", "one product for each kernel"),
          clEnumValN(Rung::Plans, "plans", "products with plans"),
          clEnumValN(Rung::Buffers, "buffers", "the same on memrefs"),
          clEnumValN(Rung::Tiles, "tiles", "kernels of tile ops"),
          clEnumValN(Rung::Machine, "machine", "the nvvm dialect"),
          clEnumValN(Rung::Binary, "binary", "PTX, or what format= says")),
      llvm::cl::init(Rung::Binary)};
};
} // namespace

void ks::registerPipelines() {
  PassPipelineRegistration<GPUOptions>(
      "ks-to-nvvm", "Compile KS products for an NVIDIA GPU",
      [](OpPassManager &pm, const GPUOptions &options) {
        buildGPUPipeline(pm, {options.target, options.format, options.batch,
                              Rung::Math, options.to});
      });
  PassPipelineRegistration<CPUOptions>(
      "ks-to-cpu", "Compile KS products for a CPU",
      [](OpPassManager &pm, const CPUOptions &options) {
        buildCPUPipeline(
            pm, {options.target, options.threads, Rung::Math, options.to});
      });
  PassPipelineRegistration<RungOption>(
      "ks-to-loops", "Compile KS products to scalar loops: the reference",
      [](OpPassManager &pm, const RungOption &options) {
        buildLoopsPipeline(pm, Rung::Math, options.to);
      });
}
