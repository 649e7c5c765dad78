//===- Npy.h - Reading and writing .npy files -------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NumPy's array files, as far as the tools need them: little-endian, row-major
// arrays of floating-point and complex numbers, in versions 1 to 3 of the
// format.
//
// NumPy has no bfloat16. The package ml_dtypes saves it as two opaque bytes
// ('V2'), and so do we; numpy.load(path).view(ml_dtypes.bfloat16) restores it.
//
//===----------------------------------------------------------------------===//

#ifndef KS_SUPPORT_NPY_H
#define KS_SUPPORT_NPY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace ks {

/// The element types; C64 and C128 are pairs (real, imaginary) of F32 and F64.
enum class ElementType { F16, BF16, F32, F64, C64, C128 };

/// The type's name in NumPy and ml_dtypes, such as "float32".
llvm::StringRef getElementTypeName(ElementType type);

/// The size of one element, in bytes.
int64_t getElementTypeSize(ElementType type);

/// A dense row-major array that owns its elements. Move-only.
struct NpyArray {
  /// An array of zeros. An empty `shape` makes an array of one element. Fails
  /// if a size is negative, if there are more than 64 (NumPy's limit), if the
  /// size in bytes exceeds 63 bits, or if there is not enough memory.
  static llvm::Expected<NpyArray> create(ElementType type,
                                         llvm::ArrayRef<int64_t> shape);

  ElementType type = ElementType::F32;
  /// May be replaced by another shape with as many elements.
  llvm::SmallVector<int64_t> shape;

  /// The elements, aligned to 64 bytes; not null even if there are none.
  void *data() { return aligned; }
  const void *data() const { return aligned; }
  /// The size of the elements, in bytes.
  int64_t sizeInBytes() const { return bytes; }
  int64_t numElements() const { return bytes / getElementTypeSize(type); }

private:
  struct Free {
    void operator()(void *pointer) const { std::free(pointer); }
  };
  NpyArray() = default;

  std::unique_ptr<void, Free> storage;
  void *aligned = nullptr;
  int64_t bytes = 0;
};

/// Reads the array in the file `path`. Everything but one complete array of a
/// supported type is an error, whose message says what was found, what was
/// expected and what to do.
llvm::Expected<NpyArray> readNpy(llvm::StringRef path);

/// Writes `array` to the file `path`, which is replaced if it exists. Readers
/// see the old file or the complete new one; on errors the old one remains.
llvm::Error writeNpy(llvm::StringRef path, const NpyArray &array);

} // namespace ks

#endif // KS_SUPPORT_NPY_H
