//===- LayerRunTest.cpp - Tests of packing and running --------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerTestUtil.h"

#include <cstring>
#include <thread>

using namespace ks;

namespace {

/// A layer with good arguments, which tests spoil one at a time.
class LayerRunTest : public FakeDriverTest {
protected:
  void SetUp() override {
    FakeDriverTest::SetUp();
    Artifact artifact = makeArtifact();
    artifact.targets.push_back(makeHopperTarget());
    load(artifact, 80);
    // Rank 1: 5 words, rank 2: 7 words.
    getFakeDriver().parameterBytes = {{"pack", std::vector<size_t>(17, 8)},
                                      {"small", std::vector<size_t>(19, 8)},
                                      {"first", std::vector<size_t>(12, 8)},
                                      {"second", std::vector<size_t>(12, 8)}};
  }

  void load(const Artifact &artifact, int capability) {
    getFakeDriver().capability = capability;
    expectSuccess(Layer::load(serialize(artifact), layer));
  }

  void setBatch(int64_t batch) {
    x.shape[0] = y.shape[0] = batch;
    expectSuccess(layer->getWorkspaceBytes(batch, workspaceBytes));
  }

  Status run() {
    KsBuffer arrays[] = {x.buffer, y.buffer};
    return layer->run(packed, arrays, numArrays, workspace, workspaceBytes,
                      stream);
  }

  Status pack() {
    return layer->pack(&w.buffer, 1, packed, layer->getPackedBytes(), stream);
  }

  /// Runs with something wrong, then, once `repair` has undone it, well.
  template <typename Repair>
  void expectRefusal(const std::vector<std::string> &texts, Repair repair) {
    getFakeDriver().launches.clear();
    expectFailure(run(), KS_ERROR_ARGUMENT, texts);
    EXPECT_TRUE(getFakeDriver().launches.empty()) << "something was launched";
    repair();
    expectSuccess(run());
    EXPECT_FALSE(getFakeDriver().launches.empty());
  }

  std::vector<int64_t> getParameters(const FakeLaunch &launch) {
    std::vector<int64_t> values;
    values.reserve(launch.parameters.size());
    for (size_t index = 0; index < launch.parameters.size(); ++index)
      values.push_back(launch.getInt(index));
    return values;
  }

