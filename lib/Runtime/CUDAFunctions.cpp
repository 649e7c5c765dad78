//===- CUDAFunctions.cpp - The CUDA driver, opened at run time ------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CUDAFunctions.h"

#include "SharedLibraries.h"
#include "Text.h"

#include <cstdlib>
#include <memory>

#include <dlfcn.h>

using namespace ks;
using namespace ks::cuda;

namespace {

const char *getDefaultPath() {
  const char *path = std::getenv("KS_CUDA_DRIVER");
  return path && *path ? path : "libcuda.so.1";
}

/// The first symbol that is missing, or null.
const char *findFunctions(void *library, Functions &functions) {
#define KS_FIND(name, symbol, parameters)                                      \
  functions.name =                                                             \
      reinterpret_cast<decltype(functions.name)>(dlsym(library, symbol));
#define KS_FIND_OR_FAIL(name, symbol, parameters)                              \
  KS_FIND(name, symbol, parameters)                                            \
  if (!functions.name)                                                         \
    return symbol;
  KS_CUDA_FUNCTIONS(KS_FIND_OR_FAIL, KS_FIND)
#undef KS_FIND
#undef KS_FIND_OR_FAIL
  return nullptr;
}

Status openDriver(const char *path, std::unique_ptr<const Functions> &opened) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return {KS_ERROR_NO_DRIVER,
            concat("the NVIDIA driver could not be opened: ",
                   reason ? reason : path,
                   "; install the driver, or set KS_CUDA_DRIVER to the path of "
                   "its libcuda.so.1")};
  }
  auto functions = std::make_unique<Functions>();
  functions->path = path;
  if (const char *missing = findFunctions(library, *functions)) {
    dlclose(library);
    return {KS_ERROR_NO_DRIVER,
            concat("the NVIDIA driver '", path, "' lacks the function ",
                   missing,
                   "; expected one for CUDA 11.4 or later: update the driver")};
  }
  opened = std::move(functions);
  return {};
}

KsStatus getCode(CUresult result) {
  switch (result) {
  case CUDA_SUCCESS:
    return KS_OK;
  case CUDA_ERROR_OUT_OF_MEMORY:
    return KS_ERROR_OUT_OF_MEMORY;
  case CUDA_ERROR_NO_DEVICE:
  case CUDA_ERROR_INVALID_DEVICE:
    return KS_ERROR_NO_DEVICE;
  default:
    return KS_ERROR_CUDA;
  }
}

/// What to do about an error.
const char *getAdvice(CUresult result) {
  switch (result) {
  case CUDA_ERROR_OUT_OF_MEMORY:
    return "; free memory of the device, or use a smaller batch";
  case CUDA_ERROR_NO_DEVICE:
  case CUDA_ERROR_INVALID_DEVICE:
    return "; check nvidia-smi and CUDA_VISIBLE_DEVICES";
  case CUDA_ERROR_INVALID_IMAGE:
  case CUDA_ERROR_NO_BINARY_FOR_GPU:
  case CUDA_ERROR_INVALID_PTX:
  case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    return "; update the driver, or compile the layer again for this GPU";
  case CUDA_ERROR_INVALID_CONTEXT:
  case CUDA_ERROR_INVALID_HANDLE:
    return "; check that stream and context are alive and belong together";
  case CUDA_ERROR_ILLEGAL_ADDRESS:
  case CUDA_ERROR_LAUNCH_TIMEOUT:
  case CUDA_ERROR_HARDWARE_STACK_ERROR:
  case CUDA_ERROR_LAUNCH_FAILED:
    return "; a kernel that ran before failed, and the context cannot be used "
           "any more: start the process again, under compute-sanitizer to find "
           "the kernel";
  default:
    return "; see this code in the documentation of the CUDA driver API";
  }
}

} // namespace

Status ks::cuda::getFunctions(const char *path, const Functions *&functions) {
  static auto *drivers = new SharedLibraries<Functions>;
  return drivers->get(path ? path : getDefaultPath(), openDriver, functions);
}

Status ks::cuda::toStatus(const Functions &functions, CUresult result,
                          std::string_view action) {
  if (result == CUDA_SUCCESS)
    return {};
  const char *name = nullptr;
  const char *text = nullptr;
  if (functions.cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
    name = "an unknown error";
  if (functions.cuGetErrorString(result, &text) != CUDA_SUCCESS || !text)
    text = "no description";
  return {getCode(result),
          concat(action, " failed with CUDA error ", unsigned(result), ", ",
                 name, " (", text, ")", getAdvice(result))};
}

CurrentContext::CurrentContext(const Functions &functions, CUcontext context)
    : functions(functions) {
  CUcontext current = nullptr;
  if (functions.cuCtxGetCurrent(&current) == CUDA_SUCCESS && current == context)
    return;
  status = toStatus(functions, functions.cuCtxPushCurrent(context),
                    "making the context current");
  isPushed = !status;
}

CurrentContext::~CurrentContext() {
  CUcontext popped = nullptr;
  if (isPushed)
    functions.cuCtxPopCurrent(&popped);
}
