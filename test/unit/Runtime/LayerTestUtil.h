//===- LayerTestUtil.h - What tests of layers share -------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_TEST_UNIT_RUNTIME_LAYERTESTUTIL_H
#define KS_TEST_UNIT_RUNTIME_LAYERTESTUTIL_H

#include "FakeDriver.h"

#include "ks/Runtime/Artifact.h"
#include "ks/Runtime/Layer.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace ks {

inline Operand descriptor(Operand::Kind kind, uint32_t index) {
  Operand operand;
  operand.kind = kind;
  operand.index = index;
  return operand;
}

/// Code for `capability` that packs with `pack` and runs batches 1 to 64 with
/// `small`, later ones with `first` and `second`, through a workspace.
inline TargetCode makeTarget(uint32_t capability) {
  using Kind = Operand::Kind;
  TargetCode target;
  target.capability = capability;
  target.ptx = "ptx " + std::to_string(capability) + " pack small first second";
  target.packed = {{"p0", KS_F16, {{100, 0}}, 128}, {"p1", KS_F32, {{3, 0}}}};
  Launch pack{"pack", 0, 5, 128, 1, 0, {}};
  pack.operands = {descriptor(Kind::Argument, 1), descriptor(Kind::Packed, 0),
                   descriptor(Kind::Packed, 1)};
  target.pack = {pack};

  Variant small;
  small.minBatch = 1;
  small.maxBatch = 64;
  small.plan = "small";
  Launch launch{"small", 0, 3, 64, 1, 0, {}};
  launch.operands = {descriptor(Kind::Argument, 0), descriptor(Kind::Packed, 1),
                     descriptor(Kind::Argument, 2)};
  small.launches = {launch};

  Variant large;
  large.minBatch = 65;
  large.maxBatch = 1 << 20;
  large.workspace = {{"t0", KS_F16, {{0, 1}, {33, 0}}},
                     {"t1", KS_F32, {{7, 2}}, 16}};
  Launch first{"first", 64, 4, 256, 1, 65536, {}};
  first.operands = {descriptor(Kind::Argument, 0),
                    descriptor(Kind::Workspace, 1)};
  Launch second{"second", 32, 1, 256, 1, 100, {}};
  second.operands = {descriptor(Kind::Workspace, 1),
                     descriptor(Kind::Argument, 2)};
  large.launches = {first, second};
  target.variants = {small, large};
  return target;
}

/// x[batch, 48], w[4, 6], y[batch, 24] in f16; code for sm_80.
inline Artifact makeArtifact() {
  Artifact artifact;
  artifact.entry = "layer";
  artifact.arguments = {{{"x", KS_F16, {{0, 1}, {48, 0}}, 16}, Role::Input},
                        {{"w", KS_F32, {{4, 0}, {6, 0}}, 8}, Role::Weight},
                        {{"y", KS_F16, {{0, 1}, {24, 0}}, 16}, Role::Result}};
  artifact.targets = {makeTarget(80)};
  return artifact;
}

/// Lets kernel `small` read two constants, the second one in place of p1.
inline void addConstants(TargetCode &target) {
  target.constants = {{"c0", KS_F32, {{2, 0}}}, {"c1", KS_F16, {{3, 0}}, 2}};
  target.constantBytes = std::string(2 * arrayAlignment, 'c');
  target.variants[0].launches[0].operands[1] =
      descriptor(Operand::Kind::Constant, 1);
}

/// The same for sm_90a, with a tensor map of x and clusters.
inline TargetCode makeHopperTarget() {
  TargetCode target = makeTarget(90);
  target.isSpecific = true;
  Launch &launch = target.variants[0].launches[0];
  launch.factor = 32;
  launch.clusterBlocks = 16;
  Operand &operand = launch.operands[0];
  operand.form = Operand::Form::TensorMap;
  operand.tensorMap.sizes = {{8, 0}, {6, 0}, {0, 1}};
  operand.tensorMap.strides = {8, -1};
  operand.tensorMap.box = {8, 6, 64};
  operand.tensorMap.swizzleBytes = 0;
  return target;
}

/// Owns what a KsBuffer points to.
struct TestBuffer {
  TestBuffer(uintptr_t address, KsElementType type, std::vector<int64_t> sizes,
             std::vector<int64_t> steps = {})
      : shape(std::move(sizes)), strides(std::move(steps)) {
    buffer.data = reinterpret_cast<void *>(address);
    buffer.type = type;
    buffer.rank = static_cast<int64_t>(shape.size());
    buffer.shape = shape.data();
    buffer.strides = strides.empty() ? nullptr : strides.data();
  }
  TestBuffer(const TestBuffer &other)
      : TestBuffer(reinterpret_cast<uintptr_t>(other.buffer.data),
                   other.buffer.type, other.shape, other.strides) {}
  TestBuffer &operator=(const TestBuffer &) = delete;

  std::vector<int64_t> shape, strides;
  KsBuffer buffer = {};
};

constexpr uintptr_t xAddress = 0x1000000;
constexpr uintptr_t yAddress = 0x2000000;
constexpr uintptr_t wAddress = 0x3000000;
constexpr uintptr_t packedAddress = 0x4000000;
constexpr uintptr_t workspaceAddress = 0x5000000;

/// Resets the fake driver, which is the default one here.
class FakeDriverTest : public testing::Test {
protected:
  void SetUp() override {
    getFakeDriver() = FakeDriver();
    getFakeContexts().clear();
    setenv("KS_CUDA_DRIVER", KS_FAKE_DRIVER, /*overwrite=*/1);
  }
  void TearDown() override {
    EXPECT_EQ(getFakeDriver().numMisuses, 0);
    EXPECT_TRUE(getFakeContexts().empty()) << "a context was left current";
    unsetenv("KS_CUDA_DRIVER");
  }
};

/// Fails unless `status` has the code and its message all texts.
inline void expectFailure(const Status &status, KsStatus code,
                          const std::vector<std::string> &texts) {
  EXPECT_EQ(status.getCode(), code) << status.getMessage();
  for (const std::string &text : texts)
    EXPECT_NE(status.getMessage().find(text), std::string::npos)
        << "'" << text << "' is not in: " << status.getMessage();
}

inline void expectSuccess(const Status &status) {
  EXPECT_EQ(status.getCode(), KS_OK) << status.getMessage();
}

} // namespace ks

#endif // KS_TEST_UNIT_RUNTIME_LAYERTESTUTIL_H