  std::unique_ptr<Layer> layer;
  TestBuffer x{xAddress, KS_F16, {10, 48}};
  TestBuffer y{yAddress, KS_F16, {10, 24}};
  TestBuffer w{wAddress, KS_F32, {4, 6}};
  size_t numArrays = 2;
  void *packed = reinterpret_cast<void *>(packedAddress);
  void *workspace = nullptr;
  size_t workspaceBytes = 0;
  KsStream stream = reinterpret_cast<KsStream>(0x77);
};

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

TEST_F(LayerRunTest, PacksWithDescriptors) {
  // 100 f16 and 3 f32, each from a multiple of 256 bytes.
  EXPECT_EQ(layer->getPackedBytes(), 512u);
  expectSuccess(pack());
  ASSERT_EQ(getFakeDriver().launches.size(), 1u);
  const FakeLaunch &launch = getFakeDriver().launches[0];
  EXPECT_EQ(launch.kernel, "pack");
  EXPECT_EQ(launch.grid, 5u);
  EXPECT_EQ(launch.block, 128u);
  EXPECT_EQ(launch.stream, stream);
  EXPECT_EQ(launch.context, reinterpret_cast<void *>(fakePrimaryContext));
  int64_t p0 = packedAddress, p1 = packedAddress + 256, source = wAddress;
  EXPECT_EQ(getParameters(launch),
            (std::vector<int64_t>{source, source, 0, 4, 6, 6, 1, // w
                                  p0, p0, 0, 100, 1,             // p0
                                  p1, p1, 0, 3, 1}));            // p1
}

TEST_F(LayerRunTest, RunsTheVariantOfTheBatch) {
  expectSuccess(run());
  ASSERT_EQ(getFakeDriver().launches.size(), 1u);
  const FakeLaunch &launch = getFakeDriver().launches[0];
  EXPECT_EQ(launch.kernel, "small");
  EXPECT_EQ(launch.grid, 3u);
  EXPECT_EQ(launch.cluster, 1u);
  int64_t p1 = packedAddress + 256, in = xAddress, out = yAddress;
  EXPECT_EQ(getParameters(launch),
            (std::vector<int64_t>{in, in, 0, 10, 48, 48, 1, // x
                                  p1, p1, 0, 3, 1,          // p1
                                  out, out, 0, 10, 24, 24, 1}));
}

TEST_F(LayerRunTest, RunsThroughTheWorkspace) {
  workspace = reinterpret_cast<void *>(workspaceAddress);
  setBatch(65);
  // 65 * 33 f16, rounded up to 256 bytes, and 7 + 2 * 65 f32.
  EXPECT_EQ(workspaceBytes, 4352u + 768u);
  expectSuccess(run());
  ASSERT_EQ(getFakeDriver().launches.size(), 2u);
  const FakeLaunch &first = getFakeDriver().launches[0];
  const FakeLaunch &second = getFakeDriver().launches[1];
  EXPECT_EQ(first.kernel, "first");
  EXPECT_EQ(first.grid, 8u); // ceil(65 / 64) * 4
  EXPECT_EQ(first.sharedBytes, 65536u);
  EXPECT_EQ(second.kernel, "second");
  EXPECT_EQ(second.grid, 3u); // ceil(65 / 32)
  int64_t t1 = workspaceAddress + 4352, out = yAddress;
  EXPECT_EQ(getParameters(second),
            (std::vector<int64_t>{t1, t1, 0, 137, 1, //
                                  out, out, 0, 65, 24, 24, 1}));
}

TEST_F(LayerRunTest, KeepsPitches) {
  x.strides = {64, 1};
  y.strides = {32, 1};
  x.buffer.strides = x.strides.data();
  y.buffer.strides = y.strides.data();
  expectSuccess(run());
  EXPECT_EQ(getFakeDriver().launches[0].getInt(5), 64);
  EXPECT_EQ(getFakeDriver().launches[0].getInt(17), 32);
}

/// Strides of dimensions of size 1 say nothing; kernels get aligned ones.
TEST_F(LayerRunTest, IgnoresStridesThatDoNotMatter) {
  setBatch(1);
  x.strides = {1, 1};
  x.buffer.strides = x.strides.data();
  expectSuccess(run());
  EXPECT_EQ(getFakeDriver().launches[0].getInt(5), 48);
}

TEST_F(LayerRunTest, EncodesTensorMapsAndClusters) {
  Artifact artifact = makeArtifact();
  artifact.targets = {makeHopperTarget()};
  load(artifact, 90);
  getFakeDriver().parameterBytes["small"] = {128};
  x.strides = {56, 1};
  x.buffer.strides = x.strides.data();
  expectSuccess(run());
  ASSERT_EQ(getFakeDriver().launches.size(), 1u);
  const FakeLaunch &launch = getFakeDriver().launches[0];
  EXPECT_EQ(launch.grid, 32u);
  EXPECT_EQ(launch.cluster, 16u);
  ASSERT_EQ(getFakeDriver().maps.size(), 1u);
  EXPECT_EQ(launch.getInt(0), 0) << "the number of the map";
  const FakeTensorMap &map = getFakeDriver().maps[0];
  EXPECT_EQ(map.base, x.buffer.data);
  EXPECT_EQ(map.type, 6); // f16
  EXPECT_EQ(map.sizes, (std::vector<uint64_t>{8, 6, 10}));
  EXPECT_EQ(map.strides, (std::vector<uint64_t>{16, 112}));
  EXPECT_EQ(map.box, (std::vector<uint32_t>{8, 6, 64}));
  EXPECT_EQ(map.swizzle, 0);
}

TEST_F(LayerRunTest, PassesConstants) {
  Artifact artifact = makeArtifact();
  addConstants(artifact.targets[0]);
  std::string &bytes = artifact.targets[0].constantBytes;
  bytes.replace(arrayAlignment, 6, "second");
  getFakeDriver().knowsAllMemory = true;
  load(artifact, 80);
  expectSuccess(run());
  const FakeLaunch &launch = getFakeDriver().launches.at(0);
  EXPECT_EQ(launch.getInt(10), 3);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(launch.getInt(7)), 6),
            "second");
}

