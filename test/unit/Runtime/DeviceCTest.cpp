//===- DeviceCTest.cpp - Tests of the runtime's C API: devices ------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerTestUtil.h"

#include "ks-c/Runtime.h"

#include <thread>

using namespace ks;

namespace {

KsStream toStream(uintptr_t handle) {
  return reinterpret_cast<KsStream>(handle);
}

class DeviceCTest : public FakeDriverTest {
protected:
  void SetUp() override {
    FakeDriverTest::SetUp();
    getFakeDriver().numDevices = 2;
    ASSERT_EQ(ksOpenDevice(1, &device), KS_OK) << ksGetErrorMessage();
  }
  void TearDown() override {
    ksCloseDevice(device);
    EXPECT_EQ(getFakeDriver().numRetained, 0);
    FakeDriverTest::TearDown();
  }

  void expectMessage(const std::string &text) {
    EXPECT_NE(std::string(ksGetErrorMessage()).find(text), std::string::npos)
        << ksGetErrorMessage();
  }

  int getOrdinal(KsDevice *of) {
    KsDeviceInfo info = {};
    EXPECT_EQ(ksGetDeviceInfo(of, &info), KS_OK);
    return info.ordinal;
  }

  KsDevice *device = nullptr;
};

TEST_F(DeviceCTest, DescribesDevices) {
  KsDeviceInfo info = {};
  ASSERT_EQ(ksGetDeviceInfo(device, &info), KS_OK);
  EXPECT_EQ(info.ordinal, 1);
  EXPECT_EQ(info.capability, 90);
  EXPECT_STREQ(info.name, "Fake GPU");
}

TEST_F(DeviceCTest, FindsTheCurrentDevice) {
  KsDevice *current = nullptr;
  ASSERT_EQ(ksOpenDevice(-1, &current), KS_OK);
  EXPECT_EQ(getOrdinal(current), 0);
  ksCloseDevice(current);
  getFakeContexts().push_back(reinterpret_cast<void *>(fakePrimaryContext + 1));
  ASSERT_EQ(ksOpenDevice(-1, &current), KS_OK);
  EXPECT_EQ(getOrdinal(current), 1);
  ksCloseDevice(current);
  getFakeContexts().pop_back();
}

TEST_F(DeviceCTest, ReportsMissingDevices) {
  KsDevice *missing = nullptr;
  EXPECT_EQ(ksOpenDevice(2, &missing), KS_ERROR_NO_DEVICE);
  expectMessage("opening GPU 2 failed");
  EXPECT_EQ(ksOpenDevice(-2, &missing), KS_ERROR_ARGUMENT);
  expectMessage("got GPU -2");
  EXPECT_EQ(missing, nullptr);
}

TEST_F(DeviceCTest, LoadsLayersOnADevice) {
  std::string bytes = serialize(makeArtifact());
  KsLayer *layer = nullptr;
  ASSERT_EQ(ksLoadLayerOnDevice(device, bytes.data(), bytes.size(), &layer),
            KS_OK)
      << ksGetErrorMessage();
  TestBuffer w(wAddress, KS_F32, {4, 6});
  auto *packed = reinterpret_cast<void *>(packedAddress);
  EXPECT_EQ(ksPackLayer(layer, &w.buffer, 1, packed, 512, nullptr), KS_OK);
  ASSERT_EQ(getFakeDriver().launches.size(), 1u);
  EXPECT_EQ(getFakeDriver().launches[0].context,
            reinterpret_cast<void *>(fakePrimaryContext + 1));
  ksFreeLayer(layer);
}

TEST_F(DeviceCTest, AllocatesAndCopies) {
  KsMemory *from = nullptr, *to = nullptr;
  ASSERT_EQ(ksAllocate(device, 64, &from), KS_OK);
  ASSERT_EQ(ksAllocate(device, 64, &to), KS_OK);
  *static_cast<int *>(ksGetAddress(from)) = 7;
  EXPECT_EQ(
      ksCopyOnDevice(device, ksGetAddress(to), ksGetAddress(from), 64, nullptr),
      KS_OK);
  EXPECT_EQ(*static_cast<int *>(ksGetAddress(to)), 7);
  ksFreeMemory(from);
  ksFreeMemory(to);
  EXPECT_EQ(getFakeDriver().allocatedBytes, 0u);
  KsMemory *none = nullptr;
  ASSERT_EQ(ksAllocate(device, 0, &none), KS_OK);
  EXPECT_EQ(ksGetAddress(none), nullptr);
  ksFreeMemory(none);
  EXPECT_EQ(ksAllocate(device, size_t(1) << 40, &none), KS_ERROR_OUT_OF_MEMORY);
}

TEST_F(DeviceCTest, OrdersStreams) {
  KsEvent *event = nullptr;
  ASSERT_EQ(ksRecordEvent(device, toStream(0x10), &event), KS_OK);
  EXPECT_EQ(ksWaitForEvent(event, toStream(0x20)), KS_OK);
  ksFreeEvent(event);
  EXPECT_EQ(getFakeDriver().records, std::vector<void *>{toStream(0x10)});
  EXPECT_EQ(getFakeDriver().waits, std::vector<void *>{toStream(0x20)});
  EXPECT_EQ(ksSynchronizeDevice(device), KS_OK);
  EXPECT_EQ(getFakeDriver().numSynchronizations, 1);
}

TEST_F(DeviceCTest, DescribesStreams) {
  KsStreamInfo first = {}, second = {};
  getFakeDriver().capturingStream = toStream(0x20);
  ASSERT_EQ(ksGetStreamInfo(device, toStream(0x10), &first), KS_OK);
  ASSERT_EQ(ksGetStreamInfo(device, toStream(0x20), &second), KS_OK);
  EXPECT_NE(first.id, second.id);
  EXPECT_FALSE(first.isCapturing);
  EXPECT_TRUE(second.isCapturing);
}

TEST_F(DeviceCTest, NumbersStreamsOfOldDrivers) {
  setenv("KS_CUDA_DRIVER", KS_FAKE_OLD_DRIVER, /*overwrite=*/1);
  KsDevice *old = nullptr;
  ASSERT_EQ(ksOpenDevice(0, &old), KS_OK) << ksGetErrorMessage();
  KsStreamInfo info = {}, other = {};
  EXPECT_EQ(ksGetStreamInfo(old, toStream(0x10), &info), KS_OK);
  EXPECT_EQ(info.id, 0x10u);
  // Each thread has a default stream of its own.
  EXPECT_EQ(ksGetStreamInfo(old, toStream(2), &info), KS_OK);
  std::thread([&] {
    EXPECT_EQ(ksGetStreamInfo(old, toStream(2), &other), KS_OK);
  }).join();
  EXPECT_NE(info.id, other.id);
  ksCloseDevice(old);
}

TEST_F(DeviceCTest, SurvivesNull) {
  KsDeviceInfo info;
  KsStreamInfo streamInfo;
  KsMemory *memory = nullptr;
  KsEvent *event = nullptr;
  KsLayer *layer = nullptr;
  char bytes[4] = {};
  EXPECT_EQ(ksOpenDevice(0, nullptr), KS_ERROR_ARGUMENT);
  expectMessage("got NULL for the device to be written");
  EXPECT_EQ(ksGetDeviceInfo(nullptr, &info), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetDeviceInfo(device, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksSynchronizeDevice(nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetStreamInfo(nullptr, nullptr, &streamInfo), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetStreamInfo(device, nullptr, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksAllocate(nullptr, 4, &memory), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksAllocate(device, 4, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetAddress(nullptr), nullptr);
  EXPECT_EQ(ksCopyOnDevice(device, nullptr, bytes, 4, nullptr),
            KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksCopyOnDevice(device, bytes, nullptr, 4, nullptr),
            KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksCopyOnDevice(device, nullptr, nullptr, 0, nullptr), KS_OK);
  EXPECT_EQ(ksRecordEvent(nullptr, nullptr, &event), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksRecordEvent(device, nullptr, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksWaitForEvent(nullptr, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksLoadLayerOnDevice(nullptr, bytes, 4, &layer), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksLoadLayerOnDevice(device, nullptr, 4, &layer), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksLoadLayerOnDevice(device, bytes, 4, nullptr), KS_ERROR_ARGUMENT);
  ksCloseDevice(nullptr);
  ksFreeMemory(nullptr);
  ksFreeEvent(nullptr);
}

} // namespace
