//===- Runtime.cpp - C API of the GPU runtime -----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks-c/Runtime.h"

#include "RuntimeSupport.h"

#include "ks/Runtime/Layer.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace ks;
using namespace ks::capi;

struct KsLayer {
  std::unique_ptr<Layer> layer;
  /// Of all arguments, as KsLayerArgument has them.
  std::vector<std::vector<int64_t>> shapes;
};

static thread_local std::string lastError;

KsStatus capi::report(const Status &status) {
  if (status)
    lastError = status.getMessage();
  return status.getCode();
}

KsStatus capi::reportNoHostMemory() {
  // Short enough to need no memory.
  lastError = "no host memory";
  return KS_ERROR_OUT_OF_MEMORY;
}

Status capi::makeNullError(const char *what) {
  return {KS_ERROR_ARGUMENT,
          std::string("got NULL for ") + what + ", expected a valid pointer"};
}

namespace {

void readShapes(KsLayer &layer) {
  for (const Argument &argument : layer.layer->getArguments()) {
    auto &shape = layer.shapes.emplace_back();
    for (const Size &size : argument.array.shape)
      shape.push_back(size.perBatch == 0 ? size.constant : -1);
  }
}

/// `load` fills a std::unique_ptr<Layer>.
template <typename Load> KsStatus loadWith(KsLayer **layer, Load load) {
  if (!layer)
    return guard([] { return makeNullError("the layer to be written"); });
  return guard([&]() -> Status {
    auto result = std::make_unique<KsLayer>();
    if (Status status = load(result->layer))
      return status;
    readShapes(*result);
    *layer = result.release();
    return {};
  });
}

} // namespace

const char *ksGetErrorMessage(void) { return lastError.c_str(); }

KsStatus ksLoadLayer(const char *path, KsLayer **layer) {
  return loadWith(layer, [&](std::unique_ptr<Layer> &result) {
    return path ? Layer::loadFile(path, result) : makeNullError("the path");
  });
}

KsStatus ksLoadLayerFromMemory(const void *bytes, size_t size,
                               KsLayer **layer) {
  return loadWith(layer, [&](std::unique_ptr<Layer> &result) {
    if (!bytes && size != 0)
      return makeNullError("the bytes");
    return Layer::load({static_cast<const char *>(bytes), size}, result);
  });
}

KsStatus ksLoadLayerOnDevice(const KsDevice *device, const void *bytes,
                             size_t size, KsLayer **layer) {
  return loadWith(layer, [&](std::unique_ptr<Layer> &result) {
    if (!device)
      return makeNullError("the device");
    if (!bytes && size != 0)
      return makeNullError("the bytes");
    return Layer::load({static_cast<const char *>(bytes), size},
                       device->context, result);
  });
}

void ksFreeLayer(KsLayer *layer) { delete layer; }

size_t ksGetNumLayerArguments(const KsLayer *layer) {
  return layer ? layer->shapes.size() : 0;
}

KsStatus ksGetLayerArgument(const KsLayer *layer, size_t index,
                            KsLayerArgument *info) {
  return guard([&]() -> Status {
    if (!layer)
      return makeNullError("the layer");
    if (!info)
      return makeNullError("the info to be written");
    if (index >= layer->shapes.size())
      return {KS_ERROR_ARGUMENT,
              "got argument " + std::to_string(index) +
                  ", expected less than the number of arguments, " +
                  std::to_string(layer->shapes.size())};
    const Argument &argument = layer->layer->getArguments()[index];
    const std::vector<int64_t> &shape = layer->shapes[index];
    *info = {argument.array.name.c_str(),
             argument.array.type,
             static_cast<int64_t>(shape.size()),
             shape.data(),
             argument.role == Role::Weight,
             argument.role == Role::Result,
             argument.array.alignment};
    return {};
  });
}

const char *ksGetLayerTarget(const KsLayer *layer) {
  return layer ? layer->layer->getTargetName().c_str() : "";
}

const char *ksGetLayerLibrary(const KsLayer *layer) {
  return layer ? layer->layer->getLibraryName().c_str() : "";
}

KsStatus ksGetLayerPackedBytes(const KsLayer *layer, size_t *bytes) {
  return guard([&]() -> Status {
    if (!layer || !bytes)
      return makeNullError(layer ? "the bytes to be written" : "the layer");
    *bytes = layer->layer->getPackedBytes();
    return {};
  });
}

KsStatus ksGetLayerWorkspaceBytes(const KsLayer *layer, int64_t batch,
                                  size_t *bytes) {
  return guard([&]() -> Status {
    if (!layer || !bytes)
      return makeNullError(layer ? "the bytes to be written" : "the layer");
    return layer->layer->getWorkspaceBytes(batch, *bytes);
  });
}

KsStatus ksPackLayer(const KsLayer *layer, const KsBuffer *weights,
                     size_t numWeights, void *packed, size_t packedBytes,
                     KsStream stream) {
  return guard([&] {
    return layer ? layer->layer->pack(weights, numWeights, packed, packedBytes,
                                      stream)
                 : makeNullError("the layer");
  });
}

KsStatus ksRunLayer(const KsLayer *layer, const void *packed,
                    const KsBuffer *arrays, size_t numArrays, void *workspace,
                    size_t workspaceBytes, KsStream stream) {
  return guard([&] {
    return layer ? layer->layer->run(packed, arrays, numArrays, workspace,
                                     workspaceBytes, stream)
                 : makeNullError("the layer");
  });
}
