//===- CublasLt.cpp - NVIDIA's matrix products, opened at run time --------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CublasLt.h"

#include "SharedLibraries.h"
#include "Text.h"

#include <memory>

#include <dlfcn.h>

using namespace ks;
using namespace ks::cublas;

namespace {

constexpr const char *defaultPaths[] = {"libcublasLt.so.13",
                                        "libcublasLt.so.12"};

/// The first symbol that is missing, or null.
const char *findFunctions(void *library, Functions &functions) {
#define KS_FIND(name, result, parameters)                                      \
  functions.name =                                                             \
      reinterpret_cast<decltype(functions.name)>(dlsym(library, #name));       \
  if (!functions.name)                                                         \
    return #name;
  KS_CUBLASLT_FUNCTIONS(KS_FIND)
#undef KS_FIND
  return nullptr;
}

Status openLibrary(const char *path, std::unique_ptr<const Functions> &opened) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return {KS_ERROR_NO_DRIVER,
            concat("cublasLt could not be opened: ", reason ? reason : path,
                   "; install cuBLAS for CUDA 12 or 13, or set KS_CUBLASLT to "
                   "the path of its libcublasLt.so")};
  }
  auto functions = std::make_unique<Functions>();
  functions->path = path;
  if (const char *missing = findFunctions(library, *functions)) {
    dlclose(library);
    return {KS_ERROR_NO_DRIVER,
            concat("cublasLt '", path, "' lacks the function ", missing,
                   "; expected the library of CUDA 12 or 13")};
  }
  opened = std::move(functions);
  return {};
}

KsStatus getCode(cublasStatus_t result) {
  return result == CUBLAS_STATUS_ALLOC_FAILED ? KS_ERROR_OUT_OF_MEMORY
                                              : KS_ERROR_CUDA;
}

/// What to do about an error.
const char *getAdvice(cublasStatus_t result) {
  switch (result) {
  case CUBLAS_STATUS_ALLOC_FAILED:
    return "; free memory of the device";
  case CUBLAS_STATUS_NOT_INITIALIZED:
  case CUBLAS_STATUS_ARCH_MISMATCH:
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return "; update the driver and cuBLAS, or set KS_CUBLASLT=none to do "
           "without it";
  case CUBLAS_STATUS_EXECUTION_FAILED:
    return "; a kernel could not be launched: check that stream and context "
           "are alive and belong together";
  default:
    return "; set KS_CUBLASLT=none to do without it";
  }
}

} // namespace

Status ks::cublas::getFunctions(const Functions *&functions, bool &isAsked) {
  AskedLibrary asked("KS_CUBLASLT");
  isAsked = asked.path;
  if (asked.isNone)
    return {KS_ERROR_NO_DRIVER, "cublasLt is not used: KS_CUBLASLT is none"};
  static auto *libraries = new SharedLibraries<Functions>;
  if (isAsked)
    return libraries->get(asked.path, openLibrary, functions);
  Status first;
  for (const char *name : defaultPaths) {
    Status status = libraries->get(name, openLibrary, functions);
    if (!status)
      return {};
    if (!first)
      first = status;
  }
  return first;
}

Status ks::cublas::toStatus(const Functions &functions, cublasStatus_t result,
                            std::string_view action) {
  if (result == CUBLAS_STATUS_SUCCESS)
    return {};
  const char *name = functions.cublasLtGetStatusName(result);
  const char *text = functions.cublasLtGetStatusString(result);
  return {getCode(result),
          concat(action, " failed with status ", int(result), " of cublasLt, ",
                 name ? name : "an unknown one", " (",
                 text ? text : "no description", ")", getAdvice(result))};
}

std::string ks::cublas::getName(const Functions &functions) {
  // 10000 * major + 100 * minor + patch
  size_t version = functions.cublasLtGetVersion();
  return concat("cublasLt ", version / 10000, '.', version / 100 % 100, '.',
                version % 100);
}
