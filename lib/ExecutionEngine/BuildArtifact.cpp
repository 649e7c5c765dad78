//===- BuildArtifact.cpp - From a module to an artefact -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/ExecutionEngine/BuildArtifact.h"

#include "ModuleSupport.h"
#include "Ptxas.h"

#include "ks/Analysis/Target.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Pipelines/Pipelines.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
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

static std::string toText(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

//===----------------------------------------------------------------------===//
// From host code to launches
//===----------------------------------------------------------------------===//

/// A dimension that is only known at run time is the batch.
static llvm::Expected<ArrayInfo> getArrayInfo(Type type, Twine name) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return makeError("an artefact cannot hold an argument of type " +
                     toText(type) + "; expected tensors or memrefs");
  llvm::Expected<ElementType> element = toElementType(memref.getElementType());
  if (!element)
    return element.takeError();
  ArrayInfo info;
  info.name = name.str();
  info.type = static_cast<KsElementType>(*element);
  for (int64_t size : memref.getShape())
    info.shape.push_back(ShapedType::isDynamic(size) ? Size{0, 1}
                                                     : Size{size, 0});
  // Kernels look at pointers and pitches themselves.
  info.alignment =
      getRealType(memref.getElementType()).getIntOrFloatBitWidth() / 8;
  return info;
}

namespace {
/// What stands behind the memrefs of a host function.
using OperandMap = llvm::DenseMap<Value, Operand>;

/// Reads the launches of a host function, which consists of nothing else but
/// memory for intermediates.
class LaunchReader {
public:
  LaunchReader(OperandMap operands, std::vector<ArrayInfo> &workspace)
      : operands(std::move(operands)), workspace(workspace) {}

  llvm::Error read(func::FuncOp func, std::vector<Launch> &launches);

private:
  llvm::Error readLaunch(gpu::LaunchFuncOp op, std::vector<Launch> &launches);
  llvm::Error readGrid(Value blocks, Launch &launch);

  OperandMap operands;
  std::vector<ArrayInfo> &workspace;
};
} // namespace

/// ceil(s / tile) · factor, as canonicalized forms of it. Multiplies to
/// `factor`, and sets `tile`.
static bool matchGrid(AffineExpr expr, int64_t &tile, int64_t &factor) {
  if (auto binary = dyn_cast<AffineBinaryOpExpr>(expr)) {
    auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
    if (!constant)
      return false;
    if (expr.getKind() == AffineExprKind::Mul) {
      factor *= constant.getValue();
      return matchGrid(binary.getLHS(), tile, factor);
    }
    if (expr.getKind() == AffineExprKind::CeilDiv && tile == 1) {
      tile = constant.getValue();
      return matchGrid(binary.getLHS(), tile, factor);
    }
    return false;
  }
  return isa<AffineSymbolExpr, AffineDimExpr>(expr);
}

/// min(ceil(s / tile), tiles).
static bool matchMinimum(AffineMap map, Launch &launch) {
  int64_t factor = 1;
  for (AffineExpr expr : map.getResults())
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      launch.maxTiles = constant.getValue();
    else if (!matchGrid(expr, launch.tile, factor))
      return false;
  return map.getNumResults() == 2 && factor == 1;
}

llvm::Error LaunchReader::readGrid(Value blocks, Launch &launch) {
  IntegerAttr constant;
  if (matchPattern(blocks, m_Constant(&constant))) {
    launch.tile = 0;
    launch.factor = constant.getInt();
    return llvm::Error::success();
  }
  launch.tile = launch.factor = 1;
  // From the outside in: · factor, the minimum, ceil(batch / tile).
  bool matches = true;
  while (matches && !blocks.getDefiningOp<memref::DimOp>()) {
    if (auto apply = blocks.getDefiningOp<affine::AffineApplyOp>()) {
      matches = apply.getMapOperands().size() == 1 &&
                matchGrid(apply.getAffineMap().getResult(0), launch.tile,
                          launch.factor);
      blocks = matches ? apply.getMapOperands().front() : blocks;
    } else {
      auto min = blocks.getDefiningOp<affine::AffineMinOp>();
      matches = min && min.getMapOperands().size() == 1 &&
                matchMinimum(min.getAffineMap(), launch);
      blocks = matches ? min.getMapOperands().front() : blocks;
    }
  }
  if (matches)
    return llvm::Error::success();
  return makeError("kernel @" + launch.kernel +
                   " has a grid that is not min(ceil(batch / tile), tiles) * "
                   "factor");
}

