//===- Native.h - What the parts of the extension share ---------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_PYTHON_NATIVE_H
#define KS_PYTHON_NATIVE_H

#include "ks-c/Compiler.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace ks::python {

struct CompileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws `Error` if there is a message.
template <typename Error> void check(char *message) {
  if (!message)
    return;
  std::string text(message);
  ksFreeString(message);
  throw Error(text);
}

/// Frees handles of the C APIs. Doing so may wait for a GPU, on which Python
/// code of another thread may run: not with the GIL.
template <auto destroy> struct Deleter {
  template <typename Handle> void operator()(Handle *handle) const {
    if (!PyGILState_Check()) {
      destroy(handle);
      return;
    }
    nanobind::gil_scoped_release release;
    destroy(handle);
  }
};

/// Adds what is for GPUs, in NativeDevice.cpp and NativeTensor.cpp.
void addDevices(nanobind::module_ &module);
void addTensors(nanobind::module_ &module);

} // namespace ks::python

#endif // KS_PYTHON_NATIVE_H
