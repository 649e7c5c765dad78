//===- GPU.cpp - ks-run for an architecture, without a GPU ----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Analysis/GPUPlanner.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"
#include "ks/ExecutionEngine/BuildArtifact.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/FormatVariadic.h"

using namespace ks;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Writes all of `bytes`, or leaves what was there.
static llvm::Error writeFile(llvm::StringRef path, llvm::StringRef bytes) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << bytes;
    return llvm::Error::success();
  });
  if (error)
    return makeError("'" + path + "': cannot write the file: " +
                     llvm::toString(std::move(error)) +
                     "; check the directory and its free space");
  return llvm::Error::success();
}

void ks::reportArtifact(const BuiltArtifact &built, llvm::StringRef target,
                        Report &report) {
  const ArtifactTimes &times = built.times;
  const Artifact &artifact = built.artifact;
  report.line(
      "compiled",
      llvm::formatv("@{0} for {1} in {2:f1} ms (passes {3:f1}, LLVM "
                    "{4:f1}), ptxas {5:f1} ms",
                    artifact.entry, target, (times.passes + times.llvm) * 1e3,
                    times.passes * 1e3, times.llvm * 1e3, times.ptxas * 1e3)
          .str());
  llvm::json::Array kernels;
  for (const KernelResources &kernel : built.resources) {
    report.line("kernel",
                llvm::formatv("@{0} for {1}: {2} registers, {3} bytes spilled",
                              kernel.kernel, kernel.target, kernel.registers,
                              kernel.spillBytes)
                    .str());
    kernels.push_back(llvm::json::Object{{"name", kernel.kernel},
                                         {"target", kernel.target},
                                         {"registers", kernel.registers},
                                         {"spill_bytes", kernel.spillBytes}});
  }
  const std::vector<Variant> &all = artifact.targets.front().variants;
  llvm::json::Array variants;
  for (const Variant &variant : all) {
    std::string range = "; batch " + std::to_string(variant.minBatch);
    range += variant.maxBatch == INT64_MAX
                 ? " and more"
                 : " to " + std::to_string(variant.maxBatch);
    report.line("plan", variant.plan + (all.size() > 1 ? range : ""));
    llvm::json::Object described{{"min_batch", variant.minBatch},
                                 {"plan", variant.plan},
                                 {"library", variant.hasLibraryProduct()}};
    if (variant.maxBatch != INT64_MAX)
      described["max_batch"] = variant.maxBatch;
    variants.push_back(std::move(described));
  }
  report.figures["entry"] = artifact.entry;
  report.figures["plan"] = all.front().plan;
  report.figures["variants"] = std::move(variants);
  report.figures["kernels"] = std::move(kernels);
  report.figures["compile_ms"] =
      llvm::json::Object{{"total", (times.passes + times.llvm) * 1e3},
                         {"passes", times.passes * 1e3},
                         {"llvm", times.llvm * 1e3},
                         {"ptxas", times.ptxas * 1e3}};
}

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
ks::splitIntoFactors(mlir::ModuleOp module) {
  mlir::OwningOpRef<mlir::ModuleOp> split(
      mlir::cast<mlir::ModuleOp>(module->clone()));
  mlir::PassManager pm(module.getContext());
  pm.addPass(createDecomposeToDense());
  pm.addPass(createSplitChains());
  if (mlir::failed(pm.run(*split)))
    return makeError("the program cannot be split into its factors; expected "
                     "products of tensors");
  return split;
}

std::string ks::toText(mlir::Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

std::vector<RankedPlan> ks::rankPlans(ProductOpInterface op,
                                      const RunOptions &options,
                                      const GPUTarget &target) {
  Problem problem = getProblem(op);
  auto ranked =
      planForGPU(problem, target, static_cast<unsigned>(options.plans));
  std::vector<RankedPlan> plans;
  // The library, if there may be one, comes first: it is told apart.
  if (!problem.batch)
    problem.batch = kAssumedGPUBatch;
  if (std::optional<double> seconds = predictLibrary(op, problem, target))
    plans.push_back(
        {getLibraryPlanAttr(op, ranked.front().plan), *seconds, "library"});
  for (const RankedGPUPlan &own : ranked)
    plans.push_back(
        {getPlanAttr(op, own.plan), own.cost.seconds, own.cost.limit});
  return plans;
}

/// Lists the best-ranked plans of each factor.
static llvm::Error listPlans(mlir::ModuleOp module, const RunOptions &options,
                             const GPUTarget &target) {
  auto split = splitIntoFactors(module);
  if (!split)
    return split.takeError();
  llvm::json::Array list;
  (*split)->walk([&](ProductOpInterface op) {
    if (op.getPatternList().size() != 1) // has a plan of its own
      return;
    for (const RankedPlan &ranked : rankPlans(op, options, target)) {
      std::string text = toText(ranked.plan);
      if (!options.json)
        llvm::outs() << llvm::formatv("{0,10:f1} us  {1,-15} {2}\n",
                                      ranked.seconds * 1e6, ranked.limit, text);
      list.push_back(llvm::json::Object{{"plan", text},
                                        {"predicted_us", ranked.seconds * 1e6},
                                        {"limit", ranked.limit}});
    }
  });
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(list)))
                 << "\n";
  return llvm::Error::success();
}

llvm::Error ks::compileForGPU(mlir::ModuleOp module, const RunOptions &options,
                              llvm::StringRef target) {
  if (options.plans)
    return listPlans(module, options, *getGPUTarget(target));
  if (options.emit) {
    auto lowered = lowerToGPURung(module, target, *options.emit);
    if (!lowered)
      return lowered.takeError();
    (*lowered)->print(llvm::outs());
    return llvm::Error::success();
  }
  ArtifactOptions artifactOptions;
  artifactOptions.entry = options.entry;
  artifactOptions.targets = {target.str()};
  llvm::append_range(artifactOptions.targets, options.moreTargets);
  artifactOptions.isPortable = options.emitArtifact;
  artifactOptions.assemble = options.assemble;
  llvm::Expected<BuiltArtifact> built = buildArtifact(module, artifactOptions);
  if (!built)
    return built.takeError();
  Report report(options.json);
  reportArtifact(*built, target, report);
  if (options.emitArtifact) {
    std::string bytes = serialize(built->artifact);
    if (llvm::Error error = writeFile(options.output, bytes))
      return error;
    report.line(
        "wrote",
        llvm::formatv("{0} ({1} bytes)", options.output, bytes.size()).str());
  }
  report.figures["schema"] = 1;
  report.figures["target"] = target.str();
  report.finish();
  return llvm::Error::success();
}
