//===- SplitFloatTest.cpp - f32 as three bf16 -----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/SplitFloat.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <limits>
#include <random>

using namespace ks;

namespace {

double join(std::array<float, 3> parts) {
  return static_cast<double>(parts[0]) +
         static_cast<double>(parts[1]) / kSecondScale +
         static_cast<double>(parts[2]) / kThirdScale;
}

void expectExact(float x) {
  std::array<float, 3> parts = splitFloat(x);
  EXPECT_EQ(join(parts), x);
  for (float part : parts) {
    EXPECT_EQ(getBits(part) & ~kPartBits, 0u) << x;
    EXPECT_TRUE(std::isfinite(part)) << x;
  }
  // What denormal numbers leave is scaled up to normal ones.
  float most = std::max(std::abs(x), 0x1p-116f);
  EXPECT_LE(std::abs(parts[1]), most);
  EXPECT_LE(std::abs(parts[2]), most);
}

TEST(SplitFloatTest, AllNumbersAreThreeParts) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000000; ++i) {
    float x = fromBits(static_cast<uint32_t>(random()));
    if (std::isfinite(x))
      expectExact(x);
  }
}

TEST(SplitFloatTest, LimitsAreThreeParts) {
  using Limits = std::numeric_limits<float>;
  for (float x : {0.0f, -0.0f, Limits::max(), Limits::lowest(), Limits::min(),
                  Limits::denorm_min(), -Limits::denorm_min(),
                  fromBits(0x7f7f8000), fromBits(0x007fffff)})
    expectExact(x);
}

TEST(SplitFloatTest, WhatIsNotFiniteIsInTheFirstPart) {
  using Limits = std::numeric_limits<float>;
  for (float x : {Limits::infinity(), -Limits::infinity()})
    EXPECT_EQ(splitFloat(x), (std::array<float, 3>{x, 0, 0}));
  for (uint32_t bits : {0x7fffffffu, 0x7fc00000u, 0x7f800001u}) {
    std::array<float, 3> parts = splitFloat(fromBits(bits));
    EXPECT_TRUE(std::isnan(parts[0]));
    EXPECT_EQ(getBits(parts[0]) & ~kPartBits, 0u);
    EXPECT_EQ(parts[1], 0);
    EXPECT_EQ(parts[2], 0);
  }
}

TEST(SplitFloatTest, TF32RoundsToNearest) {
  EXPECT_EQ(roundToTF32(fromBits(0x3f801000)), fromBits(0x3f802000));
  EXPECT_EQ(roundToTF32(fromBits(0x3f800fff)), 1.0f);
  EXPECT_TRUE(std::isinf(roundToTF32(std::numeric_limits<float>::max())));
  EXPECT_TRUE(std::isnan(roundToTF32(fromBits(0x7f800001))));
}

} // namespace
