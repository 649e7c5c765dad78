//===- BuildArtifact.cpp - From a module to an artefact -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/ExecutionEngine/BuildArtifact.h"

#include "LaunchReader.h"
#include "ModuleSupport.h"
#include "TargetBuilder.h"

#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Pipelines/Pipelines.h"

#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Signature
//===----------------------------------------------------------------------===//

/// The arguments of the function, of which `entry`, on memrefs, has the types.
static llvm::Error readArguments(func::FuncOp entry, Artifact &artifact) {
  auto listed = [&](StringRef name, unsigned number) {
    auto list = entry->getAttrOfType<DenseI64ArrayAttr>(name);
    return !list ||
           llvm::is_contained(list.asArrayRef(), static_cast<int64_t>(number));
  };
  for (BlockArgument argument : entry.getArguments()) {
    unsigned number = argument.getArgNumber();
    bool isResult = bool(entry.getArgAttr(number, "ks.result_dims"));
    llvm::Expected<ArrayInfo> info = getArrayInfo(
        argument.getType(), (isResult ? "result" : "arg") + Twine(number));
    if (!info)
      return info.takeError();
    Argument described;
    described.array = std::move(*info);
    if (isResult)
      described.role = Role::Result;
    else if (!listed("ks.packed_args", number))
      described.role = Role::Weight;
    artifact.arguments.push_back(std::move(described));
  }
  return llvm::Error::success();
}

static void initializeNVPTX() {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
}

llvm::Expected<OwningOpRef<ModuleOp>>
ks::lowerToGPURung(ModuleOp original, StringRef target, Rung to) {
  initializeNVPTX();
  DiagnosticCollector diagnostics(original.getContext());
  OwningOpRef<ModuleOp> module(cast<ModuleOp>(original->clone()));
  if (failed(runGPUPipeline(*module, target, Rung::Math, to)))
    return diagnostics.asError();
  return std::move(module);
}

static constexpr const char *kPortableTarget = "sm_80";

/// Takes away the plans that `target` cannot run.
static void dropOtherPlans(ModuleOp module, const GPUTarget &target) {
  module.walk([&](ProductOpInterface op) {
    std::string complaint;
    auto library = dyn_cast_or_null<LibraryPlanAttr>(op.getPlanAttr());
    if (auto plan = library ? library.getGPUPlan()
                            : dyn_cast_or_null<GPUPlanAttr>(op.getPlanAttr()))
      complaint =
          checkGPUPlan(getProblem(op), plan.getPlan(op.getLayout()), target);
    if (auto plan = dyn_cast_or_null<GPUChainPlanAttr>(op.getPlanAttr()))
      complaint = checkGPUChainPlan(getProblem(op), plan.getPlan(), target);
    if (!complaint.empty())
      op.setPlanAttr({});
  });
}

llvm::Expected<BuiltArtifact>
ks::buildArtifact(ModuleOp original, const ArtifactOptions &options) {
  initializeNVPTX();
  BuiltArtifact result;
  std::vector<std::string> targets = options.targets;
  bool addsPortable =
      options.isPortable && llvm::none_of(targets, [](llvm::StringRef name) {
        return name.split(':').first == kPortableTarget;
      });
  std::string portable = kPortableTarget;
  std::optional<GPUTarget> first =
      targets.empty() ? std::nullopt : getGPUTarget(targets.front());
  if (first && !first->hasLibrary)
    portable += ":library=none";
  if (addsPortable)
    targets.push_back(portable);
  for (const std::string &name : targets) {
    std::optional<GPUTarget> target = getGPUTarget(name);
    if (!target)
      return makeError("unknown target '" + name + "'; expected one of " +
                       getGPUTargetNames());
    OwningOpRef<ModuleOp> module(cast<ModuleOp>(original->clone()));
    if (addsPortable && name == portable)
      dropOtherPlans(*module, *target);
    llvm::Expected<func::FuncOp> entry = findEntry(*module, options.entry);
    if (!entry)
      return entry.takeError();
    result.artifact.entry = entry->getName().str();
    // What is there just in case is there in one version.
    ArtifactOptions own = options;
    own.isSpecialized &= !addsPortable || name != portable;
    TargetBuilder builder(*module, result.artifact.entry, *target, own, result);
    if (llvm::Error error = builder.build())
      return std::move(error);
    if (result.artifact.arguments.empty())
      if (llvm::Error error =
              readArguments(builder.getEntry(), result.artifact))
        return std::move(error);
  }
  return result;
}
