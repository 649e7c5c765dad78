//===- MgpuCompat.cpp - The calls of upstream's GPU host code -------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What host code that MLIR's gpu-to-llvm makes calls, on a driver that is
// opened at run time. These calls cannot return errors, so that failures are
// printed, and results are null. Compiled layers do not come this way: they are
// run by ks::Layer.
//
//===----------------------------------------------------------------------===//

#include "CUDAFunctions.h"

#include "ks/Runtime/CUDADriver.h"

#include <algorithm>
#include <cstdio>

using namespace ks;
using namespace ks::cuda;

#define KS_MGPU extern "C" __attribute__((visibility("default")))

namespace {

void print(const Status &status) {
  if (status)
    std::fprintf(stderr, "ks mgpu: %s\n", status.getMessage().c_str());
}

/// The context of the first call, for good; empty if there is none.
const CUDAContext &getContext() {
  static const auto *context = [] {
    auto *opened = new CUDAContext;
    print(CUDAContext::open(*opened));
    return opened;
  }();
  return *context;
}

/// Runs `call` with the driver's functions in the context.
template <typename Call> void runWith(const char *action, Call call) {
  const CUDAContext &context = getContext();
  if (!context)
    return; // which was printed
  const Functions &functions = *context.getFunctions();
  CurrentContext scope(functions, static_cast<CUcontext>(context.getHandle()));
  print(scope.getStatus() ? scope.getStatus()
                          : toStatus(functions, call(functions), action));
}

/// Lets `function` have more shared memory than all have.
CUresult allowSharedBytes(const Functions &functions, CUfunction function,
                          int32_t bytes) {
  constexpr int32_t defaultSharedBytes = 48 * 1024;
  if (bytes <= defaultSharedBytes)
    return CUDA_SUCCESS;
  return functions.cuFuncSetAttribute(
      function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
}

/// Of a CUtensorMapDataType.
uint64_t getElementBytes(int64_t type) {
  constexpr uint64_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  return type >= 0 && type < int64_t(std::size(bytes)) ? bytes[type] : 0;
}

CUresult loadModule(const Functions &functions, const void *image,
                    CUmodule &module) {
  char log[4096] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  CUresult result =
      functions.cuModuleLoadDataEx(&module, image, 2, options, values);
  if (result != CUDA_SUCCESS && *log)
    std::fprintf(stderr, "ks mgpu: the driver said: %s\n", log);
  return result;
}

} // namespace

//===----------------------------------------------------------------------===//
// Modules and launches
//===----------------------------------------------------------------------===//

KS_MGPU CUmodule mgpuModuleLoad(void *data, size_t) {
  CUmodule module = nullptr;
  runWith("loading a module", [&](const Functions &functions) {
    return loadModule(functions, data, module);
  });
  return module;
}

KS_MGPU CUmodule mgpuModuleLoadJIT(void *data, int, size_t) {
  return mgpuModuleLoad(data, 0);
}

KS_MGPU void mgpuModuleUnload(CUmodule module) {
  if (module)
    runWith("unloading a module", [&](const Functions &functions) {
      return functions.cuModuleUnload(module);
    });
}

KS_MGPU CUfunction mgpuModuleGetFunction(CUmodule module, const char *name) {
  CUfunction function = nullptr;
  runWith("looking up a kernel", [&](const Functions &functions) {
    return functions.cuModuleGetFunction(&function, module, name);
  });
  return function;
}

KS_MGPU void mgpuLaunchKernel(CUfunction function, intptr_t gridX,
                              intptr_t gridY, intptr_t gridZ, intptr_t blockX,
                              intptr_t blockY, intptr_t blockZ,
                              int32_t sharedBytes, CUstream stream,
                              void **parameters, void **extra, size_t) {
  runWith("launching a kernel", [&](const Functions &functions) {
    if (CUresult result = allowSharedBytes(functions, function, sharedBytes))
      return result;
    return functions.cuLaunchKernel(function, gridX, gridY, gridZ, blockX,
                                    blockY, blockZ, sharedBytes, stream,
                                    parameters, extra);
  });
}

KS_MGPU void mgpuLaunchClusterKernel(CUfunction function, intptr_t clusterX,
                                     intptr_t clusterY, intptr_t clusterZ,
                                     intptr_t gridX, intptr_t gridY,
                                     intptr_t gridZ, intptr_t blockX,
                                     intptr_t blockY, intptr_t blockZ,
                                     int32_t sharedBytes, CUstream stream,
                                     void **parameters, void **extra, size_t) {
  runWith("launching a kernel with clusters", [&](const Functions &functions) {
    if (!functions.cuLaunchKernelEx)
      return CUDA_ERROR_NOT_FOUND;
    if (CUresult result = allowSharedBytes(functions, function, sharedBytes))
      return result;
    CUlaunchAttribute attribute = {};
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim = {unsigned(clusterX), unsigned(clusterY),
                                  unsigned(clusterZ)};
    CUlaunchConfig config = {
        unsigned(gridX),       unsigned(gridY),  unsigned(gridZ),
        unsigned(blockX),      unsigned(blockY), unsigned(blockZ),
        unsigned(sharedBytes), stream,           &attribute,
        /*numAttrs=*/1};
    return functions.cuLaunchKernelEx(&config, function, parameters, extra);
  });
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

KS_MGPU CUstream mgpuStreamCreate() {
  CUstream stream = nullptr;
  runWith("creating a stream", [&](const Functions &functions) {
    return functions.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
  });
  return stream;
}

KS_MGPU void mgpuStreamDestroy(CUstream stream) {
  runWith("destroying a stream", [&](const Functions &functions) {
    return functions.cuStreamDestroy(stream);
  });
}

KS_MGPU void mgpuStreamSynchronize(CUstream stream) {
  runWith("waiting for a stream", [&](const Functions &functions) {
    return functions.cuStreamSynchronize(stream);
  });
}

KS_MGPU void mgpuStreamWaitEvent(CUstream stream, CUevent event) {
  runWith("waiting for an event", [&](const Functions &functions) {
    return functions.cuStreamWaitEvent(stream, event, 0);
  });
}

KS_MGPU CUevent mgpuEventCreate() {
  CUevent event = nullptr;
  runWith("creating an event", [&](const Functions &functions) {
    return functions.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING);
  });
  return event;
}

KS_MGPU void mgpuEventDestroy(CUevent event) {
  runWith("destroying an event", [&](const Functions &functions) {
    return functions.cuEventDestroy(event);
  });
}

KS_MGPU void mgpuEventSynchronize(CUevent event) {
  runWith("waiting for an event", [&](const Functions &functions) {
    return functions.cuEventSynchronize(event);
  });
}

KS_MGPU void mgpuEventRecord(CUevent event, CUstream stream) {
  runWith("recording an event", [&](const Functions &functions) {
    return functions.cuEventRecord(event, stream);
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

KS_MGPU void *mgpuMemAlloc(uint64_t bytes, CUstream, bool isHostShared) {
  CUdeviceptr memory = 0;
  if (isHostShared)
    print({KS_ERROR_ARGUMENT, "got an allocation shared with the host, "
                              "expected one of the device alone"});
  else if (bytes != 0)
    runWith("allocating memory", [&](const Functions &functions) {
      return functions.cuMemAlloc(&memory, bytes);
    });
  return reinterpret_cast<void *>(memory);
}

KS_MGPU void mgpuMemFree(void *memory, CUstream) {
  if (memory)
    runWith("freeing memory", [&](const Functions &functions) {
      return functions.cuMemFree(toDevice(memory));
    });
}

KS_MGPU void mgpuMemcpy(void *to, void *from, size_t bytes, CUstream stream) {
  runWith("copying", [&](const Functions &functions) {
    return functions.cuMemcpyAsync(toDevice(to), toDevice(from), bytes, stream);
  });
}

KS_MGPU void mgpuMemset32(void *memory, unsigned value, size_t count,
                          CUstream stream) {
  runWith("filling memory", [&](const Functions &functions) {
    return functions.cuMemsetD32Async(toDevice(memory), value, count, stream);
  });
}

KS_MGPU void mgpuMemset16(void *memory, unsigned short value, size_t count,
                          CUstream stream) {
  runWith("filling memory", [&](const Functions &functions) {
    return functions.cuMemsetD16Async(toDevice(memory), value, count, stream);
  });
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

/// `descriptor` is that of a memref of this rank, the box is in its order. The
/// map lies in device memory that nobody frees, as callers expect.
KS_MGPU void *mgpuTensorMapEncodeTiledMemref(int64_t rank, int64_t *descriptor,
                                             int64_t type, int64_t interleave,
                                             int64_t swizzle,
                                             int64_t l2Promotion,
                                             int64_t oobFill, int64_t *box) {
  constexpr int64_t maxMapRank = 5;
  uint64_t elementBytes = getElementBytes(type);
  if (rank < 1 || rank > maxMapRank || elementBytes == 0) {
    print({KS_ERROR_ARGUMENT, "got a tensor map that is unknown, expected rank "
                              "1 to 5 and types 0 to 12"});
    return nullptr;
  }
  uint64_t sizes[maxMapRank], strides[maxMapRank];
  uint32_t boxSizes[maxMapRank], elementStrides[maxMapRank];
  for (int64_t dim = 0; dim < rank; ++dim) {
    // The driver has the innermost dimension first.
    int64_t outer = rank - 1 - dim;
    sizes[dim] = descriptor[3 + outer];
    boxSizes[dim] = static_cast<uint32_t>(box[outer]);
    elementStrides[dim] = 1;
    if (dim > 0)
      strides[dim - 1] = descriptor[3 + rank + outer] * elementBytes;
  }
  auto *base = reinterpret_cast<char *>(descriptor[1]) +
               descriptor[2] * static_cast<int64_t>(elementBytes);
  CUdeviceptr copy = 0;
  runWith("making a tensor map", [&](const Functions &functions) {
    if (!functions.cuTensorMapEncodeTiled)
      return CUDA_ERROR_NOT_FOUND;
    CUtensorMap map;
    CUresult result = functions.cuTensorMapEncodeTiled(
        &map, static_cast<CUtensorMapDataType>(type),
        static_cast<uint32_t>(rank), base, sizes, strides, boxSizes,
        elementStrides, static_cast<CUtensorMapInterleave>(interleave),
        static_cast<CUtensorMapSwizzle>(swizzle),
        static_cast<CUtensorMapL2promotion>(l2Promotion),
        static_cast<CUtensorMapFloatOOBfill>(oobFill));
    if (result == CUDA_SUCCESS)
      result = functions.cuMemAlloc(&copy, sizeof(map));
    if (result == CUDA_SUCCESS)
      result = functions.cuMemcpyHtoDAsync(copy, &map, sizeof(map), nullptr);
    // Launches may be on streams that do not wait for the default one.
    return result ? result : functions.cuStreamSynchronize(nullptr);
  });
  return reinterpret_cast<void *>(copy);
}