/// Only those that wait themselves, and where the driver knows how.
TEST_F(LayerRunTest, OverlapsLaunches) {
  auto overlaps = [&](bool waitsItself, int driverVersion) {
    Artifact artifact = makeArtifact();
    artifact.targets = {makeHopperTarget()};
    Launch &launch = artifact.targets[0].variants[0].launches[0];
    launch.clusterBlocks = 1;
    launch.waitsItself = waitsItself;
    getFakeDriver().version = driverVersion;
    load(artifact, 90);
    getFakeDriver().parameterBytes["small"] = {128};
    getFakeDriver().launches.clear();
    expectSuccess(run());
    return getFakeDriver().launches.at(0).overlaps;
  };
  EXPECT_TRUE(overlaps(true, 12030));
  EXPECT_FALSE(overlaps(false, 12030));
  EXPECT_FALSE(overlaps(true, 12020));
}

TEST_F(LayerRunTest, BatchZeroLaunchesNothing) {
  setBatch(0);
  EXPECT_EQ(workspaceBytes, 0u);
  x.buffer.data = y.buffer.data = packed = nullptr;
  expectSuccess(run());
  EXPECT_TRUE(getFakeDriver().launches.empty());
  x.shape[1] = 47;
  expectFailure(run(), KS_ERROR_ARGUMENT, {"(0, 47), expected (batch, 48)"});
}

TEST_F(LayerRunTest, FactorZeroLaunchesNothing) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].variants[0].launches[0].factor = 0;
  load(artifact, 80);
  expectSuccess(run());
  EXPECT_TRUE(getFakeDriver().launches.empty());
}

TEST_F(LayerRunTest, RunsLayersForOneBatch) {
  Artifact artifact = makeArtifact();
  artifact.arguments[0].array.shape[0] = {10, 0};
  artifact.arguments[2].array.shape[0] = {10, 0};
  artifact.targets[0].variants.pop_back();
  artifact.targets[0].variants[0].minBatch = 10;
  load(artifact, 80);
  expectSuccess(run());
  EXPECT_EQ(getFakeDriver().launches.size(), 1u);
}

TEST_F(LayerRunTest, RunsInItsOwnContext) {
  auto *other = reinterpret_cast<void *>(fakeOtherContext);
  getFakeContexts().push_back(other);
  expectSuccess(run());
  EXPECT_EQ(getFakeDriver().launches[0].context,
            reinterpret_cast<void *>(fakePrimaryContext));
  EXPECT_EQ(getFakeContexts(), std::vector<void *>{other});
  getFakeContexts().clear();
}

TEST_F(LayerRunTest, RunsOnTwoThreadsAtOnce) {
  auto work = [&](int64_t batch) {
    TestBuffer in(xAddress, KS_F16, {batch, 48});
    TestBuffer out(yAddress, KS_F16, {batch, 24});
    KsBuffer arrays[] = {in.buffer, out.buffer};
    for (int round = 0; round < 500; ++round) {
      expectSuccess(layer->run(packed, arrays, 2, nullptr, 0, stream));
      expectFailure(layer->run(packed, arrays, 1, nullptr, 0, stream),
                    KS_ERROR_ARGUMENT, {"got 1 arrays, expected 2"});
    }
  };
  std::thread one(work, 10), two(work, 20);
  one.join();
  two.join();
  EXPECT_EQ(getFakeDriver().launches.size(), 1000u);
  size_t numTens = 0;
  for (const FakeLaunch &launch : getFakeDriver().launches) {
    EXPECT_EQ(launch.getInt(3), launch.getInt(15)) << "batches were mixed";
    numTens += launch.getInt(3) == 10;
  }
  EXPECT_EQ(numTens, 500u);
}

