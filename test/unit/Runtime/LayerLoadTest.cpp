//===- LayerLoadTest.cpp - Tests of loading layers ------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerTestUtil.h"

#include <cstdio>

using namespace ks;

namespace {

class LayerLoadTest : public FakeDriverTest {
protected:
  Status load(const Artifact &artifact) {
    layer.reset();
    return Layer::load(serialize(artifact), layer);
  }

  /// The target that a device of this capability gets.
  std::string choose(const Artifact &artifact, int capability) {
    getFakeDriver().capability = capability;
    Status status = load(artifact);
    return status ? status.getMessage() : layer->getTargetName();
  }

  std::unique_ptr<Layer> layer;
};

TEST_F(LayerLoadTest, LoadsAndFrees) {
  expectSuccess(load(makeArtifact()));
  EXPECT_EQ(getFakeDriver().numModules, 1);
  EXPECT_EQ(getFakeDriver().image, makeTarget(80).ptx);
  EXPECT_EQ(layer->getArtifact().entry, "layer");
  EXPECT_EQ(layer->getArguments(), makeArtifact().arguments);
  EXPECT_EQ(layer->getTarget().ptx, "") << "code is not kept";
  EXPECT_FALSE(layer->isCubin());
  layer.reset();
  EXPECT_EQ(getFakeDriver().numModules, 0);
  EXPECT_EQ(getFakeDriver().numRetained, 0);
}

TEST_F(LayerLoadTest, ChoosesTheTarget) {
  Artifact artifact = makeArtifact();
  artifact.targets = {makeHopperTarget(), makeTarget(86), makeTarget(80),
                      makeTarget(90), makeTarget(100)};
  EXPECT_EQ(choose(artifact, 80), "sm_80");
  EXPECT_EQ(choose(artifact, 86), "sm_86");
  EXPECT_EQ(choose(artifact, 89), "sm_86");
  EXPECT_EQ(choose(artifact, 90), "sm_90a") << "a specific one wins";
  EXPECT_EQ(choose(artifact, 100), "sm_100");
  EXPECT_EQ(choose(artifact, 120), "sm_100");
  artifact.targets = {makeTarget(90), makeHopperTarget()};
  EXPECT_EQ(choose(artifact, 90), "sm_90a");
  EXPECT_EQ(choose(artifact, 103), "sm_90") << "a specific one stays at home";
}

TEST_F(LayerLoadTest, RefusesOtherArchitectures) {
  Artifact artifact = makeArtifact();
  getFakeDriver().capability = 75;
  expectFailure(load(artifact), KS_ERROR_NO_DEVICE,
                {"Fake GPU of compute capability 7.5", "it has code for sm_80",
                 "compile the layer for sm_75"});
  artifact.targets = {makeHopperTarget()};
  getFakeDriver().capability = 100;
  expectFailure(load(artifact), KS_ERROR_NO_DEVICE,
                {"it has code for sm_90a", "sm_100"});
  getFakeDriver().capability = 90;
  expectSuccess(load(artifact));
}

TEST_F(LayerLoadTest, UsesTheCubinWhereItRuns) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].cubin = "cubin pack small first second";
  getFakeDriver().capability = 89;
  expectSuccess(load(artifact));
  EXPECT_TRUE(layer->isCubin());
  EXPECT_EQ(getFakeDriver().image, artifact.targets[0].cubin);
  getFakeDriver().capability = 90;
  expectSuccess(load(artifact));
  EXPECT_FALSE(layer->isCubin()) << "another generation";
  artifact.targets[0].ptx = "";
  expectFailure(load(artifact), KS_ERROR_NO_DEVICE, {"sm_80"});
}

TEST_F(LayerLoadTest, FallsBackToPTX) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].cubin = "cubin pack small first second";
  getFakeDriver().capability = 80;
  getFakeDriver().cubinResult = 209;
  expectSuccess(load(artifact));
  EXPECT_FALSE(layer->isCubin());
  EXPECT_NE(layer->getNote().find("CUDA error 209"), std::string::npos);
  getFakeDriver().ptxResult = 222;
  getFakeDriver().jitLog = "PTX too new\n";
  expectFailure(load(artifact), KS_ERROR_COMPILE,
                {"loading the PTX for sm_80", "222", "update the driver",
                 "PTX too new; before that", "loading the cubin", "209"});
  artifact.targets[0].ptx = "";
  expectFailure(load(artifact), KS_ERROR_COMPILE, {"loading the cubin"});
}

TEST_F(LayerLoadTest, ReportsTheLogOfTheDriver) {
  getFakeDriver().ptxResult = 218;
  getFakeDriver().jitLog = "ptxas fatal: line 3, syntax error\n";
  expectFailure(load(makeArtifact()), KS_ERROR_COMPILE,
                {"218", "the driver said: ptxas fatal: line 3, syntax error"});
  EXPECT_EQ(getFakeDriver().numRetained, 0);
  getFakeDriver().ptxResult = 2;
  expectFailure(load(makeArtifact()), KS_ERROR_OUT_OF_MEMORY, {"loading"});
  getFakeDriver().ptxResult = 0;
  expectSuccess(load(makeArtifact()));
}

