//===- MgpuTest.cpp - Tests of upstream's calls ---------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerTestUtil.h"

#include <cstring>

// As gpu-to-llvm declares them; all handles are pointers there.
extern "C" {
void *mgpuModuleLoadJIT(void *data, int optLevel, size_t size);
void *mgpuModuleLoad(void *data, size_t size);
void mgpuModuleUnload(void *module);
void *mgpuModuleGetFunction(void *module, const char *name);
void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY,
                      intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t sharedBytes, void *stream,
                      void **parameters, void **extra, size_t count);
void mgpuLaunchClusterKernel(void *function, intptr_t clusterX,
                             intptr_t clusterY, intptr_t clusterZ,
                             intptr_t gridX, intptr_t gridY, intptr_t gridZ,
                             intptr_t blockX, intptr_t blockY, intptr_t blockZ,
                             int32_t sharedBytes, void *stream,
                             void **parameters, void **extra, size_t count);
void *mgpuStreamCreate();
void mgpuStreamSynchronize(void *stream);
void mgpuStreamDestroy(void *stream);
void *mgpuMemAlloc(uint64_t bytes, void *stream, bool isHostShared);
void mgpuMemFree(void *memory, void *stream);
void mgpuMemcpy(void *to, void *from, size_t bytes, void *stream);
void *mgpuTensorMapEncodeTiledMemref(int64_t rank, void *descriptor,
                                     int64_t type, int64_t interleave,
                                     int64_t swizzle, int64_t l2Promotion,
                                     int64_t oobFill, int64_t *box);
}

using namespace ks;

namespace {

class MgpuTest : public FakeDriverTest {
protected:
  void SetUp() override {
    FakeDriverTest::SetUp();
    stream = mgpuStreamCreate();
  }
  void TearDown() override {
    mgpuStreamSynchronize(stream);
    mgpuStreamDestroy(stream);
    FakeDriverTest::TearDown();
  }
  void *stream = nullptr;
};

TEST_F(MgpuTest, LaunchesKernels) {
  char code[] = "ptx kernel";
  void *module = mgpuModuleLoadJIT(code, 2, sizeof(code));
  void *function = mgpuModuleGetFunction(module, "kernel");
  ASSERT_NE(function, nullptr);
  getFakeDriver().parameterBytes["kernel"] = {8};
  int64_t value = 42;
  void *parameters[] = {&value};
  mgpuLaunchKernel(function, 3, 1, 1, 64, 1, 1, 65536, stream, parameters,
                   nullptr, 1);
  mgpuLaunchClusterKernel(function, 2, 1, 1, 4, 1, 1, 64, 1, 1, 0, stream,
                          parameters, nullptr, 1);
  ASSERT_EQ(getFakeDriver().launches.size(), 2u);
  EXPECT_EQ(getFakeDriver().launches[0].grid, 3u);
  EXPECT_EQ(getFakeDriver().launches[0].getInt(0), 42);
  EXPECT_EQ(getFakeDriver().launches[0].stream, stream);
  EXPECT_EQ(getFakeDriver().launches[1].cluster, 2u);
  EXPECT_EQ(getFakeDriver().dynamicSharedBytes["kernel"], 65536);
  mgpuModuleUnload(module);
  EXPECT_EQ(getFakeDriver().numModules, 0);
}

TEST_F(MgpuTest, PrintsFailures) {
  char code[] = "ptx kernel";
  getFakeDriver().ptxResult = 218;
  getFakeDriver().jitLog = "line 1: nonsense";
  testing::internal::CaptureStderr();
  EXPECT_EQ(mgpuModuleLoad(code, sizeof(code)), nullptr);
  std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_NE(printed.find("line 1: nonsense"), std::string::npos) << printed;
  EXPECT_NE(printed.find("CUDA error 218"), std::string::npos) << printed;
}

TEST_F(MgpuTest, CopiesMemory) {
  void *memory = mgpuMemAlloc(16, stream, /*isHostShared=*/false);
  char text[16] = "some text", back[16] = "";
  mgpuMemcpy(memory, text, sizeof(text), stream);
  mgpuMemcpy(back, memory, sizeof(back), stream);
  EXPECT_STREQ(back, text);
  mgpuMemFree(memory, stream);
  EXPECT_EQ(getFakeDriver().allocatedBytes, 0u);
}

TEST_F(MgpuTest, EncodesTensorMaps) {
  // memref<10x48xf16, strided<[64, 1], offset: 8>>
  int64_t descriptor[] = {xAddress, xAddress, 8, 10, 48, 64, 1};
  int64_t box[] = {4, 16};
  void *map = mgpuTensorMapEncodeTiledMemref(2, descriptor, 6, 0, 1, 0, 0, box);
  ASSERT_NE(map, nullptr);
  ASSERT_EQ(getFakeDriver().maps.size(), 1u);
  const FakeTensorMap &fake = getFakeDriver().maps[0];
  EXPECT_EQ(fake.base, reinterpret_cast<void *>(xAddress + 16));
  EXPECT_EQ(fake.sizes, (std::vector<uint64_t>{48, 10}));
  EXPECT_EQ(fake.strides, std::vector<uint64_t>{128});
  EXPECT_EQ(fake.box, (std::vector<uint32_t>{16, 4}));
  mgpuMemFree(map, stream);
}

} // namespace
