//===- LayerLoader.cpp - Choosing and loading code ------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerLoader.h"

#include "ArtifactCheck.h"
#include "CUDAFunctions.h"
#include "LibraryProducts.h"
#include "Text.h"

#include <algorithm>

using namespace ks;
using namespace ks::cuda;

namespace {

/// Cubins run on their own generation, from their own capability on; those for
/// one very capability, on that one.
bool runsCubin(uint32_t device, const TargetCode &target) {
  if (target.isSpecific)
    return device == target.capability;
  return device >= target.capability && device / 10 == target.capability / 10;
}

bool runsCode(uint32_t device, const TargetCode &target) {
  if (target.isSpecific ? device != target.capability
                        : device < target.capability)
    return false;
  return !target.ptx.empty() || runsCubin(device, target);
}

template <typename Visit>
void forEachLaunch(const TargetCode &target, Visit visit) {
  for (const Launch &launch : target.pack)
    visit(launch);
  for (const Variant &variant : target.variants)
    for (const Launch &launch : variant.launches)
      visit(launch);
}

/// The most dynamic shared memory that launches of `kernel` (null: of any) ask
/// for.
uint32_t getSharedBytes(const TargetCode &target, const std::string *kernel) {
  uint32_t bytes = 0;
  forEachLaunch(target, [&](const Launch &launch) {
    if (!kernel || launch.kernel == *kernel)
      bytes = std::max(bytes, launch.sharedBytes);
  });
  return bytes;
}

CUfunction toFunction(void *function) {
  return static_cast<CUfunction>(function);
}

} // namespace

Status Layer::Loader::load(std::unique_ptr<Layer> &result) {
  if (!context)
    return {KS_ERROR_ARGUMENT, "got an empty CUDAContext, expected one that "
                               "CUDAContext::open has opened"};
  if (Status status = context.getDeviceInfo(info))
    return status;
  if (Status status = chooseTarget())
    return status;
  layer.reset(new Layer);
  layer->context = context;
  if (Status status = checkDriver(artifact.targets[chosen]))
    return status;
  const Functions &functions = *context.getFunctions();
  CurrentContext scope(functions, static_cast<CUcontext>(context.getHandle()));
  if (scope.getStatus())
    return scope.getStatus();
  if (Status status = loadModule(artifact.targets[chosen]))
    return status;

  // What is not needed any more is most of the bytes.
  TargetCode target = std::move(artifact.targets[chosen]);
  target.ptx = std::string();
  target.cubin = std::string();
  artifact.targets.clear();
  artifact.targets.push_back(std::move(target));
  layer->artifact = std::move(artifact);
  layer->targetName = ks::getTargetName(layer->getTarget());
  sortArguments();
  if (Status status = uploadConstants())
    return status.in("constants");
  if (Status status = openLibrary())
    return status;

  if (Status status = loadKernels(layer->getTarget().pack, layer->packKernels))
    return status;
  for (const Variant &variant : layer->getTarget().variants) {
    Run &run = layer->runs.emplace_back();
    run.variant = &variant;
    if (Status status = loadKernels(variant.launches, run.kernels))
      return status;
  }
  int readsHost = 0;
  functions.cuDeviceGetAttribute(&readsHost,
                                 CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
                                 context.getDevice());
  layer->readsHostMemory = readsHost != 0;
  // Drivers for CUDA 12.3 and later do so in graphs, too.
  layer->overlapsLaunches =
      functions.cuLaunchKernelEx && info.driverVersion >= 12030;
  result = std::move(layer);
  return {};
}

//===----------------------------------------------------------------------===//
// The target
//===----------------------------------------------------------------------===//

bool Layer::Loader::isUsable(const TargetCode &target,
                             std::string &reason) const {
  if (!runsCode(info.capability, target))
    return false;
  size_t sharedBytes = getSharedBytes(target, nullptr);
  if (sharedBytes <= info.sharedBytesPerBlock)
    return true;
  reason += concat("; ", ks::getTargetName(target), " needs ", sharedBytes,
                   " bytes of shared memory per block, the GPU has ",
                   info.sharedBytesPerBlock);
  return false;
}

Status Layer::Loader::chooseTarget() {
  const TargetCode *best = nullptr;
  std::string names, reason;
  for (const TargetCode &target : artifact.targets) {
    names += concat(names.empty() ? "" : ", ", ks::getTargetName(target));
    auto rank = [](const TargetCode &target) {
      return std::pair(target.isSpecific, target.capability);
    };
    if (isUsable(target, reason) && (!best || rank(*best) < rank(target)))
      best = &target;
  }
  if (!best)
    return {KS_ERROR_NO_DEVICE,
            concat("the artefact has no code for this GPU, ", info.name,
                   " of compute capability ", info.capability / 10, '.',
                   info.capability % 10, ": it has code for ", names, reason,
                   "; compile the layer for sm_", info.capability,
                   " or for an older architecture, which later GPUs run too")};
  chosen = best - artifact.targets.data();
  return {};
}

