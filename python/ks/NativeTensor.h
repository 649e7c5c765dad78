//===- NativeTensor.h - Arrays of other frameworks --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arrays on GPUs arrive by DLPack (https://dmlc.github.io/dlpack), the part of
// which that is needed is declared here.
//
//===----------------------------------------------------------------------===//

#ifndef KS_PYTHON_NATIVETENSOR_H
#define KS_PYTHON_NATIVETENSOR_H

#include "ks-c/Types.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ks::python {

namespace dlpack {

enum DeviceType : int32_t { CPU = 1, CUDA = 2 };
enum TypeCode : uint8_t {
  Int,
  UInt,
  Float,
  OpaqueHandle,
  Bfloat,
  Complex,
  Bool
};

struct Device {
  int32_t type, id;
};

struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};

struct Array {
  void *data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t *shape;
  int64_t *strides; ///< In elements; null: contiguous.
  uint64_t byteOffset;
};

/// In capsules called "dltensor".
struct Managed {
  Array array;
  void *context;
  void (*deleter)(Managed *);
};

/// In capsules called "dltensor_versioned".
struct ManagedVersioned {
  uint32_t major, minor;
  void *context;
  void (*deleter)(ManagedVersioned *);
  uint64_t flags;
  Array array;
};
constexpr uint64_t readOnlyFlag = 1;

} // namespace dlpack

/// An array, and what keeps its memory.
struct Tensor {
  char *data = nullptr;
  dlpack::DataType dtype = {};
  dlpack::Device device = {};
  bool isReadOnly = false;
  std::vector<int64_t> shape, strides; ///< Strides are of the same length.
  std::shared_ptr<void> owner;

  /// The KsElementType, -1 if it is none.
  int getType() const;
  std::string getTypeName() const;

  KsBuffer getBuffer() const {
    return {data, static_cast<KsElementType>(getType()),
            static_cast<int64_t>(shape.size()), shape.data(), strides.data()};
  }
};

} // namespace ks::python

#endif // KS_PYTHON_NATIVETENSOR_H
