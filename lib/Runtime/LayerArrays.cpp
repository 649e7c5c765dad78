//===- LayerArrays.cpp - What callers pass to layers ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerArrays.h"

#include "Text.h"

#include <algorithm>
#include <cstring>

using namespace ks;

namespace {

std::string toText(const Size &size) {
  if (size.perBatch == 0)
    return concat(size.constant);
  std::string text =
      size.perBatch == 1 ? "batch" : concat(size.perBatch, "*batch");
  return size.constant == 0 ? text : concat(text, "+", size.constant);
}

/// "(batch, 384)".
std::string toText(const std::vector<Size> &shape) {
  std::string text;
  for (const Size &size : shape)
    text += concat(text.empty() ? "" : ", ", toText(size));
  return concat("(", text, ")");
}

std::string toText(const KsBuffer &buffer) {
  std::string text;
  for (int64_t dim = 0; dim < buffer.rank; ++dim)
    text += concat(text.empty() ? "" : ", ", buffer.shape[dim]);
  return concat("(", text, ")");
}

Status makeError(std::string message) {
  return {KS_ERROR_ARGUMENT, std::move(message)};
}

Status makeShapeError(const ArrayInfo &info, const KsBuffer &buffer,
                      const std::string &hint) {
  return makeError(concat("it has shape ", toText(buffer), ", expected ",
                          toText(info.shape), hint));
}

/// Strides without gaps, in elements. The sizes may be those of an array that
/// does not exist, so that the product may be too large.
bool fillContiguous(ArrayView &view) {
  int64_t stride = 1;
  for (size_t dim = view.rank; dim-- > 0;) {
    view.strides[dim] = stride;
    if (__builtin_mul_overflow(stride, std::max<int64_t>(view.shape[dim], 1),
                               &stride))
      return false;
  }
  return true;
}

/// What pointers must be multiples of.
size_t getAlignment(const ArrayInfo &info) {
  bool isComplex = info.type == KS_C64 || info.type == KS_C128;
  size_t scalarBytes = getElementBytes(info.type) / (isComplex ? 2 : 1);
  return std::max<size_t>(info.alignment, scalarBytes);
}

/// Takes over the caller's strides where they matter.
Status readStrides(const KsBuffer &buffer, ArrayView &view) {
  for (size_t dim = 0; dim < view.rank; ++dim) {
    if (view.shape[dim] == 1)
      continue;
    int64_t got = buffer.strides[dim];
    int64_t dense = view.strides[dim];
    bool isPitch = view.rank == 2 && dim == 0;
    if (isPitch ? got < dense : got != dense)
      return makeError(concat("it has stride ", got, " elements in dimension ",
                              dim, ", expected ", isPitch ? "at least " : "",
                              dense, "; pass a contiguous copy"));
    view.strides[dim] = got;
  }
  return {};
}

/// Makes strides multiples of the alignment, or says why they are not.
Status alignStrides(const ArrayInfo &info, ArrayView &view) {
  size_t elementBytes = getElementBytes(info.type);
  for (size_t dim = 0; dim + 1 < view.rank; ++dim) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(size_t(view.strides[dim]), elementBytes, &bytes))
      return makeError("it has more bytes than can be counted; expected less");
    if (bytes % info.alignment == 0)
      continue;
    if (view.shape[dim] > 1)
      return makeError(concat("its stride in dimension ", dim, " is ", bytes,
                              " bytes, expected a multiple of ", info.alignment,
                              "; pass a copy with rows of such a pitch"));
    // Never used, but kernels rely on it nevertheless.
    roundUp(bytes, std::max<size_t>(info.alignment, elementBytes));
    view.strides[dim] = static_cast<int64_t>(bytes / elementBytes);
  }
  return {};
}

/// Whether the array ends before memory does.
bool fitsMemory(const ArrayView &view) {
  int64_t last = 0;
  int64_t bytes = static_cast<int64_t>(getElementBytes(view.type));
  for (size_t dim = 0; dim < view.rank; ++dim) {
    int64_t steps = 0;
    if (__builtin_mul_overflow(view.shape[dim] - 1, view.strides[dim],
                               &steps) ||
        __builtin_add_overflow(last, steps, &last))
      return false;
  }
  uintptr_t end = reinterpret_cast<uintptr_t>(view.data);
  return !__builtin_add_overflow(last, 1, &last) &&
         !__builtin_mul_overflow(last, bytes, &last) &&
         !__builtin_add_overflow(end, uintptr_t(last), &end);
}

} // namespace

bool ArrayView::isEmpty() const {
  return std::find(shape, shape + rank, 0) != shape + rank;
}

Extent Extent::of(const void *memory, size_t bytes) {
  return {reinterpret_cast<uintptr_t>(memory), bytes, bytes, 0};
}

