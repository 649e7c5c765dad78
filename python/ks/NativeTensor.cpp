//===- NativeTensor.cpp - Arrays of other frameworks ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NativeTensor.h"

#include "Native.h"

#include <cstring>

namespace nb = nanobind;
using namespace ks::python;

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

/// In the order of KsElementType.
static constexpr dlpack::DataType elementTypes[] = {
    {dlpack::Float, 16, 1},   {dlpack::Bfloat, 16, 1},
    {dlpack::Float, 32, 1},   {dlpack::Float, 64, 1},
    {dlpack::Complex, 64, 1}, {dlpack::Complex, 128, 1}};
static constexpr int numElementTypes = 6;

int Tensor::getType() const {
  for (int type = 0; type < numElementTypes; ++type) {
    const dlpack::DataType &known = elementTypes[type];
    if (known.code == dtype.code && known.bits == dtype.bits &&
        known.lanes == dtype.lanes)
      return type;
  }
  return -1;
}

std::string Tensor::getTypeName() const {
  static const char *const names[] = {"int",    "uint",    "float", "opaque",
                                      "bfloat", "complex", "bool"};
  std::string name = dtype.code < std::size(names) ? names[dtype.code] : "type";
  if (dtype.code != dlpack::Bool)
    name += std::to_string(dtype.bits);
  return dtype.lanes == 1 ? name : name + "x" + std::to_string(dtype.lanes);
}

//===----------------------------------------------------------------------===//
// From capsules
//===----------------------------------------------------------------------===//

static void readArray(const dlpack::Array &array, Tensor &tensor) {
  tensor.data = static_cast<char *>(array.data) + array.byteOffset;
  tensor.dtype = array.dtype;
  tensor.device = array.device;
  tensor.shape.assign(array.shape, array.shape + array.ndim);
  if (array.strides) {
    tensor.strides.assign(array.strides, array.strides + array.ndim);
    return;
  }
  tensor.strides.resize(array.ndim);
  int64_t stride = 1;
  for (int32_t dim = array.ndim; dim-- > 0; stride *= array.shape[dim])
    tensor.strides[dim] = stride;
}

/// Takes what a capsule holds; `used` is its new name, as DLPack has it.
template <typename Managed>
static Managed &take(PyObject *capsule, const char *name, const char *used,
                     Tensor &tensor) {
  auto *managed = static_cast<Managed *>(PyCapsule_GetPointer(capsule, name));
  if (!managed || PyCapsule_SetName(capsule, used) != 0)
    throw nb::python_error();
  tensor.owner.reset(managed, [](Managed *held) {
    // Deleters of other frameworks may run Python code.
    nb::gil_scoped_acquire acquire;
    if (held->deleter)
      held->deleter(held);
  });
  return *managed;
}

static Tensor readCapsule(nb::handle capsule) {
  Tensor tensor;
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto &managed = take<dlpack::ManagedVersioned>(
        capsule.ptr(), "dltensor_versioned", "used_dltensor_versioned", tensor);
    if (managed.major != 1)
      throw std::invalid_argument(
          "is exported by version " + std::to_string(managed.major) +
          " of DLPack; expected version 1 or an older one");
    tensor.isReadOnly = managed.flags & dlpack::readOnlyFlag;
    readArray(managed.array, tensor);
    return tensor;
  }
  if (!PyCapsule_IsValid(capsule.ptr(), "dltensor"))
    throw std::invalid_argument(
        "is exported as no capsule of DLPack, or as one that was used before");
  readArray(
      take<dlpack::Managed>(capsule.ptr(), "dltensor", "used_dltensor", tensor)
          .array,
      tensor);
  return tensor;
}

//===----------------------------------------------------------------------===//
// Memory of our own
//===----------------------------------------------------------------------===//

/// An array at `address`, which `owner` keeps.
static Tensor makeTensor(uintptr_t address, int type,
                         const std::vector<int64_t> &shape,
                         const std::vector<int64_t> &strides, int32_t device,
                         const nb::object &owner) {
  if (type < 0 || type >= numElementTypes || shape.size() != strides.size())
    throw std::invalid_argument("no such element type, or not as many strides "
                                "as sizes");
  Tensor tensor;
  tensor.data = reinterpret_cast<char *>(address);
  tensor.dtype = elementTypes[type];
  tensor.device = {dlpack::CUDA, device};
  tensor.shape = shape;
  tensor.strides = strides;
  tensor.owner = std::shared_ptr<PyObject>(owner.inc_ref().ptr(), [](auto *o) {
    nb::gil_scoped_acquire acquire;
    Py_DECREF(o);
  });
  return tensor;
}

/// A copy of a tensor's description that a capsule points to.
template <typename Managed> struct Exported {
  Managed managed = {};
  Tensor tensor;

  explicit Exported(const Tensor &given) : tensor(given) {
    managed.array = {tensor.data,
                     tensor.device,
                     static_cast<int32_t>(tensor.shape.size()),
                     tensor.dtype,
                     tensor.shape.data(),
                     tensor.strides.data(),
                     /*byteOffset=*/0};
    managed.context = this;
    managed.deleter = [](Managed *held) {
      delete static_cast<Exported *>(held->context);
    };
  }
};

template <typename Managed>
static nb::object makeCapsule(Managed *managed, const char *name) {
  // A capsule that was used has another name.
  PyObject *capsule = PyCapsule_New(managed, name, [](PyObject *object) {
    const char *now = PyCapsule_GetName(object);
    if (!now || std::strncmp(now, "used_", 5) == 0)
      return;
    auto *held = static_cast<Managed *>(PyCapsule_GetPointer(object, now));
    held->deleter(held);
  });
  if (!capsule) {
    managed->deleter(managed);
    throw nb::python_error();
  }
  return nb::steal(capsule);
}

static nb::object toCapsule(const Tensor &tensor, bool isVersioned) {
  if (!isVersioned)
    return makeCapsule(&(new Exported<dlpack::Managed>(tensor))->managed,
                       "dltensor");
  auto *exported = new Exported<dlpack::ManagedVersioned>(tensor);
  exported->managed.major = 1;
  return makeCapsule(&exported->managed, "dltensor_versioned");
}

void ks::python::addTensors(nb::module_ &module) {
  nb::class_<Tensor>(module, "Tensor")
      .def_prop_ro("address",
                   [](const Tensor &tensor) {
                     return reinterpret_cast<uintptr_t>(tensor.data);
                   })
      .def_prop_ro("type", &Tensor::getType)
      .def_prop_ro("type_name", &Tensor::getTypeName)
      .def_prop_ro("device",
                   [](const Tensor &tensor) {
                     return std::pair(tensor.device.type, tensor.device.id);
                   })
      .def_ro("is_read_only", &Tensor::isReadOnly)
      .def_ro("shape", &Tensor::shape)
      .def_ro("strides", &Tensor::strides)
      .def("set_type",
           [](Tensor &tensor, int type) { tensor.dtype = elementTypes[type]; })
      .def("to_capsule", toCapsule, nb::arg("versioned"));
  module.def("read_capsule", readCapsule);
  module.def("make_tensor", makeTensor, nb::arg("address"), nb::arg("type"),
             nb::arg("shape"), nb::arg("strides"), nb::arg("device"),
             nb::arg("owner"));
}
