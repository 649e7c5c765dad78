//===- FakeDriver.h - A CUDA driver without a GPU ---------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library with the functions of libcuda.so.1 that the runtime opens. Its GPU
// runs nothing: launches are recorded, and faults happen on demand.
//
//===----------------------------------------------------------------------===//

#ifndef KS_TEST_UNIT_RUNTIME_FAKEDRIVER_H
#define KS_TEST_UNIT_RUNTIME_FAKEDRIVER_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

struct FakeLaunch {
  std::string kernel;
  unsigned grid = 0;
  unsigned block = 0;
  unsigned sharedBytes = 0;
  unsigned cluster = 1;
  bool overlaps = false; ///< May begin before earlier kernels have ended.
  void *stream = nullptr;
  void *context = nullptr;
  std::vector<std::string> parameters; ///< Their bytes.

  /// A parameter of 8 bytes.
  int64_t getInt(size_t index) const;
};

struct FakeTensorMap {
  int type = 0;
  void *base = nullptr;
  std::vector<uint64_t> sizes, strides;
  std::vector<uint32_t> box;
  int swizzle = 0;
};

struct FakeDriver {
  // What the machine is like.
  int version = 12040;
  int numDevices = 1;
  int capability = 90;
  int sharedBytesPerBlock = 232448;
  size_t memoryBytes = size_t(1) << 30;
  bool readsHostMemory = false;
  bool knowsAllMemory = false; ///< Not only what it has allocated.

  // Faults: results of functions; 0 is success.
  unsigned initResult = 0;
  unsigned ptxResult = 0;
  unsigned cubinResult = 0;
  unsigned launchResult = 0;
  unsigned mapResult = 0;
  std::string jitLog; ///< Written if PTX or a cubin is refused.

  /// The sizes of the parameters of a kernel, which are recorded.
  std::map<std::string, std::vector<size_t>> parameterBytes;

  // Records.
  std::vector<FakeLaunch> launches;
  std::vector<FakeTensorMap> maps;
  std::map<std::string, int> dynamicSharedBytes; ///< Permitted per kernel.
  std::set<std::string> nonPortable; ///< Kernels with large clusters.
  std::string image;                 ///< What was loaded last.
  int numModules = 0;                ///< Loaded now.
  int numRetained = 0;               ///< References to primary contexts now.
  size_t allocatedBytes = 0;
  std::vector<void *> waits;   ///< Streams that waited for an event.
  std::vector<void *> records; ///< Streams on which one was recorded.
  int numSynchronizations = 0;
  void *capturingStream = nullptr; ///< On which a graph is recorded.
  int numMisuses = 0; ///< Calls without the right context or with bad handles.

  /// Called with a lock by all functions of the driver.
  std::map<void *, size_t> allocations;
  std::map<void *, size_t> borrowed; ///< Of an allocation callback.
};

/// The one that all fake drivers of this process share.
FakeDriver &getFakeDriver();

/// The same, locked.
class FakeDriverLock {
public:
  FakeDriverLock();
  FakeDriver *operator->() { return &getFakeDriver(); }

private:
  std::unique_lock<std::recursive_mutex> guard;
};

/// The contexts that are current on this thread, the last one first.
std::vector<void *> &getFakeContexts();

/// A context that is no primary one.
constexpr uintptr_t fakeOtherContext = 0x9000;
constexpr uintptr_t fakePrimaryContext = 0x8000;
constexpr uintptr_t maxFakeDevices = 64;

#endif // KS_TEST_UNIT_RUNTIME_FAKEDRIVER_H
