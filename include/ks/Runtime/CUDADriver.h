//===- CUDADriver.h - GPUs, without a CUDA toolkit --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What programs that run compiled layers need of a GPU: memory, copies,
// streams, times. The driver is opened at run time; a machine without one gets
// a Status that says so.
//
//   CUDAContext gpu;
//   DeviceMemory x;
//   if (Status status = CUDAContext::open(gpu)) ...
//   if (Status status = gpu.allocate(bytes, x)) ...
//   if (Status status = gpu.copyToDevice(x.get(), host, bytes)) ...
//
// Streams are KsStream (a CUstream; null is the default stream). Nothing here
// throws or ends the process. Objects may be used from several threads at once,
// but for assigning to them.
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_CUDADRIVER_H
#define KS_RUNTIME_CUDADRIVER_H

#include "ks/Runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ks {

namespace cuda {
struct Functions;
} // namespace cuda
class CUDAEvent;
class CUDAStream;
class DeviceMemory;

/// What a GPU is like. Numbers that the driver does not tell are 0.
struct DeviceInfo {
  std::string name;
  uint32_t capability = 0; ///< 10 * major + minor.
  int multiprocessors = 0;
  size_t sharedBytesPerBlock = 0; ///< At most, if a kernel asks for it.
  size_t l2Bytes = 0;
  int64_t memoryClockKHz = 0;
  int64_t memoryBusBits = 0;
  size_t totalBytes = 0;
  size_t freeBytes = 0;
  int driverVersion = 0; ///< 1000 * major + 10 * minor, of CUDA.

  /// The most that memory can move in theory (two transfers per clock).
  double getPeakBytesPerSecond() const {
    return 2e3 * static_cast<double>(memoryClockKHz) *
           static_cast<double>(memoryBusBits) / 8;
  }
};

/// A CUDA context: the one that everything below belongs to. Copies share it.
/// Until opened it is empty, and calls fail.
class CUDAContext {
public:
  /// The context that is current on this thread, or else the primary context of
  /// device 0, which is kept while copies of `context` or anything made from
  /// them exist. The driver is `driverPath`; null stands for what the
  /// environment variable KS_CUDA_DRIVER says, or else libcuda.so.1.
  static Status open(CUDAContext &context, const char *driverPath = nullptr);

  /// The primary context of a device.
  static Status openDevice(int ordinal, CUDAContext &context,
                           const char *driverPath = nullptr);

  static Status getNumDevices(int &count, const char *driverPath = nullptr);

  explicit operator bool() const { return state != nullptr; }

  Status getDeviceInfo(DeviceInfo &info) const;

  /// Memory of the device, aligned to 256 bytes; none for 0 bytes.
  Status allocate(size_t bytes, DeviceMemory &memory) const;

  /// Copies and fills are put on a stream. Host memory to copy from may change
  /// once the call returns (unless it is page-locked); host memory to copy to
  /// is complete once the stream was synchronized.
  Status copyToDevice(void *device, const void *host, size_t bytes,
                      KsStream stream = nullptr) const;
  Status copyToHost(void *host, const void *device, size_t bytes,
                    KsStream stream = nullptr) const;
  Status copyOnDevice(void *to, const void *from, size_t bytes,
                      KsStream stream = nullptr) const;
  Status fill(void *device, uint8_t value, size_t bytes,
              KsStream stream = nullptr) const;

  /// Waits for all that was put on the stream; reports what failed there.
  Status synchronize(KsStream stream = nullptr) const;

  /// Waits for all work of the context.
  Status synchronizeAll() const;

  /// See KsStreamInfo.
  Status getStreamInfo(KsStream stream, uint64_t &id, bool &isCapturing) const;

  /// A stream that does not wait for the default stream.
  Status createStream(CUDAStream &stream) const;
  Status createEvent(CUDAEvent &event) const;
  Status record(const CUDAEvent &event, KsStream stream = nullptr) const;

  /// Lets what is put on the stream from now on wait for a recorded event.
  Status wait(const CUDAEvent &event, KsStream stream = nullptr) const;

  /// The time between two recorded events, once `end` has happened, which this
  /// waits for.
  Status getElapsed(const CUDAEvent &start, const CUDAEvent &end,
                    double &milliseconds) const;

  /// For the runtime itself: the functions of the driver, and the CUcontext.
  const cuda::Functions *getFunctions() const;
  void *getHandle() const;
  int getDevice() const;

private:
  struct State;
  std::shared_ptr<const State> state;
};

/// A handle that is given back to the driver in the end.
class CUDAResource {
public:
  CUDAResource() = default;
  CUDAResource(CUDAResource &&other) noexcept { swap(other); }
  CUDAResource &operator=(CUDAResource &&other) noexcept {
    swap(other);
    return *this;
  }

protected:
  ~CUDAResource() = default;
  void swap(CUDAResource &other) noexcept {
    std::swap(context, other.context);
    std::swap(handle, other.handle);
  }

  CUDAContext context;
  void *handle = nullptr;
  friend class CUDAContext;
};

/// Memory of a device.
class DeviceMemory : public CUDAResource {
public:
  DeviceMemory() = default;
  DeviceMemory(DeviceMemory &&) = default;
  DeviceMemory &operator=(DeviceMemory &&) = default;
  ~DeviceMemory();
  void *get() const { return handle; }
};

/// A stream, which can be given wherever a KsStream is expected.
class CUDAStream : public CUDAResource {
public:
  CUDAStream() = default;
  CUDAStream(CUDAStream &&) = default;
  CUDAStream &operator=(CUDAStream &&) = default;
  ~CUDAStream();
  KsStream get() const { return handle; }
};

/// A moment on a stream.
class CUDAEvent : public CUDAResource {
public:
  CUDAEvent() = default;
  CUDAEvent(CUDAEvent &&) = default;
  CUDAEvent &operator=(CUDAEvent &&) = default;
  ~CUDAEvent();
  void *get() const { return handle; }
};

} // namespace ks

#endif // KS_RUNTIME_CUDADRIVER_H