static void addTensorMap(TensorMapOp op, Operand &operand) {
  operand.form = Operand::Form::TensorMap;
  TensorMapRecipe &recipe = operand.tensorMap;
  for (int64_t size : op.getSizes())
    recipe.sizes.push_back(size < 0 ? Size{0, 1} : Size{size, 0});
  recipe.strides.assign(op.getStrides().begin(), op.getStrides().end());
  for (int64_t size : op.getBox())
    recipe.box.push_back(static_cast<uint32_t>(size));
  recipe.swizzleBytes = static_cast<uint32_t>(op.getSwizzle());
}

llvm::Error LaunchReader::readLaunch(gpu::LaunchFuncOp op,
                                     std::vector<Launch> &launches) {
  Launch launch;
  launch.kernel = op.getKernelName().str();
  if (llvm::Error error = readGrid(op.getGridSizeX(), launch))
    return error;
  IntegerAttr threads, shared;
  if (!matchPattern(op.getBlockSizeX(), m_Constant(&threads)))
    return makeError("kernel @" + launch.kernel +
                     " has blocks of unknown size");
  launch.threads = static_cast<uint32_t>(threads.getInt());
  if (Value size = op.getDynamicSharedMemorySize();
      size && matchPattern(size, m_Constant(&shared)))
    launch.sharedBytes = static_cast<uint32_t>(shared.getInt());
  for (Value operand : op.getKernelOperands()) {
    auto map = operand.getDefiningOp<TensorMapOp>();
    if (map)
      operand = map.getSource();
    while (auto cast = operand.getDefiningOp<memref::CastOp>())
      operand = cast.getSource();
    auto known = operands.find(operand);
    if (known == operands.end())
      return makeError("kernel @" + launch.kernel +
                       " has an operand that is neither an argument nor an "
                       "intermediate");
    launch.operands.push_back(known->second);
    if (map)
      addTensorMap(map, launch.operands.back());
  }
  launches.push_back(std::move(launch));
  return llvm::Error::success();
}

llvm::Error LaunchReader::read(func::FuncOp func,
                               std::vector<Launch> &launches) {
  for (Operation &op : func.front()) {
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op)) {
      if (llvm::Error error = readLaunch(launch, launches))
        return error;
    } else if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
      auto index = static_cast<uint32_t>(workspace.size());
      llvm::Expected<ArrayInfo> info =
          getArrayInfo(alloc.getType(), "workspace" + Twine(index));
      if (!info)
        return info.takeError();
      workspace.push_back(std::move(*info));
      operands[alloc] = {
          Operand::Kind::Workspace, Operand::Form::Descriptor, index, {}};
    } else if (!isa<TensorMapOp, memref::DeallocOp, memref::CastOp,
                    memref::DimOp, affine::AffineApplyOp, affine::AffineMinOp,
                    func::ReturnOp>(op) &&
               !op.hasTrait<OpTrait::ConstantLike>()) {
      return makeError("an artefact cannot hold the op '" +
                       op.getName().getStringRef() + "' of @" + func.getName() +
                       "; expected KS products of the function's arguments");
    }
  }
  return llvm::Error::success();
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
  if (llvm::Error error =
          LaunchReader(bind(pack, packArguments), none).read(pack, code.pack))
    return error;
  Variant &variant = code.variants.front();
  return LaunchReader(bind(packed, getArguments("ks.packed_args")),
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
  return LaunchReader(std::move(map), variant.workspace)
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
