//===- CUDADriver.cpp - GPUs, without a CUDA toolkit ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Runtime/CUDADriver.h"

#include "CUDAFunctions.h"
#include "Text.h"

using namespace ks;
using namespace ks::cuda;

struct CUDAContext::State {
  const Functions *functions = nullptr;
  CUcontext context = nullptr;
  CUdevice device = 0;
  /// Whether the context is the primary one, kept by this state.
  bool isRetained = false;

  State() = default;
  State(const State &) = delete;
  State &operator=(const State &) = delete;
  ~State() {
    if (isRetained)
      functions->cuDevicePrimaryCtxRelease(device);
  }
};

namespace {

/// Opens the driver and wakes it up.
Status initialize(const char *path, const Functions *&functions) {
  if (Status status = getFunctions(path, functions))
    return status;
  CUresult result = functions->cuInit(0);
  Status status = toStatus(*functions, result, "starting the NVIDIA driver");
  if (!status || status.getCode() == KS_ERROR_NO_DEVICE)
    return status;
  return {KS_ERROR_NO_DRIVER,
          concat(status.getMessage(), "; check with nvidia-smi that ",
                 functions->path, " is the driver's own and up to date")};
}

Status makeEmptyError() {
  return {KS_ERROR_ARGUMENT, "got an empty CUDAContext, expected one that "
                             "CUDAContext::open has opened"};
}

/// Runs `call` with the functions of the driver while the context is current.
template <typename Call>
Status runIn(const CUDAContext &context, std::string_view action, Call call) {
  if (!context)
    return makeEmptyError();
  const Functions &functions = *context.getFunctions();
  CurrentContext scope(functions, static_cast<CUcontext>(context.getHandle()));
  if (scope.getStatus())
    return scope.getStatus();
  return toStatus(functions, call(functions), action);
}

CUstream toStream(KsStream stream) { return static_cast<CUstream>(stream); }

Status checkMade(const CUDAEvent &event) {
  if (event.get())
    return {};
  return {KS_ERROR_ARGUMENT,
          "got an empty CUDAEvent, expected one of CUDAContext::createEvent"};
}

} // namespace

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

Status CUDAContext::open(CUDAContext &context, const char *driverPath) {
  const Functions *functions = nullptr;
  if (Status status = initialize(driverPath, functions))
    return status;
  CUcontext current = nullptr;
  CUdevice device = 0;
  if (functions->cuCtxGetCurrent(&current) != CUDA_SUCCESS || !current)
    return openDevice(0, context, driverPath);
  if (Status status = toStatus(*functions, functions->cuCtxGetDevice(&device),
                               "asking for the device of the current context"))
    return status;
  auto state = std::make_shared<State>();
  state->functions = functions;
  state->context = current;
  state->device = device;
  context.state = std::move(state);
  return {};
}

Status CUDAContext::openDevice(int ordinal, CUDAContext &context,
                               const char *driverPath) {
  const Functions *functions = nullptr;
  if (Status status = initialize(driverPath, functions))
    return status;
  auto state = std::make_shared<State>();
  state->functions = functions;
  if (Status status =
          toStatus(*functions, functions->cuDeviceGet(&state->device, ordinal),
                   concat("opening GPU ", ordinal)))
    return status;
  if (Status status = toStatus(
          *functions,
          functions->cuDevicePrimaryCtxRetain(&state->context, state->device),
          concat("making the context of GPU ", ordinal)))
    return status;
  state->isRetained = true;
  context.state = std::move(state);
  return {};
}

Status CUDAContext::getNumDevices(int &count, const char *driverPath) {
  const Functions *functions = nullptr;
  if (Status status = initialize(driverPath, functions))
    return status;
  return toStatus(*functions, functions->cuDeviceGetCount(&count),
                  "counting GPUs");
}

const Functions *CUDAContext::getFunctions() const {
  return state ? state->functions : nullptr;
}

void *CUDAContext::getHandle() const {
  return state ? state->context : nullptr;
}

int CUDAContext::getDevice() const { return state ? state->device : -1; }