Extent Extent::of(const ArrayView &view) {
  if (view.isEmpty())
    return of(view.data, 0);
  size_t elementBytes = getElementBytes(view.type);
  size_t last = 0;
  for (size_t dim = 0; dim < view.rank; ++dim)
    last += (view.shape[dim] - 1) * view.strides[dim];
  Extent extent = of(view.data, (last + 1) * elementBytes);
  if (view.rank != 2 || view.shape[0] == 1)
    return extent;
  extent.rowBytes = view.shape[1] * elementBytes;
  extent.pitch = view.strides[0] * elementBytes;
  return extent;
}

bool ks::mayOverlap(const Extent &x, const Extent &y) {
  // Intervals without overflow: the smaller begin decides.
  const Extent &low = x.begin <= y.begin ? x : y;
  const Extent &high = x.begin <= y.begin ? y : x;
  uintptr_t distance = high.begin - low.begin;
  if (low.bytes == 0 || high.bytes == 0 || distance >= low.bytes)
    return false;
  if (low.pitch == 0 || low.pitch != high.pitch)
    return true;
  // Rows of `high` start `column` bytes after rows of `low`.
  size_t column = distance % low.pitch;
  return column < low.rowBytes || column + high.rowBytes > low.pitch;
}

Status ks::checkForm(const ArrayInfo &info, const KsBuffer &buffer) {
  // Callers in C may have written any number there.
  unsigned type = 0;
  static_assert(sizeof(type) == sizeof(buffer.type));
  std::memcpy(&type, &buffer.type, sizeof(type));
  if (type != static_cast<unsigned>(info.type))
    return makeError(concat(
        "its element type is ",
        type <= KS_C128 ? getElementName(static_cast<KsElementType>(type))
                        : "an unknown type",
        ", expected ", getElementName(info.type), "; convert it"));
  if (buffer.rank != static_cast<int64_t>(info.shape.size()))
    return makeError(concat("it has rank ", buffer.rank, ", expected ",
                            info.shape.size(), ", shape ", toText(info.shape),
                            "; reshape it"));
  if (buffer.rank > 0 && !buffer.shape)
    return makeError(concat("its shape is NULL, expected ", buffer.rank,
                            " sizes, ", toText(info.shape)));
  for (size_t dim = 0; dim < info.shape.size(); ++dim)
    if (buffer.shape[dim] < 0 ||
        (info.shape[dim].perBatch == 0 &&
         buffer.shape[dim] != info.shape[dim].constant))
      return makeShapeError(info, buffer, "; check the order of arguments");
  return {};
}

Status ks::readBatch(const ArrayInfo &info, const KsBuffer &buffer,
                     int64_t &batch) {
  for (size_t dim = 0; dim < info.shape.size(); ++dim) {
    const Size &size = info.shape[dim];
    if (size.perBatch == 0)
      continue;
    int64_t entries = buffer.shape[dim] - size.constant;
    if (entries < 0 || entries % size.perBatch != 0)
      return makeShapeError(info, buffer, " with a whole batch");
    batch = entries / size.perBatch;
    return {};
  }
  return {};
}

Status ks::checkShape(const ArrayInfo &info, const KsBuffer &buffer,
                      int64_t batch) {
  for (size_t dim = 0; dim < info.shape.size(); ++dim) {
    int64_t expected = 0;
    if (!getSize(info.shape[dim], batch, expected) ||
        buffer.shape[dim] != expected)
      return makeShapeError(
          info, buffer, concat(" with the batch of the other arrays, ", batch));
  }
  return {};
}

Status ks::makeView(const ArrayInfo &info, const KsBuffer &buffer,
                    ArrayView &view) {
  view.data = buffer.data;
  view.type = info.type;
  view.rank = info.shape.size();
  std::copy_n(buffer.shape, view.rank, view.shape);
  if (!fillContiguous(view))
    return makeError("it has more bytes than can be counted; expected less");
  if (view.isEmpty())
    return {};
  if (buffer.strides)
    if (Status status = readStrides(buffer, view))
      return status;
  if (Status status = alignStrides(info, view))
    return status;
  if (!buffer.data)
    return makeError(concat("its data is NULL, expected device memory of "
                            "shape ",
                            toText(buffer)));
  size_t alignment = getAlignment(info);
  auto address = reinterpret_cast<uintptr_t>(buffer.data);
  if (address % alignment != 0)
    return makeError(concat("its data is ", address % alignment,
                            " bytes off a multiple of ", alignment,
                            " bytes; expected such a multiple: pass an "
                            "aligned copy"));
  if (!fitsMemory(view))
    return makeError("it ends beyond all memory; check its shape and strides");
  return {};
}

ArrayView ks::placeView(const ArrayInfo &info, void *data, int64_t batch) {
  ArrayView view;
  view.data = data;
  view.type = info.type;
  view.rank = info.shape.size();
  for (size_t dim = 0; dim < view.rank; ++dim)
    view.shape[dim] = info.shape[dim].at(batch);
  fillContiguous(view);
  return view;
}