/// Old drivers lack what newer GPUs can do.
Status Layer::Loader::checkDriver(const TargetCode &target) const {
  const Functions &functions = *context.getFunctions();
  const char *missing = nullptr;
  forEachLaunch(target, [&](const Launch &launch) {
    if (launch.clusterBlocks > 1 && !functions.cuLaunchKernelEx)
      missing = "clusters of blocks, expected one for CUDA 11.8";
    for (const Operand &operand : launch.operands)
      if (operand.form == Operand::Form::TensorMap &&
          !functions.cuTensorMapEncodeTiled)
        missing = "tensor maps, expected one for CUDA 12.0";
  });
  if (!missing)
    return {};
  return {KS_ERROR_NO_DRIVER,
          concat("the NVIDIA driver (for CUDA ", info.driverVersion / 1000, '.',
                 info.driverVersion % 1000 / 10, ") does not know ", missing,
                 " or later; update the driver")};
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

Status Layer::Loader::loadImage(const std::string &image, const char *what) {
  char log[4096] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  // The driver expects the size itself where a pointer would be.
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  CUmodule module = nullptr;
  const Functions &functions = *context.getFunctions();
  CUresult result =
      functions.cuModuleLoadDataEx(&module, image.c_str(), 2, options, values);
  Status status = toStatus(functions, result,
                           concat("loading the ", what, " for ",
                                  ks::getTargetName(artifact.targets[chosen])));
  if (!status) {
    layer->module = module;
    return {};
  }
  if (status.getCode() == KS_ERROR_OUT_OF_MEMORY)
    return status;
  std::string said = log;
  while (!said.empty() && (said.back() == '\n' || said.back() == '\0'))
    said.pop_back();
  return {KS_ERROR_COMPILE,
          concat(status.getMessage(),
                 said.empty() ? "" : "; the driver said: ", said)};
}

Status Layer::Loader::loadModule(const TargetCode &target) {
  Status refused;
  if (!target.cubin.empty() && runsCubin(info.capability, target)) {
    refused = loadImage(target.cubin, "cubin");
    layer->usesCubin = !refused;
    if (!refused || target.ptx.empty())
      return refused;
    layer->note = refused.getMessage();
  }
  Status status = loadImage(target.ptx, "PTX");
  if (!status || !refused)
    return status;
  return {status.getCode(),
          concat(status.getMessage(), "; before that, ", refused.getMessage())};
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Lets the function have the shared memory and the clusters it asks for.
Status Layer::Loader::prepareFunction(const Launch &launch, void *function) {
  const Functions &functions = *context.getFunctions();
  CUfunction handle = toFunction(function);
  if (functions.cuFuncLoad)
    if (Status status = toStatus(functions, functions.cuFuncLoad(handle),
                                 "loading its code"))
      return status;
  int fixedBytes = 0;
  if (Status status = toStatus(
          functions,
          functions.cuFuncGetAttribute(
              &fixedBytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, handle),
          "asking for its shared memory"))
    return status;
  uint32_t bytes = getSharedBytes(layer->getTarget(), &launch.kernel);
  if (size_t(bytes) + fixedBytes > info.sharedBytesPerBlock)
    return {KS_ERROR_NO_DEVICE,
            concat("it needs ", bytes, " + ", fixedBytes,
                   " bytes of shared memory per block, the GPU has ",
                   info.sharedBytesPerBlock,
                   "; compile the layer for this GPU")};
  // Below that, no permission is needed.
  constexpr uint32_t defaultSharedBytes = 48 * 1024;
  if (bytes + fixedBytes > defaultSharedBytes)
    if (Status status = toStatus(
            functions,
            functions.cuFuncSetAttribute(
                handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                static_cast<int>(bytes)),
            concat("asking for ", bytes, " bytes of shared memory")))
      return status;
  constexpr uint32_t portableClusterBlocks = 8;
  if (launch.clusterBlocks <= portableClusterBlocks)
    return {};
  return toStatus(
      functions,
      functions.cuFuncSetAttribute(
          handle, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1),
      concat("asking for clusters of ", launch.clusterBlocks, " blocks"));
}

Status Layer::Loader::loadKernel(const Launch &launch, Kernel &kernel) {
  const Functions &functions = *context.getFunctions();
  CUfunction function = nullptr;
  CUresult result = functions.cuModuleGetFunction(
      &function, static_cast<CUmodule>(layer->module), launch.kernel.c_str());
  if (result == CUDA_ERROR_NOT_FOUND)
    return {KS_ERROR_ARTIFACT, "the code has no such kernel; compile the layer "
                               "again, with this version of KS"};
  if (Status status = toStatus(functions, result, "looking it up"))
    return status;
  kernel.function = function;
  return prepareFunction(launch, function);
}

Status Layer::Loader::loadKernels(const std::vector<Launch> &launches,
                                  std::vector<Kernel> &kernels) {
  Condition other =
      layer->library ? Condition::WithoutLibrary : Condition::WithLibrary;
  for (const Launch &launch : launches) {
    if (launch.condition == other)
      continue;
    Kernel &kernel = kernels.emplace_back();
    kernel.launch = &launch;
    if (launch.product)
      continue;
    if (Status status = loadKernel(launch, kernel))
      return status.in(concat("kernel '", launch.kernel, "'"));
  }
  return {};
}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

/// Whether the library knows all products, for one batch of each variant: a
/// layer's weights are packed for it, or for kernels.
Status Layer::Loader::tryLibrary(const LibraryProducts &library) const {
  void *aligned = reinterpret_cast<void *>(arrayAlignment);
  for (const Variant &variant : layer->getTarget().variants)
    for (const Launch &launch : variant.launches) {
      if (!launch.product)
        continue;
      int64_t batch = std::max<int64_t>(1, variant.minBatch);
      auto place = [&](size_t operand) {
        return placeView(getArray(layer->artifact, layer->getTarget(), &variant,
                                  launch.operands[operand]),
                         aligned, batch);
      };
      LibraryCall call{*launch.product, place(0), place(1), place(2)};
      if (Status status = library.prepare(call))
        return status;
    }
  return {};
}

/// Opens the library, if there is work for it. Where it cannot be used kernels
/// do the work, unless the user has named a library.
Status Layer::Loader::openLibrary() {
  if (std::ranges::none_of(layer->getTarget().variants,
                           &Variant::hasLibraryProduct))
    return {};
  std::unique_ptr<LibraryProducts> library;
  bool isAsked = false;
  Status status = LibraryProducts::create(context, library, isAsked);
  if (!status)
    status = tryLibrary(*library);
  if (!status) {
    layer->libraryName = library->getName();
    layer->library = std::move(library);
    return {};
  }
  if (isAsked)
    return status;
  layer->note += concat(layer->note.empty() ? "" : "; ", status.getMessage());
  return {};
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// Where each of the arrays is, if all lie one after the other, and the end.
static size_t findOffsets(const std::vector<ArrayInfo> &arrays,
                          std::vector<size_t> &offsets) {
  size_t end = 0;
  for (const ArrayInfo &array : arrays) {
    offsets.push_back(end);
    // Cannot overflow: the artefact was checked.
    size_t bytes = 0;
    getBytes(array, /*batch=*/0, bytes);
    roundUp(bytes, arrayAlignment);
    end += bytes;
  }
  return end;
}

Status Layer::Loader::uploadConstants() {
  TargetCode &target = layer->artifact.targets.front();
  std::string bytes = std::move(target.constantBytes);
  target.constantBytes = std::string();
  findOffsets(target.constants, layer->constantOffsets);
  if (bytes.empty())
    return {};
  const Functions &functions = *context.getFunctions();
  CUdeviceptr memory = 0;
  if (Status status =
          toStatus(functions, functions.cuMemAlloc(&memory, bytes.size()),
                   concat("allocating ", bytes.size(), " bytes")))
    return status;
  layer->constants = reinterpret_cast<void *>(memory);
  if (Status status = toStatus(functions,
                               functions.cuMemcpyHtoDAsync(
                                   memory, bytes.data(), bytes.size(), nullptr),
                               "copying them"))
    return status;
  // Other streams may read them from now on.
  return toStatus(functions, functions.cuStreamSynchronize(nullptr),
                  "copying them");
}

void Layer::Loader::sortArguments() {
  const auto &arguments = layer->getArguments();
  for (size_t index = 0; index < arguments.size(); ++index) {
    bool isWeight = arguments[index].role == Role::Weight;
    std::vector<uint32_t> &list =
        isWeight ? layer->weightIndices : layer->arrayIndices;
    layer->positions.push_back(static_cast<uint32_t>(list.size()));
    list.push_back(static_cast<uint32_t>(index));
  }
  layer->totalPackedBytes =
      findOffsets(layer->getTarget().packed, layer->packedOffsets);
}
