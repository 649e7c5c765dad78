//===- Device.cpp - C API of the GPU runtime: devices ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks-c/Runtime.h"

#include "RuntimeSupport.h"

#include <memory>
#include <utility>

using namespace ks;
using namespace ks::capi;

struct KsMemory {
  DeviceMemory memory;
};

struct KsEvent {
  CUDAContext context;
  CUDAEvent event;
};

/// Runs `call` on the context of a device.
template <typename Call>
static KsStatus guardOn(const KsDevice *device, Call call) {
  return guard([&]() -> Status {
    if (!device)
      return makeNullError("the device");
    return call(device->context);
  });
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

/// The device of the current context, or else the first.
static Status findCurrent(int &ordinal) {
  CUDAContext current;
  if (Status status = CUDAContext::open(current))
    return status;
  ordinal = current.getDevice();
  return {};
}

KsStatus ksOpenDevice(int ordinal, KsDevice **device) {
  return guard([&]() -> Status {
    if (!device)
      return makeNullError("the device to be written");
    if (ordinal < -1)
      return {KS_ERROR_ARGUMENT,
              "got GPU " + std::to_string(ordinal) +
                  ", expected the number of one, or -1 for the current one"};
    auto result = std::make_unique<KsDevice>();
    result->ordinal = ordinal;
    if (ordinal == -1)
      if (Status status = findCurrent(result->ordinal))
        return status;
    if (Status status =
            CUDAContext::openDevice(result->ordinal, result->context))
      return status;
    if (Status status = result->context.getDeviceInfo(result->info))
      return status;
    *device = result.release();
    return {};
  });
}

void ksCloseDevice(KsDevice *device) { delete device; }

KsStatus ksGetDeviceInfo(const KsDevice *device, KsDeviceInfo *info) {
  return guardOn(device, [&](const CUDAContext &) -> Status {
    if (!info)
      return makeNullError("the info to be written");
    *info = {device->ordinal, static_cast<int>(device->info.capability),
             device->info.name.c_str(), device->info.multiprocessors,
             device->info.getPeakBytesPerSecond()};
    return {};
  });
}

KsStatus ksSynchronizeDevice(const KsDevice *device) {
  return guardOn(device, [](const CUDAContext &context) {
    return context.synchronizeAll();
  });
}

KsStatus ksGetStreamInfo(const KsDevice *device, KsStream stream,
                         KsStreamInfo *info) {
  return guardOn(device, [&](const CUDAContext &context) -> Status {
    if (!info)
      return makeNullError("the info to be written");
    uint64_t id = 0;
    bool isCapturing = false;
    if (Status status = context.getStreamInfo(stream, id, isCapturing))
      return status;
    *info = {id, isCapturing};
    return {};
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

KsStatus ksAllocate(const KsDevice *device, size_t bytes, KsMemory **memory) {
  return guardOn(device, [&](const CUDAContext &context) -> Status {
    if (!memory)
      return makeNullError("the memory to be written");
    auto result = std::make_unique<KsMemory>();
    if (Status status = context.allocate(bytes, result->memory))
      return status;
    *memory = result.release();
    return {};
  });
}

void *ksGetAddress(const KsMemory *memory) {
  return memory ? memory->memory.get() : nullptr;
}

void ksFreeMemory(KsMemory *memory) { delete memory; }

KsStatus ksCopyOnDevice(const KsDevice *device, void *to, const void *from,
                        size_t bytes, KsStream stream) {
  return guardOn(device, [&](const CUDAContext &context) -> Status {
    if (bytes == 0)
      return {};
    if (!to || !from)
      return makeNullError(to ? "the memory to copy from"
                              : "the memory to copy to");
    return context.copyOnDevice(to, from, bytes, stream);
  });
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

KsStatus ksRecordEvent(const KsDevice *device, KsStream stream,
                       KsEvent **event) {
  return guardOn(device, [&](const CUDAContext &context) -> Status {
    if (!event)
      return makeNullError("the event to be written");
    auto result = std::make_unique<KsEvent>();
    result->context = context;
    if (Status status = context.createEvent(result->event))
      return status;
    if (Status status = context.record(result->event, stream))
      return status;
    *event = result.release();
    return {};
  });
}

KsStatus ksWaitForEvent(const KsEvent *event, KsStream stream) {
  return guard([&] {
    return event ? event->context.wait(event->event, stream)
                 : makeNullError("the event");
  });
}

void ksFreeEvent(KsEvent *event) { delete event; }
