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
#include "Ptxas.h"

#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Pipelines/Pipelines.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/TargetSelect.h"

#include <chrono>

using namespace mlir;
using namespace ks;

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

//===----------------------------------------------------------------------===//
// One target
//===----------------------------------------------------------------------===//

static LogicalResult runPipeline(ModuleOp module, StringRef target, Rung from,
                                 Rung to) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  GPUPipelineOptions options;
  options.target = target.str();
  options.from = from;
  options.to = to;
  buildGPUPipeline(pm, options);
  return pm.run(module);
}

/// All plans of the module, for people.
static std::string getPlans(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.walk([&](ProductOpInterface op) {
    if (op.getPlanAttr())
      os << (text.empty() ? "" : "; ") << Attribute(op.getPlanAttr());
  });
  return text;
}

namespace {
class TargetBuilder {
public:
  TargetBuilder(ModuleOp module, func::FuncOp entry, const GPUTarget &target,
                BuiltArtifact &result, bool assemble)
      : module(module), entry(entry), target(target), result(result),
        assemble(assemble) {}

  llvm::Error build();

private:
  llvm::Error readHost();
  llvm::Error readSplit(StringRef packName, StringRef packedName);
  llvm::Error addPTX(std::string ptx);

  ModuleOp module;
  func::FuncOp entry;
  const GPUTarget &target;
  BuiltArtifact &result;
  bool assemble;
  TargetCode code;
};
} // namespace

/// Launches of @f_pack and @f_packed.
llvm::Error TargetBuilder::readSplit(StringRef packName, StringRef packedName) {
  auto getArguments = [&](StringRef attribute) {
    return entry->getAttrOfType<DenseI64ArrayAttr>(attribute).asArrayRef();
  };
  auto pack = module.lookupSymbol<func::FuncOp>(packName);
  auto packed = module.lookupSymbol<func::FuncOp>(packedName);
  auto bind = [&](func::FuncOp func, ArrayRef<int64_t> arguments) {
    OperandMap map;
    for (BlockArgument argument : func.getArguments()) {
      unsigned number = argument.getArgNumber();
      bool isArgument = number < arguments.size();
      map[argument] = {
          isArgument ? Operand::Kind::Argument : Operand::Kind::Packed,
          Operand::Form::Descriptor,
          static_cast<uint32_t>(isArgument ? arguments[number]
                                           : number - arguments.size()),
          {}};
    }
    return map;
  };
  ArrayRef<int64_t> packArguments = getArguments("ks.pack_args");
  for (auto [number, type] : llvm::enumerate(
           pack.getArgumentTypes().drop_front(packArguments.size()))) {
    llvm::Expected<ArrayInfo> info =
        getArrayInfo(type, "packed" + Twine(number));
    if (!info)
      return info.takeError();
    code.packed.push_back(std::move(*info));
  }
  std::vector<ArrayInfo> none;
  if (llvm::Error error = LaunchReader(bind(pack, packArguments), code, none)
                              .read(pack, code.pack))
    return error;
  Variant &variant = code.variants.front();
  return LaunchReader(bind(packed, getArguments("ks.packed_args")), code,
                      variant.workspace)
      .read(packed, variant.launches);
}

llvm::Error TargetBuilder::readHost() {
  auto pack = entry->getAttrOfType<FlatSymbolRefAttr>("ks.pack");
  auto packed = entry->getAttrOfType<FlatSymbolRefAttr>("ks.packed");
  if (pack && packed)
    return readSplit(pack.getValue(), packed.getValue());
  OperandMap map;
  for (BlockArgument argument : entry.getArguments())
    map[argument] = {Operand::Kind::Argument,
                     Operand::Form::Descriptor,
                     argument.getArgNumber(),
                     {}};
  Variant &variant = code.variants.front();
  return LaunchReader(std::move(map), code, variant.workspace)
      .read(entry, variant.launches);
}

/// The functions that `ptx` calls and does not hold.
static std::string getMissingFunctions(StringRef ptx) {
  std::string names;
  for (StringRef rest = ptx; rest.contains(".extern .func");) {
    rest = rest.drop_front(rest.find(".extern .func"));
    StringRef head = rest.take_until([](char c) { return c == ';'; });
    size_t at = head.find("__nv_");
    if (at != StringRef::npos)
      names +=
          (names.empty() ? "" : ", ") +
          head.drop_front(at)
              .take_while([](char c) { return llvm::isAlnum(c) || c == '_'; })
              .str();
    rest = rest.drop_front(head.size());
  }
  return names;
}

