//===- TargetBuilder.cpp - The code of an artefact for one target ---------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TargetBuilder.h"

#include "LaunchReader.h"
#include "ModuleSupport.h"
#include "Ptxas.h"

#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"

#include <chrono>

using namespace mlir;
using namespace ks;

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

LogicalResult ks::runGPUPipeline(ModuleOp module, StringRef target, Rung from,
                                 Rung to, int64_t batch) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  GPUPipelineOptions options;
  options.target = target.str();
  options.from = from;
  options.to = to;
  options.batch = batch;
  buildGPUPipeline(pm, options);
  return pm.run(module);
}

llvm::Error TargetBuilder::run(ModuleOp module, Rung from, Rung to,
                               int64_t batch) {
  if (failed(runGPUPipeline(module, target.name, from, to, batch)))
    return diagnostics.asError();
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Versions
//===----------------------------------------------------------------------===//

/// All plans of the module.
static ArrayAttr getPlans(ModuleOp module) {
  SmallVector<Attribute> plans;
  module.walk([&](ProductOpInterface op) {
    if (op.getPlanAttr())
      plans.push_back(op.getPlanAttr());
  });
  return ArrayAttr::get(module.getContext(), plans);
}

static bool hasUnknownBatch(func::FuncOp func) {
  return llvm::any_of(func.getArgumentTypes(), [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && !shaped.hasStaticShape();
  });
}

llvm::Expected<TargetBuilder::Version>
TargetBuilder::planVersion(int64_t batch, ArrayAttr main) {
  Version version;
  version.module = cast<ModuleOp>(original->clone());
  if (main)
    getEntry(version)->setAttr(kMainPlansAttr, main);
  if (llvm::Error error =
          run(*version.module, Rung::Math, Rung::Buffers, batch))
    return std::move(error);
  version.plans = getPlans(*version.module);
  if (batch)
    version.suffix = ("_b" + Twine(batch)).str();
  return version;
}

llvm::Error TargetBuilder::planVersions() {
  llvm::Expected<Version> main = planVersion(0, {});
  if (!main)
    return main.takeError();
  versions.push_back(std::move(*main));
  constexpr Range all{0, INT64_MAX};
  if (!options.isSpecialized || !hasUnknownBatch(getEntry())) {
    versions.front().ranges = {all};
    return llvm::Error::success();
  }
  // Ranges, and batches that stand for them; the main one is the planner's. A
  // plan says how many blocks there are at most: the greatest batch decides.
  constexpr std::pair<Range, int64_t> others[] = {{{0, 8}, 8},
                                                  {{9, 64}, 64},
                                                  {{65, 512}, 512},
                                                  {{16385, INT64_MAX}, 65536}};
  versions.front().ranges = {{513, 16384}};
  for (auto [range, batch] : others) {
    llvm::Expected<Version> version =
        planVersion(batch, versions.front().plans);
    if (!version)
      return version.takeError();
    auto known = llvm::find_if(versions, [&](const Version &candidate) {
      return candidate.plans == version->plans;
    });
    if (known == versions.end())
      known = versions.insert(versions.end(), std::move(*version));
    known->ranges.push_back(range);
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// Operands of @f_pack and @f_packed: some arguments of the function, then
/// packed weights.
static OperandMap bindArguments(func::FuncOp func, ArrayRef<int64_t> arguments,
                                ArrayRef<uint32_t> packed) {
  OperandMap map;
  for (BlockArgument argument : func.getArguments()) {
    unsigned number = argument.getArgNumber();
    bool isArgument = number < arguments.size();
    Operand &operand = map[argument];
    operand.kind = isArgument ? Operand::Kind::Argument : Operand::Kind::Packed;
    operand.index = isArgument ? static_cast<uint32_t>(arguments[number])
                               : packed[number - arguments.size()];
  }
  return map;
}

static ArrayRef<int64_t> getArguments(func::FuncOp entry, StringRef name) {
  return entry->getAttrOfType<DenseI64ArrayAttr>(name).asArrayRef();
}

/// The function that an attribute of the entry names, if any.
static func::FuncOp getNamed(ModuleOp module, func::FuncOp entry,
                             StringRef name) {
  auto symbol = entry->getAttrOfType<FlatSymbolRefAttr>(name);
  return symbol ? module.lookupSymbol<func::FuncOp>(symbol.getValue())
                : func::FuncOp();
}

/// The op of @f_pack that merges others into `weight`, if any.
static MergeWeightsOp getMerge(Value weight, Operation *reader) {
  MergeWeightsOp last;
  for (Operation *user : weight.getUsers())
    if (auto merge = dyn_cast<MergeWeightsOp>(user))
      if (merge.getInit() == weight && merge->isBeforeInBlock(reader) &&
          (!last || last->isBeforeInBlock(merge)))
        last = merge;
  return last;
}

/// Writes what `weight` is, as `reader` finds it: an argument, a constant, or
/// what is merged of others.
static void describeWeight(Value weight, Operation *reader,
                           ArrayRef<int64_t> arguments, raw_ostream &os) {
  while (auto cast = weight.getDefiningOp<memref::CastOp>())
    weight = cast.getSource();
  if (auto argument = dyn_cast<BlockArgument>(weight)) {
    os << arguments[argument.getArgNumber()];
    return;
  }
  if (MergeWeightsOp merge = getMerge(weight, reader)) {
    os << "(" << weight.getType() << " ";
    describeWeight(merge.getRightWeight(), merge, arguments, os);
    os << " " << merge.getRight() << " ";
    describeWeight(merge.getLeftWeight(), merge, arguments, os);
    os << " " << merge.getLeft() << " " << merge.getPattern() << ")";
    return;
  }
  // Names of constants are those of one version.
  os << weight.getAsOpaquePointer();
}

/// What each op of @f_pack packs, and how: equal keys stand for equal bytes.
static std::vector<std::string> getPackedKeys(func::FuncOp pack,
                                              ArrayRef<int64_t> arguments) {
  std::vector<std::string> keys;
  for (auto op : pack.front().getOps<PackWeightsOp>()) {
    std::string key;
    llvm::raw_string_ostream os(key);
    describeWeight(op.getWeight(), op, arguments, os);
    os << " " << op.getPattern() << " " << op.getPacking();
    keys.push_back(key);
  }
  return keys;
}

/// Takes out of @f_pack what `known` versions have packed, and merges that
/// nothing else reads.
static void dropKnown(func::FuncOp pack, ArrayRef<std::string> keys,
                      ArrayRef<std::string> known) {
  auto packs = llvm::to_vector(pack.front().getOps<PackWeightsOp>());
  for (auto [op, key] : llvm::zip_equal(packs, keys))
    if (llvm::is_contained(known, key))
      op.erase();
  auto merges = llvm::to_vector(pack.front().getOps<MergeWeightsOp>());
  for (MergeWeightsOp merge : llvm::reverse(merges)) {
    bool isRead = llvm::any_of(merge.getInit().getUsers(), [&](Operation *op) {
      return isa<MergeWeightsOp, PackWeightsOp>(op) && op != merge;
    });
    if (!isRead)
      merge.erase();
  }
  // Memory that only a merge wrote to.
  for (auto alloc : llvm::to_vector(pack.front().getOps<memref::AllocOp>()))
    if (llvm::all_of(alloc->getUsers(), llvm::IsaPred<memref::DeallocOp>)) {
      for (Operation *user : llvm::make_early_inc_range(alloc->getUsers()))
        user->erase();
      alloc.erase();
    }
}

/// Reads @f_pack: adds the weights that no earlier version has packed.
llvm::Error TargetBuilder::readPacking(func::FuncOp pack, Version &version) {
  ArrayRef<int64_t> arguments = getArguments(getEntry(version), "ks.pack_args");
  SmallVector<uint32_t> indices;
  for (auto [key, type] :
       llvm::zip_equal(version.packedKeys,
                       pack.getArgumentTypes().drop_front(arguments.size()))) {
    auto known = llvm::find(packedKeys, key);
    indices.push_back(static_cast<uint32_t>(known - packedKeys.begin()));
    if (known != packedKeys.end())
      continue;
    packedKeys.push_back(key);
    llvm::Expected<ArrayInfo> info =
        getArrayInfo(type, "packed" + Twine(indices.back()));
    if (!info)
      return info.takeError();
    code.packed.push_back(std::move(*info));
  }
  // Merged weights that are yet to be packed lie behind the packed ones.
  std::vector<Launch> launches;
  OperandMap map = bindArguments(pack, arguments, indices);
  if (llvm::Error error =
          LaunchReader(std::move(map), code, code.packed, Operand::Kind::Packed)
              .read(pack, launches))
    return error;
  while (packedKeys.size() < code.packed.size())
    packedKeys.push_back(code.packed[packedKeys.size()].name);
  takeKernels(version, launches);
  llvm::append_range(code.pack, launches);
  return llvm::Error::success();
}

/// Moves the kernels of `launches` to those of the main version.
void TargetBuilder::takeKernels(Version &version,
                                MutableArrayRef<Launch> launches) {
  if (&version == &versions.front())
    return;
  auto getKernels = [](Version &of) {
    return *of.module->getOps<gpu::GPUModuleOp>().begin();
  };
  for (Launch &launch : launches) {
    if (launch.product)
      continue;
    auto kernel =
        getKernels(version).lookupSymbol<gpu::GPUFuncOp>(launch.kernel);
    launch.kernel += version.suffix;
    kernel.setName(launch.kernel);
    Block &body = getKernels(versions.front()).getBodyRegion().front();
    kernel->moveBefore(&body, body.end());
  }
}

/// Sorts variants; neighbours that are the same but for the range are one.
static void sortVariants(std::vector<Variant> &variants) {
  llvm::sort(variants, [](const Variant &x, const Variant &y) {
    return x.minBatch < y.minBatch;
  });
  std::vector<Variant> merged;
  for (Variant &variant : variants)
    if (!merged.empty() && merged.back().launches == variant.launches &&
        merged.back().workspace == variant.workspace)
      merged.back().maxBatch = variant.maxBatch;
    else
      merged.push_back(std::move(variant));
  variants = std::move(merged);
}

/// Reads what the host does.
llvm::Error TargetBuilder::readHost(Version &version, Variant &variant) {
  func::FuncOp entry = getEntry(version);
  func::FuncOp packed = getNamed(*version.module, entry, "ks.packed");
  OperandMap map;
  if (packed) {
    std::vector<uint32_t> indices;
    for (const std::string &key : version.packedKeys)
      indices.push_back(static_cast<uint32_t>(llvm::find(packedKeys, key) -
                                              packedKeys.begin()));
    map = bindArguments(packed, getArguments(entry, "ks.packed_args"), indices);
  } else {
    auto arguments =
        llvm::to_vector(llvm::seq<int64_t>(0, entry.getNumArguments()));
    map = bindArguments(entry, arguments, {});
  }
  if (llvm::Error error = LaunchReader(std::move(map), code, variant.workspace)
                              .read(packed ? packed : entry, variant.launches))
    return error;
  takeKernels(version, variant.launches);
  return llvm::Error::success();
}

llvm::Error TargetBuilder::lowerVersion(Version &version) {
  Variant variant;
  llvm::raw_string_ostream plan(variant.plan);
  llvm::interleave(version.plans, plan, "; ");
  func::FuncOp pack = getNamed(*version.module, getEntry(version), "ks.pack");
  if (pack) {
    version.packedKeys =
        getPackedKeys(pack, getArguments(getEntry(version), "ks.pack_args"));
    dropKnown(pack, version.packedKeys, packedKeys);
  }
  if (llvm::Error error = run(*version.module, Rung::Buffers, Rung::Tiles))
    return error;
  pack = getNamed(*version.module, getEntry(version), "ks.pack");
  if (pack)
    if (llvm::Error error = readPacking(pack, version))
      return error;
  if (llvm::Error error = readHost(version, variant))
    return error;
  for (Range range : version.ranges) {
    variant.minBatch = range.first;
    variant.maxBatch = range.last;
    code.variants.push_back(variant);
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

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
  if (!options.assemble)
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

/// All kernels, from tiles to code.
llvm::Error TargetBuilder::lowerKernels() {
  Clock::time_point begin = Clock::now();
  ModuleOp module = *versions.front().module;
  if (llvm::Error error = run(module, Rung::Tiles, Rung::Machine))
    return error;
  result.times.passes += secondsSince(begin);
  begin = Clock::now();
  if (llvm::Error error = run(module, Rung::Machine, Rung::Binary))
    return error;
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
  return llvm::Error::success();
}

llvm::Error TargetBuilder::build() {
  Clock::time_point begin = Clock::now();
  code.capability = static_cast<uint32_t>(target.capability);
  code.isSpecific = StringRef(target.chip).ends_with("a");
  if (llvm::Error error = planVersions())
    return error;
  for (Version &version : versions)
    if (llvm::Error error = lowerVersion(version))
      return error;
  sortVariants(code.variants);
  result.times.passes += secondsSince(begin);
  if (llvm::Error error = lowerKernels())
    return error;
  result.artifact.targets.push_back(std::move(code));
  return llvm::Error::success();
}
