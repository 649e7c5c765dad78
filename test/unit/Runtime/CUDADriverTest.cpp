//===- CUDADriverTest.cpp - Tests of the driver's wrapper -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerTestUtil.h"

#include "ks/Runtime/CUDADriver.h"

#include <cstring>
#include <utility>

using namespace ks;

namespace {

using CUDADriverTest = FakeDriverTest;

TEST_F(CUDADriverTest, OpensPrimaryContextAndGivesItBack) {
  {
    CUDAContext context;
    EXPECT_FALSE(context);
    expectSuccess(CUDAContext::open(context));
    EXPECT_TRUE(context);
    EXPECT_EQ(context.getDevice(), 0);
    CUDAContext copy = context;
    EXPECT_EQ(getFakeDriver().numRetained, 1);
  }
  EXPECT_EQ(getFakeDriver().numRetained, 0);
}

TEST_F(CUDADriverTest, TakesTheCurrentContext) {
  auto *other = reinterpret_cast<void *>(fakeOtherContext);
  getFakeContexts().push_back(other);
  CUDAContext context;
  expectSuccess(CUDAContext::open(context));
  EXPECT_EQ(context.getHandle(), other);
  EXPECT_EQ(getFakeDriver().numRetained, 0);
  getFakeContexts().clear();
}

TEST_F(CUDADriverTest, OpensDevicesByNumber) {
  getFakeDriver().numDevices = 2;
  int count = 0;
  expectSuccess(CUDAContext::getNumDevices(count));
  EXPECT_EQ(count, 2);
  CUDAContext context;
  expectSuccess(CUDAContext::openDevice(1, context));
  EXPECT_EQ(context.getDevice(), 1);
  expectFailure(CUDAContext::openDevice(2, context), KS_ERROR_NO_DEVICE,
                {"opening GPU 2", "CUDA_VISIBLE_DEVICES"});
  EXPECT_EQ(context.getDevice(), 1) << "a failure must leave it alone";
}

TEST_F(CUDADriverTest, ReportsMissingDriver) {
  CUDAContext context;
  expectFailure(CUDAContext::open(context, "/nonexistent/libcuda.so.1"),
                KS_ERROR_NO_DRIVER,
                {"/nonexistent/libcuda.so.1", "KS_CUDA_DRIVER"});
  setenv("KS_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  expectFailure(CUDAContext::open(context), KS_ERROR_NO_DRIVER, {"/nowhere"});
  EXPECT_FALSE(context);
  expectSuccess(CUDAContext::open(context, KS_FAKE_DRIVER));
}

TEST_F(CUDADriverTest, ReportsUnusableDrivers) {
  CUDAContext context;
  expectFailure(CUDAContext::open(context, KS_FAKE_BROKEN_DRIVER),
                KS_ERROR_NO_DRIVER,
                {"lacks the function cuLaunchKernel", "update the driver"});
  getFakeDriver().initResult = 803;
  expectFailure(CUDAContext::open(context), KS_ERROR_NO_DRIVER,
                {"starting the NVIDIA driver", "803"});
  getFakeDriver().initResult = 100;
  expectFailure(CUDAContext::open(context), KS_ERROR_NO_DEVICE,
                {"CUDA error 100"});
  getFakeDriver().initResult = 0;
  expectSuccess(CUDAContext::open(context));
}

TEST_F(CUDADriverTest, DescribesTheDevice) {
  CUDAContext context;
  expectSuccess(CUDAContext::open(context));
  DeviceInfo info;
  expectSuccess(context.getDeviceInfo(info));
  EXPECT_EQ(info.name, "Fake GPU");
  EXPECT_EQ(info.capability, 90u);
  EXPECT_EQ(info.multiprocessors, 132);
  EXPECT_EQ(info.sharedBytesPerBlock, 232448u);
  EXPECT_EQ(info.totalBytes, size_t(1) << 30);
  EXPECT_EQ(info.freeBytes, size_t(1) << 30);
  EXPECT_EQ(info.memoryClockKHz, 0) << "the fake one does not tell";
  EXPECT_EQ(info.driverVersion, 12040);
}

TEST_F(CUDADriverTest, AllocatesCopiesAndFrees) {
  CUDAContext context;
  expectSuccess(CUDAContext::open(context));
  {
    DeviceMemory memory, other;
    expectSuccess(context.allocate(64, memory));
    expectSuccess(context.allocate(64, other));
    char host[64] = "some text", back[64] = "";
    expectSuccess(context.copyToDevice(memory.get(), host, sizeof(host)));
    expectSuccess(context.copyOnDevice(other.get(), memory.get(), 64));
    expectSuccess(context.copyToHost(back, other.get(), sizeof(back)));
    expectSuccess(context.synchronize());
    EXPECT_STREQ(back, host);
    expectSuccess(context.fill(memory.get(), 7, 64));
    expectSuccess(context.copyToHost(back, memory.get(), sizeof(back)));
    EXPECT_EQ(back[63], 7);
    void *address = memory.get();
    DeviceMemory moved = std::move(memory);
    EXPECT_EQ(moved.get(), address);
    expectSuccess(context.allocate(0, other));
    EXPECT_EQ(other.get(), nullptr);
  }
  EXPECT_EQ(getFakeDriver().allocatedBytes, 0u);
}

TEST_F(CUDADriverTest, ReportsLackOfMemoryAndLivesOn) {
  CUDAContext context;
  expectSuccess(CUDAContext::open(context));
  DeviceMemory memory;
  expectFailure(context.allocate(size_t(1) << 40, memory),
                KS_ERROR_OUT_OF_MEMORY,
                {"allocating 1099511627776 bytes of device memory",
                 "CUDA_ERROR_OUT_OF_MEMORY", "smaller batch"});
  expectSuccess(context.allocate(1024, memory));
}

TEST_F(CUDADriverTest, MeasuresTime) {
  CUDAContext context;
  expectSuccess(CUDAContext::open(context));
  CUDAStream stream;
  CUDAEvent start, end;
  expectSuccess(context.createStream(stream));
  expectSuccess(context.createEvent(start));
  expectFailure(context.record(end, stream.get()), KS_ERROR_ARGUMENT,
                {"empty CUDAEvent"});
  expectSuccess(context.createEvent(end));
  expectSuccess(context.record(start, stream.get()));
  expectSuccess(context.record(end, stream.get()));
  double milliseconds = 0;
  expectSuccess(context.getElapsed(start, end, milliseconds));
  EXPECT_EQ(milliseconds, 1.5);
}

TEST_F(CUDADriverTest, EmptyContextsFail) {
  CUDAContext context;
  DeviceMemory memory;
  DeviceInfo info;
  expectFailure(context.allocate(1, memory), KS_ERROR_ARGUMENT,
                {"empty CUDAContext"});
  expectFailure(context.synchronize(), KS_ERROR_ARGUMENT, {});
  expectFailure(context.getDeviceInfo(info), KS_ERROR_ARGUMENT, {});
}

} // namespace
