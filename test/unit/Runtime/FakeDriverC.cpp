//===- FakeDriverC.cpp - The fake driver for other languages --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What test/gpu/emulated_device.py and Python's tests use, besides the driver's
// own functions.
//
//===----------------------------------------------------------------------===//

#include "FakeDriver.h"

using Lock = FakeDriverLock;

namespace {

/// What the machine is like, faults, and records, by name.
int *findField(const std::string &name) {
  FakeDriver &driver = getFakeDriver();
  static const std::map<std::string, int *> fields = {
      {"numDevices", &driver.numDevices},
      {"capability", &driver.capability},
      {"sharedBytesPerBlock", &driver.sharedBytesPerBlock},
      {"initResult", reinterpret_cast<int *>(&driver.initResult)},
      {"ptxResult", reinterpret_cast<int *>(&driver.ptxResult)},
      {"launchResult", reinterpret_cast<int *>(&driver.launchResult)},
      {"numModules", &driver.numModules},
      {"numMisuses", &driver.numMisuses},
      {"numSynchronizations", &driver.numSynchronizations}};
  auto it = fields.find(name);
  return it == fields.end() ? nullptr : it->second;
}

/// Copies at most `count` items.
size_t copyTo(const std::vector<void *> &items, void **to, size_t count) {
  for (size_t index = 0; index < items.size() && index < count; ++index)
    to[index] = items[index];
  return items.size();
}

} // namespace

extern "C" {

/// Returns whether there is such a field.
int fakeSet(const char *name, int value) {
  Lock driver;
  int *field = findField(name);
  if (field)
    *field = value;
  return field != nullptr;
}

int fakeGet(const char *name) {
  Lock driver;
  int *field = findField(name);
  return field ? *field : -1;
}

void fakeSetCapturingStream(void *stream) {
  Lock driver;
  driver->capturingStream = stream;
}

size_t fakeGetAllocatedBytes() {
  Lock driver;
  return driver->allocatedBytes;
}

/// Streams and contexts of all launches; returns how many there were.
size_t fakeGetLaunches(void **streams, void **contexts, size_t count) {
  Lock driver;
  for (size_t index = 0; index < driver->launches.size() && index < count;
       ++index) {
    streams[index] = driver->launches[index].stream;
    contexts[index] = driver->launches[index].context;
  }
  return driver->launches.size();
}

/// The streams that waited for an event, or on which one was recorded.
size_t fakeGetWaits(void **streams, size_t count) {
  Lock driver;
  return copyTo(driver->waits, streams, count);
}
size_t fakeGetRecords(void **streams, size_t count) {
  Lock driver;
  return copyTo(driver->records, streams, count);
}

void fakeClearRecords() {
  Lock driver;
  driver->launches.clear();
  driver->waits.clear();
  driver->records.clear();
  driver->numSynchronizations = 0;
}

} // extern "C"
