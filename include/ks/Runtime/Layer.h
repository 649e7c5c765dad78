//===- Layer.h - Compiled layers on GPUs ------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loads and runs what Artifact.h describes; ks-c/Runtime.h is the same in C,
// and says what holds for streams, threads, packing and running. Here:
//
//   std::unique_ptr<Layer> layer;
//   if (Status status = Layer::loadFile("layer.ks", layer))
//     std::fprintf(stderr, "%s\n", status.getMessage().c_str());
//
// Nothing throws but std::bad_alloc, and only while loading.
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_LAYER_H
#define KS_RUNTIME_LAYER_H

#include "ks/Runtime/Artifact.h"
#include "ks/Runtime/CUDADriver.h"
#include "ks/Runtime/Status.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ks {

class LibraryProducts;

class Layer {
public:
  /// Loads an artefact for a context: by default the current one, or else the
  /// primary one of device 0 (see CUDAContext::open).
  static Status load(std::string_view bytes, std::unique_ptr<Layer> &layer);
  static Status load(std::string_view bytes, const CUDAContext &context,
                     std::unique_ptr<Layer> &layer);
  static Status loadFile(const std::string &path,
                         std::unique_ptr<Layer> &layer);
  static Status loadFile(const std::string &path, const CUDAContext &context,
                         std::unique_ptr<Layer> &layer);

  ~Layer();
  Layer(const Layer &) = delete;
  Layer &operator=(const Layer &) = delete;

  const CUDAContext &getContext() const { return context; }

  /// What was loaded: no code, no bytes of constants, and of the targets only
  /// the chosen one.
  const Artifact &getArtifact() const { return artifact; }
  const std::vector<Argument> &getArguments() const {
    return artifact.arguments;
  }
  const TargetCode &getTarget() const { return artifact.targets.front(); }

  /// As "sm_90" or "sm_90a".
  const std::string &getTargetName() const { return targetName; }

  /// Whether the cubin was loaded, not the PTX.
  bool isCubin() const { return usesCubin; }

  /// The library that computes products, as "cublasLt 13.1.0"; "" if kernels
  /// do, as there is no product for it, or no library (see getNote).
  const std::string &getLibraryName() const { return libraryName; }

  /// What the driver said when the cubin was refused and PTX loaded instead,
  /// and why a library that there is work for is not used.
  const std::string &getNote() const { return note; }

  /// Bytes of device memory for packed weights.
  size_t getPackedBytes() const { return totalPackedBytes; }

  /// Bytes of device memory that a run with `batch` entries works in.
  Status getWorkspaceBytes(int64_t batch, size_t &bytes) const;

  /// The code that runs for `batch`.
  Status getVariant(int64_t batch, const Variant *&variant) const;

  /// See ksPackLayer.
  Status pack(const KsBuffer *weights, size_t numWeights, void *packed,
              size_t packedBytes, KsStream stream) const;

  /// See ksRunLayer.
  Status run(const void *packed, const KsBuffer *arrays, size_t numArrays,
             void *workspace, size_t workspaceBytes, KsStream stream) const;

private:
  Layer();

  class Loader;
  class Call;

  /// A launch, and its CUfunction; null for library products.
  struct Kernel {
    const Launch *launch = nullptr;
    void *function = nullptr;
  };

  /// A variant with its kernels.
  struct Run {
    const Variant *variant = nullptr;
    std::vector<Kernel> kernels;
  };

  Status findRun(int64_t batch, const Run *&run) const;
  /// Bytes of the workspace for a batch, and of the arrays at its beginning;
  /// what a library works in lies behind them. False if they cannot be counted.
  bool countWorkspace(const Variant &variant, int64_t batch, size_t &arrays,
                      size_t &total) const;

  CUDAContext context;
  Artifact artifact;
  std::string targetName;
  std::string note;
  std::string libraryName;
  std::unique_ptr<const LibraryProducts> library; ///< Null if it is not used.
  bool usesCubin = false;
  void *module = nullptr;

  /// Indices of arguments: those of pack, those of run.
  std::vector<uint32_t> weightIndices;
  std::vector<uint32_t> arrayIndices;
  /// Where an argument stands in its list.
  std::vector<uint32_t> positions;

  std::vector<Kernel> packKernels;
  std::vector<Run> runs;
  std::vector<size_t> packedOffsets;
  size_t totalPackedBytes = 0;
  /// Device memory with the constants, and where each of them is.
  void *constants = nullptr;
  std::vector<size_t> constantOffsets;
  /// Whether kernels may read any memory of the host.
  bool readsHostMemory = false;
  /// Whether the driver launches kernels before earlier ones have ended.
  bool overlapsLaunches = false;
};

} // namespace ks

#endif // KS_RUNTIME_LAYER_H
