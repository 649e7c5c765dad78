//===- gpu_layer.cpp - Runs a compiled layer on a GPU ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   gpu_layer <artefact> [batch]
//
// Loads a layer, packs its weights once, runs it and times the runs. Arrays are
// filled with zeros: put your own data there with CUDAContext::copyToDevice.
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/Layer.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

using namespace ks;

namespace {

/// Device memory for an argument, and the KsBuffer that describes it.
struct Array {
  std::vector<int64_t> shape;
  DeviceMemory memory;
  KsBuffer buffer = {};
};

size_t getElementBytes(KsElementType type) {
  constexpr size_t bytes[] = {2, 2, 4, 8, 8, 16};
  return bytes[type];
}

Status makeArray(const CUDAContext &gpu, const ArrayInfo &info, int64_t batch,
                 KsStream stream, Array &array) {
  size_t bytes = getElementBytes(info.type);
  for (const Size &size : info.shape) {
    array.shape.push_back(size.at(batch));
    bytes *= static_cast<size_t>(size.at(batch));
  }
  if (Status status = gpu.allocate(bytes, array.memory))
    return status.in("argument '" + info.name + "'");
  array.buffer.data = array.memory.get();
  array.buffer.type = info.type;
  array.buffer.rank = static_cast<int64_t>(array.shape.size());
  array.buffer.shape = array.shape.data();
  return bytes ? gpu.fill(array.memory.get(), 0, bytes, stream) : Status();
}

/// The mean of several runs, by the clock of the GPU.
Status timeRuns(const Layer &layer, const void *packed,
                const std::vector<KsBuffer> &arrays, void *workspace,
                size_t workspaceBytes, KsStream stream, double &milliseconds) {
  const CUDAContext &gpu = layer.getContext();
  constexpr int numRuns = 20;
  CUDAEvent start, end;
  if (Status status = gpu.createEvent(start))
    return status;
  if (Status status = gpu.createEvent(end))
    return status;
  // The first run also warms the caches up; it is not timed.
  for (int run = 0; run <= numRuns; ++run) {
    if (run == 1)
      if (Status status = gpu.record(start, stream))
        return status;
    if (Status status = layer.run(packed, arrays.data(), arrays.size(),
                                  workspace, workspaceBytes, stream))
      return status;
  }
  if (Status status = gpu.record(end, stream))
    return status;
  Status status = gpu.getElapsed(start, end, milliseconds);
  milliseconds /= numRuns;
  return status;
}

Status runLayer(const char *path, int64_t batch) {
  CUDAContext gpu;
  DeviceInfo info;
  std::unique_ptr<Layer> layer;
  CUDAStream stream;
  if (Status status = CUDAContext::open(gpu))
    return status;
  if (Status status = gpu.getDeviceInfo(info))
    return status;
  if (Status status = Layer::loadFile(path, gpu, layer))
    return status;
  if (Status status = gpu.createStream(stream))
    return status;
  std::printf("%s on %s: code for %s\n", layer->getArtifact().entry.c_str(),
              info.name.c_str(), layer->getTargetName().c_str());

  std::vector<Array> storage(layer->getArguments().size());
  std::vector<KsBuffer> weights, arrays;
  for (size_t index = 0; index < storage.size(); ++index) {
    const Argument &argument = layer->getArguments()[index];
    if (Status status =
            makeArray(gpu, argument.array, batch, stream.get(), storage[index]))
      return status;
    bool isWeight = argument.role == Role::Weight;
    (isWeight ? weights : arrays).push_back(storage[index].buffer);
  }

  DeviceMemory packed, workspace;
  size_t packedBytes = layer->getPackedBytes();
  size_t workspaceBytes = 0;
  if (Status status = gpu.allocate(packedBytes, packed))
    return status;
  if (Status status = layer->getWorkspaceBytes(batch, workspaceBytes))
    return status;
  if (Status status = gpu.allocate(workspaceBytes, workspace))
    return status;
  if (Status status = layer->pack(weights.data(), weights.size(), packed.get(),
                                  packedBytes, stream.get()))
    return status;
  double milliseconds = 0;
  if (Status status = timeRuns(*layer, packed.get(), arrays, workspace.get(),
                               workspaceBytes, stream.get(), milliseconds))
    return status;
  std::printf("batch %lld: %.4f ms per run, %zu bytes of packed weights, %zu "
              "of workspace\n",
              static_cast<long long>(batch), milliseconds, packedBytes,
              workspaceBytes);
  return {};
}

} // namespace

int main(int argc, char **argv) {
  int64_t batch = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 4096;
  if (argc < 2 || argc > 3 || batch < 0) {
    std::fprintf(stderr, "usage: gpu_layer <artefact> [batch]\n");
    return 2;
  }
  if (Status status = runLayer(argv[1], batch)) {
    std::fprintf(stderr, "gpu_layer: %s\n", status.getMessage().c_str());
    return 1;
  }
  return 0;
}
