//===- FakeDriver.cpp - A CUDA driver without a GPU -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// KS_FAKE_OLD leaves out what drivers before CUDA 11.8 lack, KS_FAKE_BROKEN
// what all drivers have.
//
//===----------------------------------------------------------------------===//

#include "FakeDriver.h"

#include "CUDAFunctions.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

using namespace ks::cuda;

struct ks::cuda::CUfunc_st {
  std::string name;
  std::string image;
};

struct ks::cuda::CUmod_st {
  std::string image;
  std::vector<std::unique_ptr<CUfunc_st>> functions;
};

FakeDriver &getFakeDriver() {
  static FakeDriver driver;
  return driver;
}

FakeDriverLock::FakeDriverLock() {
  static std::recursive_mutex mutex;
  guard = std::unique_lock<std::recursive_mutex>(mutex);
}

std::vector<void *> &getFakeContexts() {
  thread_local std::vector<void *> contexts;
  return contexts;
}

int64_t FakeLaunch::getInt(size_t index) const {
  int64_t value = 0;
  std::memcpy(&value, parameters.at(index).data(), sizeof(value));
  return value;
}

/// Called for each launch: the code of the kernel, and what cuLaunchKernel got.
/// Returns a CUresult.
using LaunchCallback = unsigned (*)(const char *image, const char *kernel,
                                    unsigned grid, unsigned block,
                                    unsigned sharedBytes, void **parameters);
static LaunchCallback launchCallback = nullptr;

/// For programs that run the code themselves (test/gpu/ptx_emulator.py).
extern "C" void fakeSetLaunchCallback(LaunchCallback callback) {
  launchCallback = callback;
}

/// Called instead of allocating; freeing such memory does nothing.
using AllocateCallback = void *(*)(size_t);
static AllocateCallback allocateCallback = nullptr;

extern "C" void fakeSetAllocateCallback(AllocateCallback callback) {
  allocateCallback = callback;
}

namespace {

using Lock = FakeDriverLock;

CUresult toResult(unsigned code) { return static_cast<CUresult>(code); }

/// What needs a context.
CUresult needContext() {
  Lock driver;
  if (!getFakeContexts().empty())
    return CUDA_SUCCESS;
  ++driver->numMisuses;
  return CUDA_ERROR_INVALID_CONTEXT;
}

CUresult refuse(unsigned code, unsigned count, CUjit_option *options,
                void **values) {
  Lock driver;
  for (unsigned index = 0; index < count; ++index)
    if (options[index] == CU_JIT_ERROR_LOG_BUFFER)
      std::strcpy(static_cast<char *>(values[index]), driver->jitLog.c_str());
  return toResult(code);
}

/// Returns a fault on demand.
CUresult record(FakeLaunch launch, void **parameters) {
  Lock driver;
  if (driver->launchResult)
    return toResult(driver->launchResult);
  launch.context = getFakeContexts().back();
  size_t index = 0;
  for (size_t bytes : driver->parameterBytes[launch.kernel])
    launch.parameters.emplace_back(static_cast<char *>(parameters[index++]),
                                   bytes);
  driver->launches.push_back(std::move(launch));
  return CUDA_SUCCESS;
}

CUresult launch(CUfunction function, unsigned grid, unsigned block,
                unsigned sharedBytes, unsigned cluster, CUstream stream,
                void **parameters, bool overlaps = false) {
  if (CUresult result = needContext())
    return result;
  FakeLaunch launch;
  launch.kernel = function->name;
  launch.grid = grid;
  launch.block = block;
  launch.sharedBytes = sharedBytes;
  launch.cluster = cluster;
  launch.overlaps = overlaps;
  launch.stream = stream;
  if (CUresult result = record(std::move(launch), parameters))
    return result;
  // Without the lock: what is called may wait for locks of its own.
  if (!launchCallback)
    return CUDA_SUCCESS;
  return toResult(launchCallback(function->image.c_str(),
                                 function->name.c_str(), grid, block,
                                 sharedBytes, parameters));
}

} // namespace

