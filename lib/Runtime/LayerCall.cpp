//===- LayerCall.cpp - Checking and launching -----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerCall.h"

#include "Text.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <new>

using namespace ks;
using namespace ks::cuda;

static constexpr const char *thePacked = "memory for packed weights";
static constexpr const char *theWorkspace = "the workspace";

static Status makeError(std::string message) {
  return {KS_ERROR_ARGUMENT, std::move(message)};
}

static Status makeOverlapError(const std::string &what,
                               const std::string &other) {
  return makeError(
      concat(what, " overlaps with ", other, "; expected memory of its own"));
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

std::string Layer::Call::describe(size_t position) const {
  return concat("array ", position, " ('", getInfo(position).name, "')");
}

Status Layer::Call::checkArrays() {
  if (numBuffers != expected.size())
    return makeError(concat("got ", numBuffers, " arrays, expected ",
                            expected.size(),
                            "; see ksGetLayerArgument for their order"));
  if (!buffers && numBuffers != 0)
    return makeError(concat("got NULL, expected ", numBuffers, " arrays"));
  for (size_t position = 0; position < numBuffers; ++position) {
    Status status = checkForm(getInfo(position), buffers[position]);
    if (!status && batch < 0)
      status = readBatch(getInfo(position), buffers[position], batch);
    if (status)
      return status.in(describe(position));
  }
  // A layer for one batch alone has one variant.
  if (batch < 0)
    batch = std::max<int64_t>(1, layer.getTarget().variants[0].minBatch);
  for (size_t position = 0; position < numBuffers; ++position) {
    ArrayView view;
    Status status = checkShape(getInfo(position), buffers[position], batch);
    if (!status)
      status = getView(position, view);
    if (status)
      return status.in(describe(position));
  }
  return {};
}

Status Layer::Call::getView(size_t position, ArrayView &view) const {
  return makeView(getInfo(position), buffers[position], view);
}

Status Layer::Call::getView(const Operand &operand, ArrayView &view) const {
  if (operand.kind == Operand::Kind::Argument)
    return getView(layer.positions[operand.index], view);
  const TargetCode &target = layer.getTarget();
  if (operand.kind == Operand::Kind::Packed) {
    view = placeView(target.packed[operand.index],
                     packed + layer.packedOffsets[operand.index], batch);
    return {};
  }
  if (operand.kind == Operand::Kind::Constant) {
    view = placeView(target.constants[operand.index],
                     static_cast<char *>(layer.constants) +
                         layer.constantOffsets[operand.index],
                     batch);
    return {};
  }
  size_t offset = 0;
  for (size_t index = 0; index < operand.index; ++index) {
    // Cannot overflow: the workspace was checked.
    size_t bytes = 0;
    getBytes(variant->workspace[index], batch, bytes);
    roundUp(bytes, arrayAlignment);
    offset += bytes;
  }
  view =
      placeView(variant->workspace[operand.index], workspace + offset, batch);
  return {};
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static Status checkPlace(const char *what, const void *memory, size_t bytes,
                         size_t expectedBytes) {
  if (bytes < expectedBytes)
    return makeError(concat(what, " has ", bytes, " bytes, expected at least ",
                            expectedBytes,
                            "; ask the layer how many it needs"));
  if (expectedBytes != 0 && !memory)
    return makeError(concat(what, " is NULL, expected ", expectedBytes,
                            " bytes of device memory"));
  if (reinterpret_cast<uintptr_t>(memory) % arrayAlignment != 0)
    return makeError(concat(
        what, " is ", reinterpret_cast<uintptr_t>(memory) % arrayAlignment,
        " bytes off a multiple of ", arrayAlignment,
        " bytes; expected such a multiple, which memory "
        "from cuMemAlloc is"));
  return {};
}

Status Layer::Call::setPacked(void *memory, size_t bytes) {
  packed = static_cast<char *>(memory);
  return checkPlace(thePacked, memory, bytes, layer.totalPackedBytes);
}

Status Layer::Call::setWorkspace(const Variant &forVariant, void *memory,
                                 size_t bytes) {
  variant = &forVariant;
  workspace = static_cast<char *>(memory);
  if (!layer.countWorkspace(*variant, batch, libraryOffset, workspaceBytes))
    return makeError(concat("the workspace for batch ", batch,
                            " has more bytes than can be counted; expected a "
                            "smaller batch"));
  return checkPlace(theWorkspace, memory, bytes, workspaceBytes);
}

Status Layer::Call::checkReachable(const void *memory) const {
  if (layer.readsHostMemory || !memory)
    return {};
  unsigned type = 0;
  if (functions.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                      toDevice(memory)) == CUDA_SUCCESS)
    return {};
  return makeError("it is in memory that CUDA does not know; expected device "
                   "memory: copy it to the GPU");
}

/// Checks a result against all arrays in front of it; results come last.
Status Layer::Call::checkResult(size_t result, const Extent &extent) const {
  for (size_t position = 0; position < result; ++position) {
    ArrayView view;
    if (Status status = getView(position, view))
      return status.in(describe(position));
    if (mayOverlap(extent, Extent::of(view)))
      return makeOverlapError(describe(result), describe(position));
  }
  return {};
}

Status Layer::Call::checkArrayMemory(size_t position, bool writesPacked) const {
  ArrayView view;
  if (Status status = getView(position, view))
    return status.in(describe(position));
  if (view.isEmpty())
    return {};
  if (Status status = checkReachable(view.data))
    return status.in(describe(position));
  Extent extent = Extent::of(view);
  bool isResult = layer.getArguments()[expected[position]].role == Role::Result;
  if (mayOverlap(extent, Extent::of(workspace, workspaceBytes)))
    return makeOverlapError(describe(position), theWorkspace);
  if ((isResult || writesPacked) &&
      mayOverlap(extent, Extent::of(packed, layer.totalPackedBytes)))
    return makeOverlapError(describe(position), thePacked);
  return isResult ? checkResult(position, extent) : Status();
}

Status Layer::Call::checkMemory(bool writesPacked) const {
  if (mayOverlap(Extent::of(packed, layer.totalPackedBytes),
                 Extent::of(workspace, workspaceBytes)))
    return makeOverlapError(theWorkspace, thePacked);
  if (Status status = checkReachable(packed))
    return status.in(thePacked);
  if (Status status = checkReachable(workspace))
    return status.in(theWorkspace);
  for (size_t position = 0; position < numBuffers; ++position)
    if (Status status = checkArrayMemory(position, writesPacked))
      return status;
  return {};
}

//===----------------------------------------------------------------------===//
// Checks of launches
//===----------------------------------------------------------------------===//

Status Layer::Call::getBlocks(const Launch &launch, unsigned &blocks) const {
  int64_t tiles = 1;
  if (launch.tile != 0)
    tiles = std::min(batch / launch.tile + (batch % launch.tile != 0),
                     launch.maxTiles);
  int64_t total = 0;
  if (__builtin_mul_overflow(tiles, launch.factor, &total) || total > INT_MAX)
    return makeError(concat("its grid has ", tiles, " * ", launch.factor,
                            " blocks, expected at most ", INT_MAX,
                            "; split the batch"));
  blocks = static_cast<unsigned>(total);
  return {};
}

Status Layer::Call::getLibraryCall(const Launch &launch,
                                   LibraryCall &call) const {
  size_t number = 0;
  for (ArrayView *view : {&call.input, &call.weights, &call.result})
    if (Status status = getView(launch.operands[number++], *view))
      return status;
  return {};
}

Status Layer::Call::check(const Launch &launch) const {
  if (launch.product) {
    LibraryCall call{*launch.product, {}, {}, {}};
    Status status = getLibraryCall(launch, call);
    return status ? status : layer.library->prepare(call);
  }
  unsigned blocks = 0;
  if (Status status = getBlocks(launch, blocks))
    return status;
  for (const Operand &operand : launch.operands) {
    if (blocks == 0 || operand.form != Operand::Form::TensorMap)
      continue;
    ArrayView view;
    Status status = getView(operand, view);
    if (!status)
      status = checkTensorMap(operand.tensorMap, view);
    if (status)
      return status;
  }
  return {};
}

/// The rules of cuTensorMapEncodeTiled that depend on the caller's memory.
Status Layer::Call::checkTensorMap(const TensorMapRecipe &recipe,
                                   const ArrayView &view) const {
  for (const Size &size : recipe.sizes) {
    int64_t value = 0;
    if (!getSize(size, batch, value) || value < 1 || value > int64_t(1) << 32)
      return makeError(concat("a tensor map has ", size.constant, " + ",
                              size.perBatch, " * ", batch,
                              " elements along a dimension, expected 1 to "
                              "2^32; split the batch"));
  }
  int64_t pitch = view.rank == 0 ? 0 : view.strides[0];
  size_t bytes = static_cast<size_t>(pitch) * getElementBytes(view.type);
  for (int64_t stride : recipe.strides)
    if (stride < 0 && bytes >= (size_t(1) << 40) / static_cast<size_t>(-stride))
      return makeError(concat("rows of an array are ", bytes,
                              " bytes apart, expected below 2^40 for tensor "
                              "maps; pass a copy"));
  return {};
}

/// Whether there is a tensor map of the array. Kernels look at the same bits,
/// and do without a map where there is none.
static bool isAlignedForMaps(const ArrayView &view) {
  constexpr size_t alignment = 16;
  size_t pitch = view.rank == 0 ? 0 : static_cast<size_t>(view.strides[0]);
  return reinterpret_cast<uintptr_t>(view.data) % alignment == 0 &&
         pitch * getElementBytes(view.type) % alignment == 0;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// The parameters of a launch, as the driver reads them: pointers to values.
class Layer::Call::Parameters {
public:
  void add(const ArrayView &view) {
    auto address = static_cast<int64_t>(reinterpret_cast<intptr_t>(view.data));
    add(address);
    add(address);
    add(int64_t(0)); // the offset
    for (size_t dim = 0; dim < view.rank; ++dim)
      add(view.shape[dim]);
    for (size_t dim = 0; dim < view.rank; ++dim)
      add(view.strides[dim]);
  }

  /// A map to be filled in.
  CUtensorMap &addMap() {
    used = (used + alignof(CUtensorMap) - 1) / alignof(CUtensorMap) *
           alignof(CUtensorMap);
    pointers[count++] = bytes + used;
    used += sizeof(CUtensorMap);
    return *new (pointers[count - 1]) CUtensorMap;
  }

  void **get() { return pointers; }

private:
  void add(int64_t value) {
    pointers[count++] = std::memcpy(bytes + used, &value, sizeof(value));
    used += sizeof(value);
  }

  // The check of the artefact limits parameters; maps may leave gaps.
  static constexpr size_t maxGaps =
      maxParameterBytes / tensorMapBytes * alignof(CUtensorMap);
  alignas(CUtensorMap) unsigned char bytes[maxParameterBytes + maxGaps];
  void *pointers[maxParameterBytes / sizeof(int64_t)];
  size_t used = 0;
  size_t count = 0;
};

static CUtensorMapDataType getMapType(KsElementType type) {
  switch (type) {
  case KS_F16:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  case KS_BF16:
    return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  case KS_F32:
    return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  case KS_F64:
  case KS_C64: // Only moved, and zero is zero.
  case KS_C128:
    break;
  }
  return CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
}

static CUtensorMapSwizzle getMapSwizzle(uint32_t bytes) {
  switch (bytes) {
  case 32:
    return CU_TENSOR_MAP_SWIZZLE_32B;
  case 64:
    return CU_TENSOR_MAP_SWIZZLE_64B;
  case 128:
    return CU_TENSOR_MAP_SWIZZLE_128B;
  default:
    return CU_TENSOR_MAP_SWIZZLE_NONE;
  }
}

Status Layer::Call::encode(const TensorMapRecipe &recipe, const ArrayView &view,
                           CUtensorMap &map) const {
  if (!isAlignedForMaps(view)) {
    std::memset(&map, 0, sizeof(map));
    return {};
  }
  constexpr size_t maxMapRank = 5;
  uint64_t sizes[maxMapRank];
  uint64_t strides[maxMapRank];
  constexpr uint32_t elementStrides[maxMapRank] = {1, 1, 1, 1, 1};
  for (size_t dim = 0; dim < recipe.sizes.size(); ++dim)
    sizes[dim] = static_cast<uint64_t>(recipe.sizes[dim].at(batch));
  for (size_t dim = 0; dim < recipe.strides.size(); ++dim) {
    int64_t stride = recipe.strides[dim];
    strides[dim] =
        static_cast<uint64_t>(stride > 0 ? stride : -stride * view.strides[0]) *
        getElementBytes(view.type);
  }
  return toStatus(functions,
                  functions.cuTensorMapEncodeTiled(
                      &map, getMapType(view.type),
                      static_cast<uint32_t>(recipe.sizes.size()), view.data,
                      sizes, strides, recipe.box.data(), elementStrides,
                      CU_TENSOR_MAP_INTERLEAVE_NONE,
                      getMapSwizzle(recipe.swizzleBytes),
                      CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
                  "encoding a tensor map");
}

/// As a cluster, and before earlier kernels have ended, if the launch allows
/// it.
CUresult Layer::Call::launchWithAttributes(const Launch &launch,
                                           CUfunction function, unsigned blocks,
                                           void **parameters,
                                           CUstream stream) const {
  CUlaunchAttribute attributes[2] = {};
  CUlaunchConfig config = {};
  if (launch.clusterBlocks > 1) {
    CUlaunchAttribute &attribute = attributes[config.numAttrs++];
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim.x = launch.clusterBlocks;
    attribute.value.clusterDim.y = attribute.value.clusterDim.z = 1;
  }
  if (launch.waitsItself && layer.overlapsLaunches) {
    CUlaunchAttribute &attribute = attributes[config.numAttrs++];
    attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attribute.value.programmaticStreamSerializationAllowed = 1;
  }
  if (config.numAttrs == 0)
    return functions.cuLaunchKernel(function, blocks, 1, 1, launch.threads, 1,
                                    1, launch.sharedBytes, stream, parameters,
                                    nullptr);
  config.gridDimX = blocks;
  config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = launch.threads;
  config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = launch.sharedBytes;
  config.hStream = stream;
  config.attrs = attributes;
  return functions.cuLaunchKernelEx(&config, function, parameters, nullptr);
}

Status Layer::Call::launch(const Kernel &kernel, CUstream stream) const {
  const Launch &launch = *kernel.launch;
  if (launch.product) {
    LibraryCall call{*launch.product, {}, {}, {}};
    Status status = getLibraryCall(launch, call);
    return status ? status
                  : layer.library->run(call, workspace + libraryOffset, stream);
  }
  unsigned blocks = 0;
  if (Status status = getBlocks(launch, blocks))
    return status;
  if (blocks == 0)
    return {};
  Parameters parameters;
  for (const Operand &operand : launch.operands) {
    ArrayView view;
    Status status = getView(operand, view);
    if (!status && operand.form == Operand::Form::TensorMap)
      status = encode(operand.tensorMap, view, parameters.addMap());
    else if (!status)
      parameters.add(view);
    if (status)
      return status;
  }
  return toStatus(functions,
                  launchWithAttributes(launch,
                                       static_cast<CUfunction>(kernel.function),
                                       blocks, parameters.get(), stream),
                  "launching it");
}

/// "kernel 'f_0'"
static std::string describeLaunch(const Launch &launch) {
  if (const auto &product = launch.product) {
    std::string matrices = concat(product->n, " x ", product->m);
    if (product->a == 1 && product->d == 1)
      return concat("dense product with a ", matrices, " matrix of ",
                    getElementName(product->type));
    return concat("products of the pattern (", product->a, ", ", product->n,
                  ", ", product->m, ", ", product->d, ") with ", matrices,
                  " matrices of ", getElementName(product->type));
  }
  return concat("kernel '", launch.kernel, "'");
}

Status Layer::Call::launch(const std::vector<Kernel> &kernels,
                           KsStream stream) const {
  for (const Kernel &kernel : kernels)
    if (Status status = check(*kernel.launch))
      return status.in(describeLaunch(*kernel.launch));
  for (const Kernel &kernel : kernels)
    if (Status status = launch(kernel, static_cast<CUstream>(stream)))
      return status.in(describeLaunch(*kernel.launch));
  return {};
}