//===----------------------------------------------------------------------===//
// Refusals
//===----------------------------------------------------------------------===//

TEST_F(LayerRunTest, RefusesWrongNumberOfArrays) {
  numArrays = 1;
  expectRefusal({"got 1 arrays, expected 2"}, [&] { numArrays = 2; });
  expectFailure(layer->run(packed, nullptr, 2, nullptr, 0, stream),
                KS_ERROR_ARGUMENT, {"got NULL, expected 2 arrays"});
}

TEST_F(LayerRunTest, RefusesWrongTypeRankAndShape) {
  x.buffer.type = KS_BF16;
  expectRefusal({"array 0 ('x')", "element type is bf16, expected f16"},
                [&] { x.buffer.type = KS_F16; });
  int unknown = 42;
  std::memcpy(&x.buffer.type, &unknown, sizeof(unknown));
  expectRefusal({"an unknown type"}, [&] { x.buffer.type = KS_F16; });
  x.buffer.rank = 1;
  expectRefusal({"rank 1, expected 2"}, [&] { x.buffer.rank = 2; });
  x.buffer.rank = -1;
  expectRefusal({"rank -1, expected 2"}, [&] { x.buffer.rank = 2; });
  x.buffer.shape = nullptr;
  expectRefusal({"shape is NULL"}, [&] { x.buffer.shape = x.shape.data(); });
  y.shape[1] = 25;
  expectRefusal({"array 1 ('y')", "(10, 25), expected (batch, 24)"},
                [&] { y.shape[1] = 24; });
  x.shape[0] = -1;
  expectRefusal({"(-1, 48)"}, [&] { x.shape[0] = 10; });
}

TEST_F(LayerRunTest, RefusesBatchesThatDisagree) {
  y.shape[0] = 11;
  expectRefusal({"array 1 ('y')", "(11, 24)", "batch of the other arrays, 10"},
                [&] { y.shape[0] = 10; });
}

TEST_F(LayerRunTest, RefusesPartsOfABatch) {
  Artifact artifact = makeArtifact();
  artifact.arguments[0].array.shape[0] = {3, 2};
  load(artifact, 80);
  x.shape[0] = 22;
  expectRefusal({"(22, 48), expected (2*batch+3, 48) with a whole batch"},
                [&] { x.shape[0] = 23; });
  x.shape[0] = 1;
  expectRefusal({"whole batch"}, [&] { x.shape[0] = 23; });
}

TEST_F(LayerRunTest, RefusesBatchesWithoutCode) {
  x.shape[0] = y.shape[0] = (1 << 20) + 1;
  expectRefusal({"the batch is 1048577", "1 to 64, 65 to 1048576"},
                [&] { x.shape[0] = y.shape[0] = 10; });
  size_t bytes = 42;
  expectFailure(layer->getWorkspaceBytes(-1, bytes), KS_ERROR_ARGUMENT,
                {"the batch is -1"});
  EXPECT_EQ(bytes, 42u);
}

TEST_F(LayerRunTest, RefusesStridesThatDoNotFit) {
  x.strides = {40, 1};
  x.buffer.strides = x.strides.data();
  auto repair = [&] { x.strides = {48, 1}; };
  expectRefusal({"stride 40 elements in dimension 0, expected at least 48"},
                repair);
  x.strides = {48, 2};
  expectRefusal({"stride 2 elements in dimension 1, expected 1"}, repair);
  x.strides = {-48, 1};
  expectRefusal({"stride -48"}, repair);
  x.strides = {50, 1};
  expectRefusal({"100 bytes, expected a multiple of 16", "copy"}, repair);
  x.strides = {INT64_MAX, 1};
  expectRefusal({"bytes"}, repair);
  x.strides = {INT64_MAX / 16 / 8 * 8, 1};
  expectRefusal({"ends beyond all memory"}, repair);
}