// NOLINTBEGIN(readability-identifier-naming): as NVIDIA names them.
extern "C" {

CUresult cuInit(unsigned) { return toResult(getFakeDriver().initResult); }

CUresult cuDriverGetVersion(int *version) {
  Lock driver;
  *version = driver->version;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult result, const char **name) {
  *name = result == CUDA_ERROR_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
                                             : "CUDA_ERROR_FAKE";
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult, const char **text) {
  *text = "a fault on demand";
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  *count = getFakeDriver().numDevices;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  *device = ordinal;
  return ordinal >= 0 && ordinal < getFakeDriver().numDevices
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  std::strncpy(name, "Fake GPU", length);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                              CUdevice) {
  Lock driver;
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = driver->capability / 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = driver->capability % 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = driver->sharedBytesPerBlock;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS:
    *value = driver->readsHostMemory;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 132;
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  Lock driver;
  ++driver->numRetained;
  *context = reinterpret_cast<CUcontext>(fakePrimaryContext + device);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  Lock driver;
  --driver->numRetained;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
  auto &contexts = getFakeContexts();
  *context =
      contexts.empty() ? nullptr : static_cast<CUcontext>(contexts.back());
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  getFakeContexts().push_back(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  if (CUresult result = needContext())
    return result;
  *context = static_cast<CUcontext>(getFakeContexts().back());
  getFakeContexts().pop_back();
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device) {
  if (CUresult result = needContext())
    return result;
  auto context = reinterpret_cast<uintptr_t>(getFakeContexts().back());
  bool isPrimary = context - fakePrimaryContext < maxFakeDevices;
  *device = isPrimary ? static_cast<int>(context - fakePrimaryContext) : 0;
  return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() {
  Lock driver;
  ++driver->numSynchronizations;
  return needContext();
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                            CUjit_option *options, void **values) {
  if (CUresult result = needContext())
    return result;
  Lock driver;
  std::string text = static_cast<const char *>(image);
  unsigned result =
      text.starts_with("cubin") ? driver->cubinResult : driver->ptxResult;
  if (result)
    return refuse(result, count, options, values);
  driver->image = text;
  ++driver->numModules;
  *module = new CUmod_st;
  (*module)->image = text;
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  if (CUresult result = needContext())
    return result;
  Lock driver;
  --driver->numModules;
  delete module;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module,
                             const char *name) {
  Lock driver;
  if (module->image.find(name) == std::string::npos)
    return CUDA_ERROR_NOT_FOUND;
  for (const auto &known : module->functions)
    if (known->name == name) {
      *function = known.get();
      return CUDA_SUCCESS;
    }
  module->functions.push_back(std::make_unique<CUfunc_st>());
  *function = module->functions.back().get();
  (*function)->name = name;
  (*function)->image = module->image;
  return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute, CUfunction) {
  *value = 1024; // bytes of static shared memory
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute,
                            int value) {
  Lock driver;
  if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
    driver->dynamicSharedBytes[function->name] = value;
  if (attribute == CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED)
    driver->nonPortable.insert(function->name);
  return CUDA_SUCCESS;
}

#ifndef KS_FAKE_BROKEN
CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **parameters, void **) {
  if (gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1)
    return CUDA_ERROR_INVALID_VALUE;
  return launch(function, gridX, blockX, sharedBytes, 1, stream, parameters);
}
#endif

#ifndef KS_FAKE_OLD
CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function,
                          void **parameters, void **) {
  unsigned cluster = 1;
  bool overlaps = false;
  for (unsigned index = 0; index < config->numAttrs; ++index) {
    const CUlaunchAttribute &attribute = config->attrs[index];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
      cluster = attribute.value.clusterDim.x;
    else if (attribute.id ==
             CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
      overlaps = attribute.value.programmaticStreamSerializationAllowed;
    else
      return CUDA_ERROR_INVALID_VALUE;
  }
  return launch(function, config->gridDimX, config->blockDimX,
                config->sharedMemBytes, cluster, config->hStream, parameters,
                overlaps);
}

CUresult cuTensorMapEncodeTiled(
    CUtensorMap *map, CUtensorMapDataType type, uint32_t rank, void *base,
    const uint64_t *sizes, const uint64_t *strides, const uint32_t *box,
    const uint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle swizzle,
    CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  Lock driver;
  if (driver->mapResult)
    return toResult(driver->mapResult);
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0)
    ++driver->numMisuses;
  // Its number, and what programs that play the device need.
  struct {
    uint64_t number, base, sizes[5], strides[4];
    uint32_t type, rank, box[5], swizzle;
  } description = {};
  static_assert(sizeof(description) <= sizeof(map->opaque));
  description.number = driver->maps.size();
  description.base = reinterpret_cast<uintptr_t>(base);
  std::copy(sizes, sizes + rank, description.sizes);
  std::copy(strides, strides + rank - 1, description.strides);
  std::copy(box, box + rank, description.box);
  description.type = type;
  description.rank = rank;
  description.swizzle = swizzle;
  std::memcpy(map->opaque, &description, sizeof(description));
  FakeTensorMap fake;
  fake.type = type;
  fake.base = base;
  fake.sizes.assign(sizes, sizes + rank);
  fake.strides.assign(strides, strides + rank - 1);
  fake.box.assign(box, box + rank);
  fake.swizzle = swizzle;
  driver->maps.push_back(std::move(fake));
  return CUDA_SUCCESS;
}

CUresult cuFuncLoad(CUfunction) { return needContext(); }
#endif

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  Lock driver;
  *total = driver->memoryBytes;
  *free = driver->memoryBytes - driver->allocatedBytes;
  return needContext();
}

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  if (CUresult result = needContext())
    return result;
  // Without the lock, as for launches.
  void *memory = allocateCallback ? allocateCallback(bytes) : nullptr;
  Lock driver;
  if (bytes > driver->memoryBytes - driver->allocatedBytes ||
      (allocateCallback && !memory))
    return CUDA_ERROR_OUT_OF_MEMORY;
  if (memory) {
    driver->borrowed[memory] = bytes;
  } else {
    memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    driver->allocations[memory] = bytes;
  }
  driver->allocatedBytes += bytes;
  *pointer = reinterpret_cast<uintptr_t>(memory);
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  if (CUresult result = needContext())
    return result;
  Lock driver;
  auto borrowed = driver->borrowed.find(reinterpret_cast<void *>(pointer));
  if (borrowed != driver->borrowed.end()) {
    driver->allocatedBytes -= borrowed->second;
    driver->borrowed.erase(borrowed);
    return CUDA_SUCCESS;
  }
  auto it = driver->allocations.find(reinterpret_cast<void *>(pointer));
  if (it == driver->allocations.end())
    return CUDA_ERROR_INVALID_VALUE;
  driver->allocatedBytes -= it->second;
  std::free(it->first);
  driver->allocations.erase(it);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                       CUstream) {
  std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from),
              bytes);
  return needContext();
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                              CUstream) {
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return needContext();
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                              CUstream) {
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return needContext();
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes,
                         CUstream) {
  std::memset(reinterpret_cast<void *>(to), value, bytes);
  return needContext();
}

