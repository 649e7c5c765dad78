//===- Buffers.cpp - Arguments of compiled functions ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace ks;

Buffer Buffer::contiguous(void *data, ElementType type,
                          llvm::ArrayRef<int64_t> shape) {
  Buffer buffer;
  buffer.data = data;
  buffer.type = type;
  buffer.shape.assign(shape.begin(), shape.end());
  buffer.strides.assign(shape.size(), 1);
  for (int64_t dim = static_cast<int64_t>(shape.size()) - 2; dim >= 0; --dim)
    buffer.strides[dim] = buffer.strides[dim + 1] * shape[dim + 1];
  return buffer;
}

Buffer Buffer::on(NpyArray &array) {
  return contiguous(array.data(), array.type, array.shape);
}

static std::string shapeToString(llvm::ArrayRef<int64_t> shape) {
  std::string text = "(";
  llvm::raw_string_ostream os(text);
  llvm::interleave(
      shape, os, [&](int64_t size) { size < 0 ? os << "any" : os << size; },
      ", ");
  os << ")";
  return text;
}

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Error ks::checkBuffer(const Buffer &buffer, const ArgumentInfo &expected,
                            const llvm::Twine &what) {
  if (buffer.type != expected.type)
    return makeError(what + " has element type " +
                     getElementTypeName(buffer.type) + "; expected " +
                     getElementTypeName(expected.type) + " (convert it)");
  bool fits = buffer.shape.size() == expected.shape.size();
  for (size_t dim = 0; fits && dim < buffer.shape.size(); ++dim)
    fits = buffer.shape[dim] >= 0 && (expected.shape[dim] < 0 ||
                                      buffer.shape[dim] == expected.shape[dim]);
  if (!fits)
    return makeError(what + " has shape " + shapeToString(buffer.shape) +
                     "; expected " + shapeToString(expected.shape));
  bool isEmpty = llvm::is_contained(buffer.shape, 0);
  if (isEmpty)
    return llvm::Error::success();
  if (!buffer.data)
    return makeError(what + " is a null pointer; expected memory of shape " +
                     shapeToString(buffer.shape));
  // Rank 2: rows of any pitch. Others: contiguous.
  Buffer dense = Buffer::contiguous(buffer.data, buffer.type, buffer.shape);
  size_t rank = buffer.shape.size();
  for (size_t dim = 0; dim < rank; ++dim) {
    if (buffer.shape[dim] == 1)
      continue; // its stride does not matter
    bool isPitch = rank == 2 && dim == 0;
    if (isPitch ? buffer.strides[dim] < dense.strides[dim]
                : buffer.strides[dim] != dense.strides[dim])
      return makeError(
          what + " has stride " + llvm::Twine(buffer.strides[dim]) +
          " elements in dimension " + llvm::Twine(dim) + "; expected " +
          (isPitch ? "at least " : "") + llvm::Twine(dense.strides[dim]) +
          " (make it contiguous)");
  }
  int64_t align = buffer.type == ElementType::C64 ? 4
                  : buffer.type == ElementType::C128
                      ? 8
                      : getElementTypeSize(buffer.type);
  if (reinterpret_cast<uintptr_t>(buffer.data) % align != 0)
    return makeError(what +
                     " is not aligned to its elements; expected a "
                     "multiple of " +
                     llvm::Twine(align) + " bytes");
  return llvm::Error::success();
}

/// One past the last byte, as an address.
static uintptr_t getEnd(const Buffer &buffer) {
  int64_t last = 0;
  for (auto [size, stride] : llvm::zip_equal(buffer.shape, buffer.strides))
    last += (size - 1) * stride;
  return reinterpret_cast<uintptr_t>(buffer.data) +
         (last + 1) * getElementTypeSize(buffer.type);
}

bool ks::mayOverlap(const Buffer &x, const Buffer &y) {
  if (llvm::is_contained(x.shape, 0) || llvm::is_contained(y.shape, 0))
    return false;
  return reinterpret_cast<uintptr_t>(x.data) < getEnd(y) &&
         reinterpret_cast<uintptr_t>(y.data) < getEnd(x);
}

Descriptor::Descriptor(const Buffer &buffer) {
  auto address = static_cast<int64_t>(reinterpret_cast<intptr_t>(buffer.data));
  words.append({address, address, /*offset=*/0});
  llvm::append_range(words, buffer.shape);
  llvm::append_range(words, buffer.strides);
}

void ks::call(void (*function)(void **), llvm::ArrayRef<Buffer> arguments) {
  llvm::SmallVector<Descriptor, 8> descriptors;
  for (const Buffer &buffer : arguments)
    descriptors.emplace_back(buffer);
  // The C interface takes pointers to descriptors, and the packed interface
  // pointers to arguments.
  llvm::SmallVector<void *, 8> pointers(descriptors.size());
  llvm::SmallVector<void *, 8> packed(descriptors.size());
  for (size_t index = 0; index < descriptors.size(); ++index) {
    pointers[index] = descriptors[index].get();
    packed[index] = &pointers[index];
  }
  function(packed.data());
}
