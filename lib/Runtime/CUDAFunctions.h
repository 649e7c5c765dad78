//===- CUDAFunctions.h - The CUDA driver, opened at run time ----*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the driver API that the runtime uses, with the names and values
// of NVIDIA's documentation. It is declared here so that neither building nor
// running needs CUDA's toolkit.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_CUDAFUNCTIONS_H
#define KS_LIB_RUNTIME_CUDAFUNCTIONS_H

#include "ks/Runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ks::cuda {

// NOLINTBEGIN(readability-identifier-naming): as NVIDIA names them.

using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;

enum CUresult : unsigned {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
  CUDA_ERROR_LAUNCH_TIMEOUT = 702,
  CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
  CUDA_ERROR_LAUNCH_FAILED = 719
};

enum CUdevice_attribute {
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,
  CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37,
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS = 88,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};

enum CUfunction_attribute {
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
  CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14
};

enum CUjit_option {
  CU_JIT_ERROR_LOG_BUFFER = 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6
};

enum CUpointer_attribute { CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2 };
enum CUstream_flags { CU_STREAM_NON_BLOCKING = 1 };
enum CUevent_flags { CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };
enum CUlaunchAttributeID {
  CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4,
  CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6
};

struct CUlaunchAttribute {
  CUlaunchAttributeID id;
  char pad[8 - sizeof(CUlaunchAttributeID)];
  union {
    char pad[64];
    struct {
      unsigned x, y, z;
    } clusterDim;
    int programmaticStreamSerializationAllowed;
  } value;
};
static_assert(sizeof(CUlaunchAttribute) == 72);

struct CUlaunchConfig {
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  CUstream hStream;
  CUlaunchAttribute *attrs;
  unsigned numAttrs;
};

struct alignas(64) CUtensorMap {
  uint64_t opaque[16];
};
static_assert(sizeof(CUtensorMap) == 128);

enum CUtensorMapDataType {
  CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT32 = 7,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT64 = 8,
  CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9
};
enum CUtensorMapInterleave { CU_TENSOR_MAP_INTERLEAVE_NONE = 0 };
enum CUtensorMapSwizzle {
  CU_TENSOR_MAP_SWIZZLE_NONE = 0,
  CU_TENSOR_MAP_SWIZZLE_32B = 1,
  CU_TENSOR_MAP_SWIZZLE_64B = 2,
  CU_TENSOR_MAP_SWIZZLE_128B = 3
};
enum CUtensorMapL2promotion { CU_TENSOR_MAP_L2_PROMOTION_L2_128B = 2 };
enum CUtensorMapFloatOOBfill { CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0 };

// NOLINTEND(readability-identifier-naming)

