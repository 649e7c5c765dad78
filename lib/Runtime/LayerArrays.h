//===- LayerArrays.h - What callers pass to layers --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_LAYERARRAYS_H
#define KS_LIB_RUNTIME_LAYERARRAYS_H

#include "ArtifactCheck.h"

#include "ks/Runtime/Artifact.h"
#include "ks/Runtime/Status.h"

namespace ks {

/// An array in memory, with strides that are always there.
struct ArrayView {
  void *data = nullptr;
  KsElementType type = KS_F32;
  size_t rank = 0;
  int64_t shape[maxRank] = {};
  int64_t strides[maxRank] = {};

  bool isEmpty() const;
};

/// The bytes that something takes: rows of `rowBytes`, `pitch` bytes apart, up
/// to `bytes` bytes after `begin`.
struct Extent {
  uintptr_t begin = 0;
  size_t bytes = 0;
  size_t rowBytes = 0;
  size_t pitch = 0;

  /// Memory without gaps.
  static Extent of(const void *memory, size_t bytes);
  static Extent of(const ArrayView &view);
};

/// Whether the two have a byte in common. Columns of one matrix have not; where
/// that is not plain, the answer is yes.
bool mayOverlap(const Extent &x, const Extent &y);

/// Checks number, rank, type and sizes that the batch does not change.
Status checkForm(const ArrayInfo &info, const KsBuffer &buffer);

/// Reads the batch from the first size that depends on it; leaves `batch` alone
/// if there is none.
Status readBatch(const ArrayInfo &info, const KsBuffer &buffer, int64_t &batch);

/// Checks all sizes for a batch; needs checkForm.
Status checkShape(const ArrayInfo &info, const KsBuffer &buffer, int64_t batch);

/// Checks strides, pointer and alignment, and makes the view. Needs checkShape.
Status makeView(const ArrayInfo &info, const KsBuffer &buffer, ArrayView &view);

/// The view of an array that the runtime has placed.
ArrayView placeView(const ArrayInfo &info, void *data, int64_t batch);

} // namespace ks

#endif // KS_LIB_RUNTIME_LAYERARRAYS_H
