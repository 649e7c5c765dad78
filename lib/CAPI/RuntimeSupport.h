//===- RuntimeSupport.h - What the runtime's C API shares -------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CAPI_RUNTIMESUPPORT_H
#define KS_LIB_CAPI_RUNTIMESUPPORT_H

#include "ks/Runtime/CUDADriver.h"
#include "ks/Runtime/Status.h"

#include <new>

struct KsDevice {
  ks::CUDAContext context;
  int ordinal = 0;
  ks::DeviceInfo info;
};

namespace ks::capi {

/// Keeps the message for ksGetErrorMessage.
KsStatus report(const Status &status);
KsStatus reportNoHostMemory();

Status makeNullError(const char *what);

/// Runs `call`, which returns a Status; turns a lack of memory into one.
template <typename Call> KsStatus guard(Call call) {
  try {
    return report(call());
  } catch (const std::bad_alloc &) {
    return reportNoHostMemory();
  }
}

} // namespace ks::capi

#endif // KS_LIB_CAPI_RUNTIMESUPPORT_H
