//===- LayerLoader.h - Choosing and loading code ----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_LAYERLOADER_H
#define KS_LIB_RUNTIME_LAYERLOADER_H

#include "ks/Runtime/Layer.h"

namespace ks {

/// Makes a layer of an artefact, in a context.
class Layer::Loader {
public:
  Loader(const CUDAContext &context, Artifact artifact)
      : context(context), artifact(std::move(artifact)) {}

  Status load(std::unique_ptr<Layer> &result);

private:
  Status chooseTarget();
  bool isUsable(const TargetCode &target, std::string &reason) const;
  Status checkDriver(const TargetCode &target) const;
  Status loadModule(const TargetCode &target);
  Status loadImage(const std::string &image, const char *what);
  Status loadKernel(const Launch &launch, Kernel &kernel);
  Status loadKernels(const std::vector<Launch> &launches,
                     std::vector<Kernel> &kernels);
  Status prepareFunction(const Launch &launch, void *function);
  Status openLibrary();
  Status tryLibrary(const LibraryProducts &library) const;
  Status uploadConstants();
  void sortArguments();

  CUDAContext context;
  Artifact artifact;
  DeviceInfo info;
  size_t chosen = 0;
  std::unique_ptr<Layer> layer;
};

} // namespace ks

#endif // KS_LIB_RUNTIME_LAYERLOADER_H
