//===- ProblemTest.cpp - Tests of bytes and flops ---------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Problem.h"

#include "gtest/gtest.h"

#include <initializer_list>

using namespace ks;

namespace {

Problem makeProblem(std::initializer_list<KSPattern> patterns) {
  Problem problem;
  for (const KSPattern &pattern : patterns)
    problem.factors.push_back({pattern, false, false});
  return problem;
}

TEST(ProblemTest, OneFactor) {
  Problem problem = makeProblem({{6, 64, 64, 1}});
  // 10 rows of 384 in, 384 out, and 24576 weights; f32.
  EXPECT_EQ(getMinimumBytes(problem, 10), 4 * (10 * (384 + 384) + 24576));
  EXPECT_EQ(getFlops(problem, 10), 2.0 * 24576 * 10);
}

TEST(ProblemTest, IntermediatesDoNotMove) {
  Problem problem = makeProblem({{6, 64, 64, 1}, {1, 768, 192, 2}});
  problem.realBytes = 2;
  EXPECT_EQ(getMinimumBytes(problem, 100),
            2 * (100 * (384 + 1536) + 24576 + 294912));
  EXPECT_EQ(getFlops(problem, 100), 2.0 * 100 * (24576 + 294912));
}

TEST(ProblemTest, AnEmptyBatchReadsWeightsOnly) {
  Problem problem = makeProblem({{2, 3, 4, 5}});
  EXPECT_EQ(getMinimumBytes(problem, 0), 4 * 120);
  EXPECT_EQ(getFlops(problem, 0), 0);
}

TEST(ProblemTest, TiedWeights) {
  Problem problem = makeProblem({{2, 3, 4, 5}});
  Problem::Factor &factor = problem.factors.front();
  EXPECT_EQ(factor.storedWeights(), 120);
  factor.tiedA = true;
  EXPECT_EQ(factor.storedWeights(), 60);
  factor.tiedD = true;
  EXPECT_EQ(factor.storedWeights(), 12);
  factor.tiedA = false;
  EXPECT_EQ(factor.storedWeights(), 24);
  // Fewer bytes to read, but as much to compute.
  EXPECT_EQ(getMinimumBytes(problem, 1), 4 * (40 + 30 + 24));
  EXPECT_EQ(getFlops(problem, 1), 240);
}

TEST(ProblemTest, ConvertedOnBothSides) {
  Problem problem = makeProblem({{6, 64, 64, 1}, {1, 768, 192, 2}});
  problem.realBytes = 2;
  EXPECT_FALSE(problem.convertsInput());
  EXPECT_FALSE(problem.convertsResult());
  problem.convertedBytes = 8;
  problem.storedBytes = 4;
  EXPECT_TRUE(problem.convertsInput());
  EXPECT_TRUE(problem.convertsResult());
  EXPECT_EQ(getMinimumBytes(problem, 100),
            100 * (8 * 384 + 4 * 1536) + 2 * (24576 + 294912));
  // f32 takes the registers of sums of f16; f64 more.
  EXPECT_FALSE(problem.widensResult());
  problem.storedBytes = 8;
  EXPECT_TRUE(problem.widensResult());
  problem.accumulatorBytes = 8;
  EXPECT_FALSE(problem.widensResult());
}

TEST(ProblemTest, Complex) {
  Problem problem = makeProblem({{2, 3, 4, 5}});
  problem.isComplex = true;
  EXPECT_EQ(problem.elementBytes(), 8);
  EXPECT_EQ(getMinimumBytes(problem, 1), 8 * (40 + 30 + 120));
  // A multiply-add of complex numbers is four of reals.
  EXPECT_EQ(getFlops(problem, 1), 8 * 120);
  problem.realBytes = 8;
  EXPECT_EQ(problem.elementBytes(), 16);
}

// Sums that do not fit in 64 bits are still right: they are doubles.
TEST(ProblemTest, HugeProblems) {
  Problem problem = makeProblem({{1, 1 << 20, 1 << 20, 1 << 10}});
  constexpr int64_t batch = int64_t{1} << 40;
  EXPECT_DOUBLE_EQ(getFlops(problem, batch), 0x1p91);
  EXPECT_GT(getMinimumBytes(problem, batch), 0x1p72);
}

} // namespace
