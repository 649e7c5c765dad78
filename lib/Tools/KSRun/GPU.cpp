//===- GPU.cpp - ks-run for an architecture, without a GPU ----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSRun.h"

#include "ks/Analysis/GPUPlanner.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"
#include "ks/ExecutionEngine/BuildArtifact.h"

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

static void report(const RunOptions &options, const BuiltArtifact &built,
                   size_t bytes) {
  const ArtifactTimes &times = built.times;
  if (!options.json) {
    llvm::outs() << llvm::formatv(
        "compiled     @{0} for {1} in {2:f1} ms (passes {3:f1}, LLVM {4:f1}), "
        "ptxas {5:f1} ms\n",
        built.artifact.entry, options.target, (times.passes + times.llvm) * 1e3,
        times.passes * 1e3, times.llvm * 1e3, times.ptxas * 1e3);
    for (const KernelResources &kernel : built.resources)
      llvm::outs() << llvm::formatv(
          "kernel       @{0}: {1} registers, {2} bytes spilled\n",
          kernel.kernel, kernel.registers, kernel.spillBytes);
    for (const Variant &variant : built.artifact.targets.front().variants)
      llvm::outs() << llvm::formatv("plan         {0}\n", variant.plan);
    if (!options.output.empty())
      llvm::outs() << llvm::formatv("wrote        {0} ({1} bytes)\n",
                                    options.output, bytes);
    return;
  }
  llvm::json::Array kernels;
  for (const KernelResources &kernel : built.resources)
    kernels.push_back(llvm::json::Object{{"name", kernel.kernel},
                                         {"registers", kernel.registers},
                                         {"spill_bytes", kernel.spillBytes}});
  llvm::json::Object figures{
      {"schema", 1},
      {"entry", built.artifact.entry},
      {"target", options.target},
      {"plan", built.artifact.targets.front().variants.front().plan},
      {"kernels", std::move(kernels)},
      {"compile_ms",
       llvm::json::Object{{"total", (times.passes + times.llvm) * 1e3},
                          {"passes", times.passes * 1e3},
                          {"llvm", times.llvm * 1e3},
                          {"ptxas", times.ptxas * 1e3}}}};
  llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(figures)))
               << "\n";
}

/// Lists the best-ranked plans of each factor.
static void listPlans(mlir::ModuleOp module, const RunOptions &options) {
  std::optional<GPUTarget> target = getGPUTarget(options.target);
  llvm::json::Array list;
  module.walk([&](ProductOpInterface op) {
    Problem problem = getProblem(op);
    if (problem.factors.size() != 1)
      return;
    for (const RankedGPUPlan &ranked :
         planForGPU(problem, *target, static_cast<unsigned>(options.plans))) {
      std::string text;
      llvm::raw_string_ostream(text)
          << mlir::Attribute(getPlanAttr(op, ranked.plan));
      if (!options.json)
        llvm::outs() << llvm::formatv("{0,10:f1} us  {1,-15} {2}\n",
                                      ranked.cost.seconds * 1e6,
                                      ranked.cost.limit, text);
      list.push_back(
          llvm::json::Object{{"plan", text},
                             {"predicted_us", ranked.cost.seconds * 1e6},
                             {"limit", ranked.cost.limit}});
    }
  });
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(list)))
                 << "\n";
}

llvm::Error ks::compileForGPU(mlir::ModuleOp module,
                              const RunOptions &options) {
  if (options.plans) {
    listPlans(module, options);
    return llvm::Error::success();
  }
  if (options.emit) {
    auto lowered = lowerToGPURung(module, options.target, *options.emit);
    if (!lowered)
      return lowered.takeError();
    (*lowered)->print(llvm::outs());
    return llvm::Error::success();
  }
  ArtifactOptions artifactOptions;
  artifactOptions.entry = options.entry;
  artifactOptions.targets = {options.target};
  artifactOptions.assemble = options.assemble;
  llvm::Expected<BuiltArtifact> built = buildArtifact(module, artifactOptions);
  if (!built)
    return built.takeError();
  std::string bytes;
  if (options.emitArtifact) {
    bytes = serialize(built->artifact);
    if (llvm::Error error = writeFile(options.output, bytes))
      return error;
  }
  report(options, *built, bytes.size());
  return llvm::Error::success();
}
