//===- Layer.cpp - Compiled layers on GPUs --------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/Layer.h"

#include "ArtifactCheck.h"
#include "CUDAFunctions.h"
#include "LayerCall.h"
#include "LayerLoader.h"
#include "LibraryProducts.h"
#include "Text.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

using namespace ks;
using namespace ks::cuda;

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

static Status readFile(const std::string &path, std::string &bytes) {
  auto fail = [&](const char *action) {
    return Status(KS_ERROR_ARTIFACT,
                  concat("'", path, "' could not be ", action, ": ",
                         std::strerror(errno),
                         "; pass a file that `ks-run --emit=artifact` wrote"));
  };
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    return fail("opened");
  char block[1 << 16];
  while (size_t count = std::fread(block, 1, sizeof(block), file))
    bytes.append(block, count);
  Status status = std::ferror(file) ? fail("read") : Status();
  std::fclose(file);
  return status;
}

/// Reads the artefact before the driver is asked for anything.
static Status readArtifact(std::string_view bytes, Artifact &artifact) {
  std::string error = deserialize(bytes, artifact);
  return error.empty() ? Status() : Status(KS_ERROR_ARTIFACT, error);
}

Status Layer::load(std::string_view bytes, std::unique_ptr<Layer> &layer) {
  Artifact artifact;
  if (Status status = readArtifact(bytes, artifact))
    return status;
  CUDAContext context;
  if (Status status = CUDAContext::open(context))
    return status;
  return Loader(context, std::move(artifact)).load(layer);
}

Status Layer::load(std::string_view bytes, const CUDAContext &context,
                   std::unique_ptr<Layer> &layer) {
  Artifact artifact;
  if (Status status = readArtifact(bytes, artifact))
    return status;
  return Loader(context, std::move(artifact)).load(layer);
}

Status Layer::loadFile(const std::string &path, std::unique_ptr<Layer> &layer) {
  std::string bytes;
  if (Status status = readFile(path, bytes))
    return status;
  return load(bytes, layer).in(path);
}

Status Layer::loadFile(const std::string &path, const CUDAContext &context,
                       std::unique_ptr<Layer> &layer) {
  std::string bytes;
  if (Status status = readFile(path, bytes))
    return status;
  return load(bytes, context, layer).in(path);
}

Layer::Layer() = default;

Layer::~Layer() {
  if (!module)
    return;
  const Functions &functions = *context.getFunctions();
  CurrentContext scope(functions, static_cast<CUcontext>(context.getHandle()));
  if (scope.getStatus())
    return;
  functions.cuModuleUnload(static_cast<CUmodule>(module));
  if (constants)
    functions.cuMemFree(reinterpret_cast<CUdeviceptr>(constants));
}

//===----------------------------------------------------------------------===//
// Batches
//===----------------------------------------------------------------------===//

Status Layer::findRun(int64_t batch, const Run *&run) const {
  for (const Run &candidate : runs) {
    if (batch < candidate.variant->minBatch ||
        batch > candidate.variant->maxBatch)
      continue;
    run = &candidate;
    return {};
  }
  std::string ranges;
  for (const Run &candidate : runs)
    ranges += concat(ranges.empty() ? "" : ", ", candidate.variant->minBatch,
                     " to ", candidate.variant->maxBatch);
  return {KS_ERROR_ARGUMENT, concat("the batch is ", batch,
                                    ", expected one that the layer was "
                                    "compiled for: ",
                                    ranges)};
}

Status Layer::getVariant(int64_t batch, const Variant *&variant) const {
  const Run *run = nullptr;
  if (Status status = findRun(batch, run))
    return status;
  variant = run->variant;
  return {};
}

bool Layer::countWorkspace(const Variant &variant, int64_t batch,
                           size_t &arrays, size_t &total) const {
  if (!getTotalBytes(variant.workspace, batch, arrays))
    return false;
  // Products follow each other, and share it.
  size_t most = 0;
  if (library)
    for (const Launch &launch : variant.launches)
      if (launch.product)
        most = std::max(
            most, LibraryProducts::getWorkspaceBytes(*launch.product, batch));
  return !__builtin_add_overflow(arrays, most, &total);
}

Status Layer::getWorkspaceBytes(int64_t batch, size_t &bytes) const {
  if (batch == 0) {
    bytes = 0;
    return {};
  }
  const Variant *variant = nullptr;
  if (Status status = getVariant(batch, variant))
    return status;
  size_t arrays = 0, total = 0;
  if (!countWorkspace(*variant, batch, arrays, total))
    return {KS_ERROR_ARGUMENT,
            concat("the workspace for batch ", batch,
                   " has more bytes than can be counted; expected a smaller "
                   "batch")};
  bytes = total;
  return {};
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

Status Layer::pack(const KsBuffer *weights, size_t numWeights, void *packed,
                   size_t packedBytes, KsStream stream) const {
  Call call(*this, weightIndices, weights, numWeights);
  if (Status status = call.checkArrays())
    return status;
  if (Status status = call.setPacked(packed, packedBytes))
    return status;
  CurrentContext scope(*context.getFunctions(),
                       static_cast<CUcontext>(context.getHandle()));
  if (scope.getStatus())
    return scope.getStatus();
  if (Status status = call.checkMemory(/*writesPacked=*/true))
    return status;
  return call.launch(packKernels, stream);
}

Status Layer::run(const void *packed, const KsBuffer *arrays, size_t numArrays,
                  void *workspace, size_t workspaceBytes,
                  KsStream stream) const {
  Call call(*this, arrayIndices, arrays, numArrays);
  if (Status status = call.checkArrays())
    return status;
  if (call.getBatch() == 0)
    return {};
  const Run *run = nullptr;
  if (Status status = findRun(call.getBatch(), run))
    return status;
  if (Status status =
          call.setPacked(const_cast<void *>(packed), getPackedBytes()))
    return status;
  if (Status status =
          call.setWorkspace(*run->variant, workspace, workspaceBytes))
    return status;
  CurrentContext scope(*context.getFunctions(),
                       static_cast<CUcontext>(context.getHandle()));
  if (scope.getStatus())
    return scope.getStatus();
  if (Status status = call.checkMemory(/*writesPacked=*/false))
    return status;
  return call.launch(run->kernels, stream);
}