Status CUDAContext::getDeviceInfo(DeviceInfo &info) const {
  if (!state)
    return makeEmptyError();
  const Functions &functions = *state->functions;
  char name[256] = "";
  info = DeviceInfo();
  if (functions.cuDeviceGetName(name, sizeof(name) - 1, state->device) ==
      CUDA_SUCCESS)
    info.name = name;
  // What an old driver or device does not know is 0.
  auto get = [&](CUdevice_attribute attribute) {
    int value = 0;
    if (functions.cuDeviceGetAttribute(&value, attribute, state->device) !=
        CUDA_SUCCESS)
      return 0;
    return value;
  };
  int major = get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  int minor = get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  info.capability = static_cast<uint32_t>(10 * major + minor);
  info.multiprocessors = get(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  info.sharedBytesPerBlock =
      get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  info.l2Bytes = get(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  info.memoryClockKHz = get(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
  info.memoryBusBits = get(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
  functions.cuDriverGetVersion(&info.driverVersion);
  return runIn(*this, "asking for free memory", [&](const Functions &driver) {
    return driver.cuMemGetInfo(&info.freeBytes, &info.totalBytes);
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Status CUDAContext::allocate(size_t bytes, DeviceMemory &memory) const {
  DeviceMemory result;
  result.context = *this;
  if (bytes != 0) {
    CUdeviceptr pointer = 0;
    std::string action =
        concat("allocating ", bytes, " bytes of device memory");
    if (Status status = runIn(*this, action, [&](const Functions &driver) {
          return driver.cuMemAlloc(&pointer, bytes);
        }))
      return status;
    result.handle = reinterpret_cast<void *>(pointer);
  }
  memory = std::move(result);
  return {};
}

DeviceMemory::~DeviceMemory() {
  // Fails, and must, if the driver has ended before.
  if (handle)
    (void)runIn(context, "freeing memory", [&](const Functions &driver) {
      return driver.cuMemFree(toDevice(handle));
    });
}

Status CUDAContext::copyToDevice(void *device, const void *host, size_t bytes,
                                 KsStream stream) const {
  return runIn(*this, "copying to the device", [&](const Functions &driver) {
    return driver.cuMemcpyHtoDAsync(toDevice(device), host, bytes,
                                    toStream(stream));
  });
}

Status CUDAContext::copyToHost(void *host, const void *device, size_t bytes,
                               KsStream stream) const {
  return runIn(*this, "copying to the host", [&](const Functions &driver) {
    return driver.cuMemcpyDtoHAsync(host, toDevice(device), bytes,
                                    toStream(stream));
  });
}

Status CUDAContext::copyOnDevice(void *to, const void *from, size_t bytes,
                                 KsStream stream) const {
  return runIn(*this, "copying on the device", [&](const Functions &driver) {
    return driver.cuMemcpyAsync(toDevice(to), toDevice(from), bytes,
                                toStream(stream));
  });
}

Status CUDAContext::fill(void *device, uint8_t value, size_t bytes,
                         KsStream stream) const {
  return runIn(*this, "filling memory", [&](const Functions &driver) {
    return driver.cuMemsetD8Async(toDevice(device), value, bytes,
                                  toStream(stream));
  });
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

Status CUDAContext::synchronize(KsStream stream) const {
  return runIn(*this, "waiting for the stream", [&](const Functions &driver) {
    return driver.cuStreamSynchronize(toStream(stream));
  });
}

Status CUDAContext::synchronizeAll() const {
  return runIn(*this, "waiting for the GPU", [](const Functions &driver) {
    return driver.cuCtxSynchronize();
  });
}

/// A number for a stream of a driver that has none. The handle of the default
/// stream per thread stands for a stream of each thread.
static uint64_t makeStreamId(KsStream stream) {
  static thread_local char ofThread;
  constexpr uintptr_t perThread = 2;
  auto handle = reinterpret_cast<uintptr_t>(stream);
  return handle == perThread ? reinterpret_cast<uintptr_t>(&ofThread) : handle;
}

Status CUDAContext::getStreamInfo(KsStream stream, uint64_t &id,
                                  bool &isCapturing) const {
  unsigned long long number = makeStreamId(stream);
  unsigned status = 0;
  Status result =
      runIn(*this, "asking about a stream", [&](const Functions &driver) {
        CUresult asked = driver.cuStreamIsCapturing(toStream(stream), &status);
        // Drivers do not tell the number while a graph is captured.
        return asked == CUDA_SUCCESS && !status && driver.cuStreamGetId
                   ? driver.cuStreamGetId(toStream(stream), &number)
                   : asked;
      });
  id = number;
  isCapturing = status != 0;
  return result;
}

Status CUDAContext::createStream(CUDAStream &stream) const {
  CUDAStream result;
  result.context = *this;
  CUstream handle = nullptr;
  if (Status status =
          runIn(*this, "creating a stream", [&](const Functions &driver) {
            return driver.cuStreamCreate(&handle, CU_STREAM_NON_BLOCKING);
          }))
    return status;
  result.handle = handle;
  stream = std::move(result);
  return {};
}

CUDAStream::~CUDAStream() {
  if (handle)
    (void)runIn(context, "destroying a stream", [&](const Functions &driver) {
      return driver.cuStreamDestroy(static_cast<CUstream>(handle));
    });
}

Status CUDAContext::createEvent(CUDAEvent &event) const {
  CUDAEvent result;
  result.context = *this;
  CUevent handle = nullptr;
  if (Status status =
          runIn(*this, "creating an event", [&](const Functions &driver) {
            return driver.cuEventCreate(&handle, CU_EVENT_DEFAULT);
          }))
    return status;
  result.handle = handle;
  event = std::move(result);
  return {};
}

CUDAEvent::~CUDAEvent() {
  if (handle)
    (void)runIn(context, "destroying an event", [&](const Functions &driver) {
      return driver.cuEventDestroy(static_cast<CUevent>(handle));
    });
}

Status CUDAContext::record(const CUDAEvent &event, KsStream stream) const {
  if (Status status = checkMade(event))
    return status;
  return runIn(*this, "recording an event", [&](const Functions &driver) {
    return driver.cuEventRecord(static_cast<CUevent>(event.get()),
                                toStream(stream));
  });
}

Status CUDAContext::wait(const CUDAEvent &event, KsStream stream) const {
  if (Status status = checkMade(event))
    return status;
  return runIn(*this, "waiting for an event", [&](const Functions &driver) {
    return driver.cuStreamWaitEvent(toStream(stream),
                                    static_cast<CUevent>(event.get()), 0);
  });
}

Status CUDAContext::getElapsed(const CUDAEvent &start, const CUDAEvent &end,
                               double &milliseconds) const {
  for (const CUDAEvent *event : {&start, &end})
    if (Status status = checkMade(*event))
      return status;
  float elapsed = 0;
  auto *first = static_cast<CUevent>(start.get());
  auto *last = static_cast<CUevent>(end.get());
  Status status = runIn(*this, "measuring time", [&](const Functions &driver) {
    CUresult result = driver.cuEventSynchronize(last);
    return result == CUDA_SUCCESS
               ? driver.cuEventElapsedTime(&elapsed, first, last)
               : result;
  });
  milliseconds = elapsed;
  return status;
}