/// REQUIRED or OPTIONAL (name here, name in the library, parameters). The names
/// with _v2 are what the documented ones stand for since CUDA 4.0.
// clang-format off
#define KS_CUDA_FUNCTIONS(REQUIRED, OPTIONAL)                                  \
  REQUIRED(cuInit, "cuInit", (unsigned flags))                                 \
  REQUIRED(cuDriverGetVersion, "cuDriverGetVersion", (int *version))           \
  REQUIRED(cuGetErrorName, "cuGetErrorName", (CUresult, const char **))        \
  REQUIRED(cuGetErrorString, "cuGetErrorString", (CUresult, const char **))    \
  REQUIRED(cuDeviceGet, "cuDeviceGet", (CUdevice *, int ordinal))              \
  REQUIRED(cuDeviceGetCount, "cuDeviceGetCount", (int *count))                 \
  REQUIRED(cuDeviceGetName, "cuDeviceGetName", (char *, int, CUdevice))        \
  REQUIRED(cuDeviceGetAttribute, "cuDeviceGetAttribute",                       \
           (int *, CUdevice_attribute, CUdevice))                              \
  REQUIRED(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain",               \
           (CUcontext *, CUdevice))                                            \
  REQUIRED(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2",          \
           (CUdevice))                                                         \
  REQUIRED(cuCtxGetCurrent, "cuCtxGetCurrent", (CUcontext *))                  \
  REQUIRED(cuCtxPushCurrent, "cuCtxPushCurrent_v2", (CUcontext))               \
  REQUIRED(cuCtxPopCurrent, "cuCtxPopCurrent_v2", (CUcontext *))               \
  REQUIRED(cuCtxGetDevice, "cuCtxGetDevice", (CUdevice *))                     \
  REQUIRED(cuCtxSynchronize, "cuCtxSynchronize", ())                           \
  REQUIRED(cuModuleLoadDataEx, "cuModuleLoadDataEx",                           \
           (CUmodule *, const void *image, unsigned count, CUjit_option *,     \
            void **values))                                                    \
  REQUIRED(cuModuleUnload, "cuModuleUnload", (CUmodule))                       \
  REQUIRED(cuModuleGetFunction, "cuModuleGetFunction",                         \
           (CUfunction *, CUmodule, const char *name))                         \
  REQUIRED(cuFuncGetAttribute, "cuFuncGetAttribute",                           \
           (int *, CUfunction_attribute, CUfunction))                          \
  REQUIRED(cuFuncSetAttribute, "cuFuncSetAttribute",                           \
           (CUfunction, CUfunction_attribute, int value))                      \
  REQUIRED(cuLaunchKernel, "cuLaunchKernel",                                   \
           (CUfunction, unsigned gridX, unsigned gridY, unsigned gridZ,        \
            unsigned blockX, unsigned blockY, unsigned blockZ,                 \
            unsigned sharedBytes, CUstream, void **parameters, void **extra))  \
  REQUIRED(cuMemGetInfo, "cuMemGetInfo_v2", (size_t *free, size_t *total))     \
  REQUIRED(cuMemAlloc, "cuMemAlloc_v2", (CUdeviceptr *, size_t))               \
  REQUIRED(cuMemFree, "cuMemFree_v2", (CUdeviceptr))                           \
  REQUIRED(cuMemcpyAsync, "cuMemcpyAsync",                                     \
           (CUdeviceptr, CUdeviceptr, size_t, CUstream))                       \
  REQUIRED(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2",                          \
           (CUdeviceptr, const void *, size_t, CUstream))                      \
  REQUIRED(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2",                          \
           (void *, CUdeviceptr, size_t, CUstream))                            \
  REQUIRED(cuMemsetD8Async, "cuMemsetD8Async",                                 \
           (CUdeviceptr, unsigned char, size_t, CUstream))                     \
  REQUIRED(cuMemsetD16Async, "cuMemsetD16Async",                               \
           (CUdeviceptr, unsigned short, size_t, CUstream))                    \
  REQUIRED(cuMemsetD32Async, "cuMemsetD32Async",                               \
           (CUdeviceptr, unsigned, size_t, CUstream))                          \
  REQUIRED(cuPointerGetAttribute, "cuPointerGetAttribute",                     \
           (void *, CUpointer_attribute, CUdeviceptr))                         \
  REQUIRED(cuStreamCreate, "cuStreamCreate", (CUstream *, unsigned flags))     \
  REQUIRED(cuStreamDestroy, "cuStreamDestroy_v2", (CUstream))                  \
  REQUIRED(cuStreamSynchronize, "cuStreamSynchronize", (CUstream))             \
  REQUIRED(cuStreamIsCapturing, "cuStreamIsCapturing",                         \
           (CUstream, unsigned *status))                                       \
  REQUIRED(cuStreamWaitEvent, "cuStreamWaitEvent",                             \
           (CUstream, CUevent, unsigned flags))                                \
  REQUIRED(cuEventCreate, "cuEventCreate", (CUevent *, unsigned flags))        \
  REQUIRED(cuEventDestroy, "cuEventDestroy_v2", (CUevent))                     \
  REQUIRED(cuEventRecord, "cuEventRecord", (CUevent, CUstream))                \
  REQUIRED(cuEventSynchronize, "cuEventSynchronize", (CUevent))                \
  REQUIRED(cuEventElapsedTime, "cuEventElapsedTime",                           \
           (float *milliseconds, CUevent, CUevent))                            \
  /* CUDA 11.8: clusters */                                                    \
  OPTIONAL(cuLaunchKernelEx, "cuLaunchKernelEx",                               \
           (const CUlaunchConfig *, CUfunction, void **parameters,             \
            void **extra))                                                     \
  /* CUDA 12.0: numbers of streams, tensor maps */                             \
  OPTIONAL(cuStreamGetId, "cuStreamGetId", (CUstream, unsigned long long *))   \
  OPTIONAL(cuTensorMapEncodeTiled, "cuTensorMapEncodeTiled",                   \
           (CUtensorMap *, CUtensorMapDataType, uint32_t rank, void *base,     \
            const uint64_t *sizes, const uint64_t *strides,                    \
            const uint32_t *box, const uint32_t *elementStrides,               \
            CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, \
            CUtensorMapFloatOOBfill))                                          \
  /* CUDA 12.4: loads code now that the driver would load at its first use */  \
  OPTIONAL(cuFuncLoad, "cuFuncLoad", (CUfunction))
// clang-format on

struct Functions {
  // NOLINTBEGIN(bugprone-macro-parentheses): they are declarations.
#define KS_DECLARE(name, symbol, parameters)                                   \
  CUresult(*name) parameters = nullptr;
  KS_CUDA_FUNCTIONS(KS_DECLARE, KS_DECLARE)
#undef KS_DECLARE
  // NOLINTEND(bugprone-macro-parentheses)

  /// Where they are from.
  std::string path;
};

/// Opens a driver once per path (see CUDAContext::open) and keeps it until the
/// process ends. Failures are not kept.
Status getFunctions(const char *path, const Functions *&functions);

/// What `result` means: nothing, or that `action` failed, and why.
Status toStatus(const Functions &functions, CUresult result,
                std::string_view action);

/// Makes a context current while it lives; costs little if it was already.
class CurrentContext {
public:
  CurrentContext(const Functions &functions, CUcontext context);
  ~CurrentContext();
  CurrentContext(const CurrentContext &) = delete;
  CurrentContext &operator=(const CurrentContext &) = delete;

  /// Whether that went well.
  const Status &getStatus() const { return status; }

private:
  const Functions &functions;
  bool isPushed = false;
  Status status;
};

inline CUdeviceptr toDevice(const void *pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

} // namespace ks::cuda

#endif // KS_LIB_RUNTIME_CUDAFUNCTIONS_H