TEST_F(LayerRunTest, RefusesBadPointers) {
  x.buffer.data = reinterpret_cast<void *>(xAddress + 8);
  auto repair = [&] { x.buffer.data = reinterpret_cast<void *>(xAddress); };
  expectRefusal({"array 0 ('x')", "8 bytes off a multiple of 16"}, repair);
  x.buffer.data = nullptr;
  expectRefusal({"data is NULL", "(10, 48)"}, repair);
}

TEST_F(LayerRunTest, RefusesMemoryOfTheHost) {
  CUDAContext context = layer->getContext();
  DeviceMemory in, out, forPacked;
  expectSuccess(context.allocate(10 * 48 * 2, in));
  expectSuccess(context.allocate(10 * 24 * 2, out));
  expectSuccess(context.allocate(layer->getPackedBytes(), forPacked));
  x.buffer.data = in.get();
  packed = forPacked.get();
  expectRefusal({"array 1 ('y')", "memory that CUDA does not know", "copy it"},
                [&] { y.buffer.data = out.get(); });
  packed = reinterpret_cast<void *>(packedAddress);
  expectRefusal({"memory for packed weights: it is in memory"},
                [&] { packed = forPacked.get(); });
  // Some GPUs read all memory of the host.
  getFakeDriver().readsHostMemory = true;
  load(makeArtifact(), 80);
  y.buffer.data = reinterpret_cast<void *>(yAddress);
  expectSuccess(run());
}

TEST_F(LayerRunTest, RefusesBadPackedWeights) {
  packed = nullptr;
  auto repair = [&] { packed = reinterpret_cast<void *>(packedAddress); };
  expectRefusal({"memory for packed weights is NULL, expected 512 bytes"},
                repair);
  packed = reinterpret_cast<void *>(packedAddress + 128);
  expectRefusal({"128 bytes off a multiple of 256"}, repair);
  expectFailure(layer->pack(&w.buffer, 1, packed, 511, stream),
                KS_ERROR_ARGUMENT, {"has 511 bytes, expected at least 512"});
  expectFailure(layer->pack(&w.buffer, 0, packed, 512, stream),
                KS_ERROR_ARGUMENT, {"got 0 arrays, expected 1"});
}

TEST_F(LayerRunTest, RefusesBadWorkspaces) {
  setBatch(65);
  auto repair = [&] {
    workspace = reinterpret_cast<void *>(workspaceAddress);
    setBatch(65);
  };
  expectRefusal({"the workspace is NULL"}, repair);
  --workspaceBytes;
  expectRefusal({"has 5119 bytes, expected at least 5120"}, repair);
  workspace = reinterpret_cast<void *>(workspaceAddress + 16);
  expectRefusal({"16 bytes off a multiple of 256"}, repair);
}

TEST_F(LayerRunTest, RefusesOverlaps) {
  auto at = [](uintptr_t address) { return reinterpret_cast<void *>(address); };
  auto repair = [&] {
    y.buffer.data = at(yAddress);
    packed = at(packedAddress);
    workspace = at(workspaceAddress);
  };
  workspace = at(workspaceAddress);
  setBatch(65);
  y.buffer.data = at(xAddress + 65 * 96 - 16);
  expectRefusal({"array 1 ('y') overlaps with array 0 ('x')"}, repair);
  y.buffer.data = at(xAddress + 65 * 96);
  expectSuccess(run());
  y.buffer.data = at(packedAddress + 496);
  expectRefusal({"array 1 ('y') overlaps with memory for packed weights"},
                repair);
  y.buffer.data = at(workspaceAddress);
  expectRefusal({"array 1 ('y') overlaps with the workspace"}, repair);
  workspace = at(xAddress);
  expectRefusal({"array 0 ('x') overlaps with the workspace"}, repair);
  workspace = at(packedAddress);
  expectRefusal({"the workspace overlaps with memory for packed weights"},
                repair);
  w.buffer.data = at(packedAddress + 256);
  expectFailure(pack(), KS_ERROR_ARGUMENT, {"array 0 ('w') overlaps"});
  // Inputs may lie on packed weights: both are only read.
  x.buffer.data = packed;
  expectSuccess(run());
}