llvm::Error TargetBuilder::addPTX(std::string ptx) {
  if (std::string names = getMissingFunctions(ptx); !names.empty())
    return makeError("the kernels call " + names +
                     " of libdevice, which was not found; install the CUDA "
                     "toolkit, or set CUDA_HOME to it");
  code.ptx = std::move(ptx);
  if (!assemble)
    return llvm::Error::success();
  Clock::time_point begin = Clock::now();
  llvm::Expected<Assembled> assembled = runPtxas(code.ptx, target.chip);
  if (!assembled)
    return assembled.takeError();
  result.times.ptxas += secondsSince(begin);
  code.cubin = std::move(assembled->cubin);
  for (KernelResources &resources : assembled->kernels)
    result.resources.push_back(std::move(resources));
  return llvm::Error::success();
}

llvm::Error TargetBuilder::build() {
  DiagnosticCollector diagnostics(module.getContext());
  Clock::time_point begin = Clock::now();
  std::string entryName = entry.getName().str();
  if (failed(runPipeline(module, target.name, Rung::Math, Rung::Buffers)))
    return diagnostics.asError();
  code.capability = static_cast<uint32_t>(target.capability);
  code.isSpecific = StringRef(target.chip).ends_with("a");
  code.variants.emplace_back();
  code.variants.front().plan = getPlans(module);
  if (failed(runPipeline(module, target.name, Rung::Buffers, Rung::Tiles)))
    return diagnostics.asError();
  entry = module.lookupSymbol<func::FuncOp>(entryName);
  if (llvm::Error error = readHost())
    return error;
  if (failed(runPipeline(module, target.name, Rung::Tiles, Rung::Machine)))
    return diagnostics.asError();
  result.times.passes += secondsSince(begin);
  begin = Clock::now();
  if (failed(runPipeline(module, target.name, Rung::Machine, Rung::Binary)))
    return diagnostics.asError();
  result.times.llvm += secondsSince(begin);
  for (auto binary : module.getOps<gpu::BinaryOp>()) {
    auto object = cast<gpu::ObjectAttr>(binary.getObjects()[0]);
    std::string ptx = object.getObject().getValue().str();
    while (!ptx.empty() && ptx.back() == '\0')
      ptx.pop_back();
    if (llvm::Error error = addPTX(std::move(ptx)))
      return error;
  }
  // A batch of nothing needs no kernels, but a target is code.
  if (code.ptx.empty())
    code.ptx = ".version 8.0\n.target " + target.chip + "\n.address_size 64\n";
  result.artifact.targets.push_back(std::move(code));
  return llvm::Error::success();
}

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
  if (failed(runPipeline(*module, target, Rung::Math, to)))
    return diagnostics.asError();
  return std::move(module);
}

static constexpr const char *kPortableTarget = "sm_80";

/// Takes away the plans that `target` cannot run.
static void dropOtherPlans(ModuleOp module, const GPUTarget &target) {
  module.walk([&](ProductOpInterface op) {
    auto plan = dyn_cast_or_null<GPUPlanAttr>(op.getPlanAttr());
    if (plan &&
        !checkGPUPlan(getProblem(op), plan.getPlan(op.getLayout()), target)
             .empty())
      op.setPlanAttr({});
  });
}

llvm::Expected<BuiltArtifact>
ks::buildArtifact(ModuleOp original, const ArtifactOptions &options) {
  initializeNVPTX();
  BuiltArtifact result;
  std::vector<std::string> targets = options.targets;
  bool addsPortable =
      options.isPortable && !llvm::is_contained(targets, kPortableTarget);
  if (addsPortable)
    targets.push_back(kPortableTarget);
  for (const std::string &name : targets) {
    std::optional<GPUTarget> target = getGPUTarget(name);
    if (!target)
      return makeError("unknown target '" + name + "'; expected one of " +
                       getGPUTargetNames());
    OwningOpRef<ModuleOp> module(cast<ModuleOp>(original->clone()));
    if (addsPortable && name == kPortableTarget)
      dropOtherPlans(*module, *target);
    llvm::Expected<func::FuncOp> entry = findEntry(*module, options.entry);
    if (!entry)
      return entry.takeError();
    result.artifact.entry = entry->getName().str();
    TargetBuilder builder(*module, *entry, *target, result, options.assemble);
    if (llvm::Error error = builder.build())
      return std::move(error);
    if (result.artifact.arguments.empty())
      if (llvm::Error error = readArguments(
              module->lookupSymbol<func::FuncOp>(result.artifact.entry),
              result.artifact))
        return std::move(error);
  }
  return result;
}
