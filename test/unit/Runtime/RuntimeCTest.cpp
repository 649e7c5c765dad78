//===- RuntimeCTest.cpp - Tests of the runtime's C API --------------------===//
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

class RuntimeCTest : public FakeDriverTest {
protected:
  void TearDown() override {
    ksFreeLayer(layer);
    FakeDriverTest::TearDown();
  }

  KsStatus load() {
    std::string bytes = serialize(makeArtifact());
    return ksLoadLayerFromMemory(bytes.data(), bytes.size(), &layer);
  }

  void expectMessage(const std::string &text) {
    EXPECT_NE(std::string(ksGetErrorMessage()).find(text), std::string::npos)
        << ksGetErrorMessage();
  }

  KsLayer *layer = nullptr;
};

TEST_F(RuntimeCTest, DescribesLayers) {
  ASSERT_EQ(load(), KS_OK) << ksGetErrorMessage();
  EXPECT_STREQ(ksGetLayerTarget(layer), "sm_80");
  ASSERT_EQ(ksGetNumLayerArguments(layer), 3u);
  KsLayerArgument x, w, y;
  ASSERT_EQ(ksGetLayerArgument(layer, 0, &x), KS_OK);
  ASSERT_EQ(ksGetLayerArgument(layer, 1, &w), KS_OK);
  ASSERT_EQ(ksGetLayerArgument(layer, 2, &y), KS_OK);
  EXPECT_STREQ(x.name, "x");
  EXPECT_EQ(x.type, KS_F16);
  ASSERT_EQ(x.rank, 2);
  EXPECT_EQ(x.shape[0], -1);
  EXPECT_EQ(x.shape[1], 48);
  EXPECT_FALSE(x.isWeight || x.isResult);
  EXPECT_EQ(x.alignment, 16u);
  EXPECT_TRUE(w.isWeight && !w.isResult);
  EXPECT_TRUE(y.isResult && !y.isWeight);
  EXPECT_EQ(ksGetLayerArgument(layer, 3, &x), KS_ERROR_ARGUMENT);
  expectMessage("got argument 3, expected less than the number of arguments");
  size_t bytes = 0;
  EXPECT_EQ(ksGetLayerPackedBytes(layer, &bytes), KS_OK);
  EXPECT_EQ(bytes, 512u);
  EXPECT_EQ(ksGetLayerWorkspaceBytes(layer, 65, &bytes), KS_OK);
  EXPECT_EQ(bytes, 5120u);
}

TEST_F(RuntimeCTest, PacksAndRuns) {
  ASSERT_EQ(load(), KS_OK) << ksGetErrorMessage();
  TestBuffer x(xAddress, KS_F16, {10, 48}), y(yAddress, KS_F16, {10, 24});
  TestBuffer w(wAddress, KS_F32, {4, 6});
  auto *packed = reinterpret_cast<void *>(packedAddress);
  KsBuffer arrays[] = {x.buffer, y.buffer};
  EXPECT_EQ(ksPackLayer(layer, &w.buffer, 1, packed, 512, nullptr), KS_OK);
  EXPECT_EQ(ksRunLayer(layer, packed, arrays, 2, nullptr, 0, nullptr), KS_OK);
  ASSERT_EQ(getFakeDriver().launches.size(), 2u);
  EXPECT_EQ(getFakeDriver().launches[1].kernel, "small");
  EXPECT_EQ(ksRunLayer(layer, nullptr, arrays, 2, nullptr, 0, nullptr),
            KS_ERROR_ARGUMENT);
  expectMessage("memory for packed weights is NULL");
}

TEST_F(RuntimeCTest, ReportsErrorsByCode) {
  EXPECT_EQ(ksLoadLayer("/nonexistent.ks", &layer), KS_ERROR_ARTIFACT);
  expectMessage("'/nonexistent.ks' could not be opened");
  EXPECT_EQ(ksLoadLayerFromMemory("x", 1, &layer), KS_ERROR_ARTIFACT);
  setenv("KS_CUDA_DRIVER", "/nonexistent/libcuda.so.1", 1);
  EXPECT_EQ(load(), KS_ERROR_NO_DRIVER);
  expectMessage("install the driver");
  setenv("KS_CUDA_DRIVER", KS_FAKE_DRIVER, 1);
  getFakeDriver().capability = 75;
  EXPECT_EQ(load(), KS_ERROR_NO_DEVICE);
  getFakeDriver().capability = 90;
  getFakeDriver().ptxResult = 218;
  EXPECT_EQ(load(), KS_ERROR_COMPILE);
  getFakeDriver().ptxResult = 2;
  EXPECT_EQ(load(), KS_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(layer, nullptr) << "written on success only";
  getFakeDriver().ptxResult = 0;
  EXPECT_EQ(load(), KS_OK);
}

TEST_F(RuntimeCTest, SurvivesNull) {
  size_t bytes = 0;
  KsLayerArgument info;
  EXPECT_EQ(ksLoadLayer(nullptr, &layer), KS_ERROR_ARGUMENT);
  expectMessage("got NULL for the path");
  EXPECT_EQ(ksLoadLayer("x", nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksLoadLayerFromMemory(nullptr, 5, &layer), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksLoadLayerFromMemory(nullptr, 0, &layer), KS_ERROR_ARTIFACT);
  EXPECT_EQ(ksGetNumLayerArguments(nullptr), 0u);
  EXPECT_EQ(ksGetLayerArgument(nullptr, 0, &info), KS_ERROR_ARGUMENT);
  EXPECT_STREQ(ksGetLayerTarget(nullptr), "");
  EXPECT_EQ(ksGetLayerPackedBytes(nullptr, &bytes), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetLayerWorkspaceBytes(nullptr, 1, &bytes), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksPackLayer(nullptr, nullptr, 0, nullptr, 0, nullptr),
            KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksRunLayer(nullptr, nullptr, nullptr, 0, nullptr, 0, nullptr),
            KS_ERROR_ARGUMENT);
  ksFreeLayer(nullptr);
  ASSERT_EQ(load(), KS_OK);
  EXPECT_EQ(ksGetLayerArgument(layer, 0, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetLayerPackedBytes(layer, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksGetLayerWorkspaceBytes(layer, 1, nullptr), KS_ERROR_ARGUMENT);
  EXPECT_EQ(ksRunLayer(layer, nullptr, nullptr, 0, nullptr, 0, nullptr),
            KS_ERROR_ARGUMENT);
}

TEST_F(RuntimeCTest, KeepsOneMessagePerThread) {
  EXPECT_EQ(ksLoadLayer("/here.ks", &layer), KS_ERROR_ARTIFACT);
  std::thread([&] {
    EXPECT_STREQ(ksGetErrorMessage(), "");
    EXPECT_EQ(ksLoadLayer("/there.ks", &layer), KS_ERROR_ARTIFACT);
    expectMessage("/there.ks");
  }).join();
  expectMessage("/here.ks");
  ASSERT_EQ(load(), KS_OK);
  expectMessage("/here.ks"); // holds until the next failure
}

} // namespace