CUresult cuMemsetD16Async(CUdeviceptr, unsigned short, size_t, CUstream) {
  return needContext();
}

CUresult cuMemsetD32Async(CUdeviceptr, unsigned, size_t, CUstream) {
  return needContext();
}

/// Pointers into allocations are known; so are all if there are none, which
/// spares most tests from allocating.
CUresult cuPointerGetAttribute(void *value, CUpointer_attribute,
                               CUdeviceptr pointer) {
  Lock driver;
  *static_cast<unsigned *>(value) = 2;
  if (driver->allocations.empty() || driver->knowsAllMemory)
    return CUDA_SUCCESS;
  auto *address = reinterpret_cast<char *>(pointer);
  for (const auto &[memory, bytes] : driver->allocations)
    if (address >= memory && address < static_cast<char *>(memory) + bytes)
      return CUDA_SUCCESS;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  *stream = reinterpret_cast<CUstream>(uintptr_t(0x5000));
  return needContext();
}

CUresult cuStreamDestroy_v2(CUstream) { return needContext(); }
CUresult cuStreamSynchronize(CUstream) {
  Lock driver;
  ++driver->numSynchronizations;
  return needContext();
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent, unsigned) {
  Lock driver;
  driver->waits.push_back(stream);
  return needContext();
}

CUresult cuStreamIsCapturing(CUstream stream, unsigned *status) {
  Lock driver;
  *status = stream && stream == driver->capturingStream;
  return needContext();
}

#ifndef KS_FAKE_OLD
CUresult cuStreamGetId(CUstream stream, unsigned long long *id) {
  Lock driver;
  if (stream && stream == driver->capturingStream)
    return static_cast<CUresult>(900); // STREAM_CAPTURE_UNSUPPORTED
  *id = reinterpret_cast<uintptr_t>(stream) + 1;
  return needContext();
}
#endif

CUresult cuEventCreate(CUevent *event, unsigned) {
  *event = reinterpret_cast<CUevent>(uintptr_t(0x6000));
  return needContext();
}

CUresult cuEventDestroy_v2(CUevent) { return needContext(); }
CUresult cuEventRecord(CUevent, CUstream stream) {
  Lock driver;
  driver->records.push_back(stream);
  return needContext();
}
CUresult cuEventSynchronize(CUevent) { return needContext(); }

CUresult cuEventElapsedTime(float *milliseconds, CUevent, CUevent) {
  *milliseconds = 1.5f;
  return needContext();
}

} // extern "C"
// NOLINTEND(readability-identifier-naming)