TEST_F(LayerLoadTest, KeepsConstantsOnTheDevice) {
  Artifact artifact = makeArtifact();
  addConstants(artifact.targets[0]);
  size_t before = getFakeDriver().allocatedBytes;
  expectSuccess(load(artifact));
  EXPECT_EQ(getFakeDriver().allocatedBytes, before + 512);
  EXPECT_EQ(getFakeDriver().numSynchronizations, 1)
      << "any stream may read them";
  EXPECT_EQ(layer->getTarget().constantBytes, "");
  layer.reset();
  EXPECT_EQ(getFakeDriver().allocatedBytes, before);

  getFakeDriver().memoryBytes = 511;
  expectFailure(load(artifact), KS_ERROR_OUT_OF_MEMORY,
                {"constants", "allocating 512 bytes"});
  EXPECT_EQ(getFakeDriver().numModules, 0);
  EXPECT_EQ(getFakeDriver().numRetained, 0);
}

TEST_F(LayerLoadTest, ReportsMissingKernels) {
  Artifact artifact = makeArtifact();
  artifact.targets[0].variants[1].launches[1].kernel = "other";
  expectFailure(load(artifact), KS_ERROR_ARTIFACT, {"kernel 'other'"});
  EXPECT_EQ(getFakeDriver().numModules, 0);
}

TEST_F(LayerLoadTest, AsksForSharedMemoryAndClusters) {
  Artifact artifact = makeArtifact();
  artifact.targets.push_back(makeHopperTarget());
  expectSuccess(load(artifact));
  EXPECT_EQ(getFakeDriver().dynamicSharedBytes,
            (std::map<std::string, int>{{"first", 65536}}));
  EXPECT_EQ(getFakeDriver().nonPortable, std::set<std::string>{"small"});
}

TEST_F(LayerLoadTest, SkipsTargetsThatNeedTooMuchSharedMemory) {
  Artifact artifact = makeArtifact();
  artifact.targets.push_back(makeTarget(86));
  artifact.targets[1].variants[0].launches[0].sharedBytes = 160000;
  getFakeDriver().sharedBytesPerBlock = 101376;
  EXPECT_EQ(choose(artifact, 89), "sm_80");
  artifact.targets.erase(artifact.targets.begin());
  expectFailure(load(artifact), KS_ERROR_NO_DEVICE,
                {"sm_86 needs 160000 bytes of shared memory per block, the GPU "
                 "has 101376"});
  // Static shared memory is known to the driver only: 1024 bytes here.
  artifact.targets[0].variants[0].launches[0].sharedBytes = 101000;
  expectFailure(load(artifact), KS_ERROR_NO_DEVICE,
                {"kernel 'small'", "101000 + 1024 bytes"});
}

TEST_F(LayerLoadTest, ReportsOldDrivers) {
  setenv("KS_CUDA_DRIVER", KS_FAKE_OLD_DRIVER, 1);
  expectSuccess(load(makeArtifact()));
  Artifact artifact = makeArtifact();
  artifact.targets = {makeHopperTarget()};
  expectFailure(
      load(artifact), KS_ERROR_NO_DRIVER,
      {"for CUDA 12.4", "does not know tensor maps", "update the driver"});
  artifact.targets[0].variants[0].launches[0].operands.clear();
  expectFailure(load(artifact), KS_ERROR_NO_DRIVER, {"clusters"});
}

TEST_F(LayerLoadTest, ReportsMissingDriverAndDevice) {
  setenv("KS_CUDA_DRIVER", "/nonexistent/libcuda.so.1", 1);
  expectFailure(load(makeArtifact()), KS_ERROR_NO_DRIVER, {"/nonexistent"});
  setenv("KS_CUDA_DRIVER", KS_FAKE_DRIVER, 1);
  getFakeDriver().initResult = 100;
  expectFailure(load(makeArtifact()), KS_ERROR_NO_DEVICE, {});
  getFakeDriver().initResult = 0;
  getFakeDriver().numDevices = 0;
  expectFailure(load(makeArtifact()), KS_ERROR_NO_DEVICE, {"GPU 0"});
  getFakeDriver().numDevices = 1;
  expectSuccess(load(makeArtifact()));
}

TEST_F(LayerLoadTest, ReportsBadArtifactsBeforeTheDriver) {
  setenv("KS_CUDA_DRIVER", "/nonexistent/libcuda.so.1", 1);
  std::string bytes = serialize(makeArtifact());
  expectFailure(Layer::load("not an artefact", layer), KS_ERROR_ARTIFACT,
                {"no KS artefact"});
  expectFailure(Layer::load(bytes.substr(0, 100), layer), KS_ERROR_ARTIFACT,
                {"truncated"});
  bytes.back() ^= 1;
  expectFailure(Layer::load(bytes, layer), KS_ERROR_ARTIFACT, {"altered"});
  EXPECT_EQ(layer, nullptr);
}

TEST_F(LayerLoadTest, ReadsFiles) {
  expectFailure(Layer::loadFile("/nonexistent/layer.ks", layer),
                KS_ERROR_ARTIFACT,
                {"'/nonexistent/layer.ks' could not be opened",
                 "ks-run --emit=artifact"});
  expectFailure(Layer::loadFile("/", layer), KS_ERROR_ARTIFACT, {"'/'"});
  std::string path = testing::TempDir() + "/ks-layer-test.ks";
  std::string bytes = serialize(makeArtifact());
  std::FILE *file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  std::fwrite(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
  expectSuccess(Layer::loadFile(path, layer));
  std::remove(path.c_str());
}

TEST_F(LayerLoadTest, RunsInTheGivenContext) {
  CUDAContext context;
  expectFailure(Layer::load(serialize(makeArtifact()), context, layer),
                KS_ERROR_ARGUMENT, {"empty CUDAContext"});
  getFakeDriver().numDevices = 2;
  expectSuccess(CUDAContext::openDevice(1, context));
  expectSuccess(Layer::load(serialize(makeArtifact()), context, layer));
  EXPECT_EQ(layer->getContext().getDevice(), 1);
}

} // namespace
