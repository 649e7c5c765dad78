//===- GPUPipeline.cpp - To PTX -------------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PipelineSupport.h"

#include "ks/Analysis/Target.h"
#include "ks/Conversion/Passes.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Pipelines/Pipelines.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ks;

/// From tile ops to the nvvm dialect.
static void addMachine(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  // While ops are few.
  kernels.addPass(createConvertComplexToStandardPass());
  // No canonicalization behind it: that turns elements that are put together
  // in order into vector.shape_cast, which nothing behind it lowers.
  kernels.addPass(createConvertKSTilesToNVGPU());
  kernels.addPass(createCSEPass());
  kernels.addPass(createLoopInvariantCodeMotionPass());
  kernels.addPass(createConvertNVGPUToNVVMPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(createConvertKSToLLVM());
  kernels.addPass(createConvertGpuOpsToNVVMOps());
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createFinishKernels());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  // LLVM folds, and faster; it just should not see what is not used.
  kernels.addPass(createCSEPass());
}

void ks::buildGPUPipeline(OpPassManager &pm,
                          const GPUPipelineOptions &options) {
  auto toKernels = [&] {
    addCleanUp(pm);
    pm.addPass(createDecomposeToDense());
    pm.addPass(createFuseElementwise());
    // What pays is fused again; on memrefs nothing is.
    pm.addPass(createSplitChains());
    FuseFactorsOptions fuse;
    fuse.target = options.target;
    fuse.batch = options.batch;
    pm.addPass(createFuseFactors(fuse));
  };
  auto toPlans = [&] {
    addResultsInPlace(pm);
    SelectPlanOptions plan;
    plan.target = options.target;
    plan.batch = options.batch;
    pm.addPass(createSelectPlan(plan));
    pm.addPass(createPackWeights());
  };
  auto toBuffers = [&] { pm.addPass(createBufferize()); };
  auto toTiles = [&] {
    ConvertKSToGPUOptions convert;
    if (std::optional<GPUTarget> target = getGPUTarget(options.target))
      convert.overlapLaunches = target->overlapsLaunches();
    pm.addPass(createConvertKSToGPU(convert));
  };
  addStages(pm, options.from, options.to,
            {toKernels, toPlans, toBuffers, toTiles});
  if (options.from <= Rung::Tiles && options.to >= Rung::Machine)
    addMachine(pm);
  if (options.to != Rung::Binary)
    return;
  GpuNVVMAttachTargetOptions attach;
  if (std::optional<GPUTarget> target = getGPUTarget(options.target)) {
    attach.chip = target->chip;
    attach.features = target->ptxVersion;
  }
  attach.optLevel = 3;
  pm.addPass(createGpuNVVMAttachTarget(attach));
  if (options.format == "isa") {
    pm.addPass(createKernelsToPTX());
    return;
  }
  GpuModuleToBinaryPassOptions binary;
  binary.compilationTarget = options.format;
  pm.addPass(createGpuModuleToBinaryPass(binary));
}