/// Columns of one matrix are apart, although their extents are not.
TEST_F(LayerRunTest, AcceptsColumnsOfOneMatrix) {
  x.strides = y.strides = {72, 1};
  x.buffer.strides = x.strides.data();
  y.buffer.strides = y.strides.data();
  y.buffer.data = reinterpret_cast<void *>(xAddress + 96);
  expectSuccess(run());
  y.buffer.data = reinterpret_cast<void *>(xAddress + 80);
  expectFailure(run(), KS_ERROR_ARGUMENT, {"overlaps"});
  // The last columns and the first ones of the next row.
  x.buffer.data = reinterpret_cast<void *>(xAddress + 48);
  y.buffer.data = reinterpret_cast<void *>(xAddress);
  expectSuccess(run());
  x.buffer.data = reinterpret_cast<void *>(xAddress + 64);
  expectFailure(run(), KS_ERROR_ARGUMENT, {"overlaps"});
}

TEST_F(LayerRunTest, RefusesHugeGrids) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].variants[0].launches[0].factor = INT64_MAX;
  load(artifact, 80);
  expectFailure(run(), KS_ERROR_ARGUMENT,
                {"kernel 'small'", "its grid has 1 * 9223372036854775807"});
  artifact.targets[0].variants[0].launches[0].factor = 0x7fffffff;
  load(artifact, 80);
  expectSuccess(run());
}

TEST_F(LayerRunTest, RefusesHugeWorkspaces) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].variants[1].workspace[0].shape[0] = {0, INT64_MAX};
  EXPECT_NE(deserialize(serialize(artifact), artifact), "");
  artifact = makeArtifact();
  artifact.targets[0].variants[1].workspace[0].shape = {{0, INT64_MAX / 2}};
  load(artifact, 80);
  size_t bytes = 0;
  expectFailure(layer->getWorkspaceBytes(100, bytes), KS_ERROR_ARGUMENT,
                {"more bytes than can be counted"});
}

/// Kernels see the same bits, and do without a map where it is all zeros.
TEST_F(LayerRunTest, LeavesOutTensorMapsOfUnalignedArrays) {
  Artifact artifact = makeArtifact();
  artifact.targets = {makeHopperTarget()};
  artifact.arguments[0].array.alignment = 2;
  load(artifact, 90);
  getFakeDriver().parameterBytes["small"] = {128};
  auto expectNoMap = [&] {
    getFakeDriver().maps.clear();
    getFakeDriver().launches.clear();
    expectSuccess(run());
    EXPECT_TRUE(getFakeDriver().maps.empty());
    ASSERT_EQ(getFakeDriver().launches.size(), 1u);
    EXPECT_EQ(getFakeDriver().launches[0].parameters.at(0),
              std::string(128, '\0'));
  };
  x.buffer.data = reinterpret_cast<void *>(xAddress + 2);
  expectNoMap();
  x.buffer.data = reinterpret_cast<void *>(xAddress);
  x.strides = {49, 1};
  x.buffer.strides = x.strides.data();
  expectNoMap();
  x.strides = {56, 1};
  expectSuccess(run());
  EXPECT_EQ(getFakeDriver().maps.size(), 1u);
}

TEST_F(LayerRunTest, ReportsFaultsOfTheDriver) {
  getFakeDriver().launchResult = 719;
  expectFailure(run(), KS_ERROR_CUDA,
                {"kernel 'small': launching it", "CUDA error 719",
                 "start the process again"});
  getFakeDriver().launchResult = 2;
  expectFailure(run(), KS_ERROR_OUT_OF_MEMORY, {});
  getFakeDriver().launchResult = 0;
  expectSuccess(run());
}

} // namespace
