//===- LayerCall.h - Checking and launching ---------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_LAYERCALL_H
#define KS_LIB_RUNTIME_LAYERCALL_H

#include "CUDAFunctions.h"
#include "LayerArrays.h"
#include "LibraryProducts.h"

#include "ks/Runtime/Layer.h"

namespace ks {

/// One call of pack or run: first all checks, then the launches. It lives on
/// the stack of the caller and takes nothing from the heap unless it fails.
class Layer::Call {
public:
  /// `expected` are the arguments that `buffers` stand for.
  Call(const Layer &layer, const std::vector<uint32_t> &expected,
       const KsBuffer *buffers, size_t numBuffers)
      : layer(layer), functions(*layer.context.getFunctions()),
        expected(expected), buffers(buffers), numBuffers(numBuffers) {}

  /// Checks what can be said about the arrays alone, and finds the batch.
  Status checkArrays();
  int64_t getBatch() const { return batch; }

  /// Checks memory for packed weights.
  Status setPacked(void *memory, size_t bytes);
  /// Checks the workspace of a variant.
  Status setWorkspace(const Variant &variant, void *memory, size_t bytes);

  /// Checks that nothing that is written overlaps with anything else, and that
  /// the GPU can reach all memory.
  Status checkMemory(bool writesPacked) const;

  /// Checks all launches, then launches all.
  Status launch(const std::vector<Kernel> &kernels, KsStream stream) const;

private:
  class Parameters;

  const ArrayInfo &getInfo(size_t position) const {
    return layer.getArguments()[expected[position]].array;
  }
  std::string describe(size_t position) const;

  Status getView(size_t position, ArrayView &view) const;
  Status getView(const Operand &operand, ArrayView &view) const;
  Status checkResult(size_t result, const Extent &extent) const;
  Status checkArrayMemory(size_t position, bool writesPacked) const;
  Status checkReachable(const void *memory) const;

  Status getBlocks(const Launch &launch, unsigned &blocks) const;
  Status check(const Launch &launch) const;
  Status getLibraryCall(const Launch &launch, LibraryCall &call) const;
  Status checkTensorMap(const TensorMapRecipe &recipe,
                        const ArrayView &view) const;
  Status encode(const TensorMapRecipe &recipe, const ArrayView &view,
                cuda::CUtensorMap &map) const;
  Status launch(const Kernel &kernel, cuda::CUstream stream) const;
  cuda::CUresult launchWithAttributes(const Launch &launch,
                                      cuda::CUfunction function,
                                      unsigned blocks, void **parameters,
                                      cuda::CUstream stream) const;

  const Layer &layer;
  const cuda::Functions &functions;
  const std::vector<uint32_t> &expected;
  const KsBuffer *buffers;
  size_t numBuffers;
  int64_t batch = -1;
  const Variant *variant = nullptr;
  char *packed = nullptr;
  char *workspace = nullptr;
  size_t workspaceBytes = 0;
  size_t libraryOffset = 0; ///< Of what a library works in.
};

} // namespace ks

#endif // KS_LIB_RUNTIME_LAYERCALL_H
