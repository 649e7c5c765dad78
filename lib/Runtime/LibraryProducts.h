//===- LibraryProducts.h - Products by cublasLt -----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_LIBRARYPRODUCTS_H
#define KS_LIB_RUNTIME_LIBRARYPRODUCTS_H

#include "CublasLt.h"
#include "LayerArrays.h"

#include "ks/Runtime/Artifact.h"
#include "ks/Runtime/CUDADriver.h"

#include <array>
#include <memory>
#include <mutex>

namespace ks {

/// A LibraryProduct on arrays: what the library's algorithm depends on.
struct LibraryCall {
  const LibraryProduct &product;
  ArrayView input, weights, result;

  int64_t getBatch() const {
    return result.shape[product.isBatchFirst ? 0 : 1];
  }
};

/// The library as a layer uses it. Calls may come from several threads at once.
class LibraryProducts {
public:
  /// Opens the library for a context, which is current. Whether KS_CUBLASLT
  /// asks for a library: `isAsked`.
  static Status create(const CUDAContext &context,
                       std::unique_ptr<LibraryProducts> &products,
                       bool &isAsked);
  /// The context is made current, if it can be.
  ~LibraryProducts();

  /// "cublasLt 13.1.0".
  const std::string &getName() const { return name; }

  /// Bytes of device memory that it may work in.
  static size_t getWorkspaceBytes(const LibraryProduct &product, int64_t batch);

  /// Finds the algorithm, unless that has been done. Only that allocates memory
  /// of the host; nothing does so on the device.
  Status prepare(const LibraryCall &call) const;

  /// Puts the product on a stream, in workspace at a multiple of
  /// arrayAlignment. Needs prepare.
  Status run(const LibraryCall &call, void *workspace,
             cuda::CUstream stream) const;

private:
  struct Key;
  struct Prepared;

  LibraryProducts(const CUDAContext &context,
                  const cublas::Functions &functions)
      : context(context), functions(functions) {}

  Status find(const LibraryCall &call,
              std::shared_ptr<const Prepared> &prepared) const;
  Status findAlgorithm(const Key &key, Prepared &prepared) const;

  CUDAContext context;
  const cublas::Functions &functions;
  cublas::cublasLtHandle_t handle = nullptr;
  std::string name;

  /// The last of what was prepared: as many as programs alternate between. An
  /// entry that leaves lives on while it is used.
  static constexpr size_t maxPrepared = 64;
  mutable std::mutex mutex;
  mutable std::array<std::shared_ptr<const Prepared>, maxPrepared> known;
  mutable size_t nextPlace = 0;
};

} // namespace ks

#endif // KS_LIB_RUNTIME_LIBRARYPRODUCTS_H
