//===- LibraryCostTest.cpp - Tests of the model of a library --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/LibraryCost.h"
#include "ks/Analysis/Target.h"

#include "gtest/gtest.h"

using namespace ks;

namespace {

Problem makeDense(int64_t batch, int64_t m, int64_t n, int64_t realBytes = 2) {
  Problem problem;
  problem.factors.push_back({{1, n, m, 1}, false, false});
  problem.batch = batch;
  problem.realBytes = realBytes;
  problem.accumulatorBytes = realBytes == 8 ? 8 : 4;
  return problem;
}

GPUTarget getTarget() { return *getGPUTarget("sm_90:library=cublaslt"); }

double getMicroseconds(const Problem &problem) {
  return *predictLibrary(problem, getTarget()) * 1e6;
}

TEST(LibraryCost, IsNearWhatWasMeasured) {
  // cuBLAS on an H100, f16, in µs.
  struct {
    int64_t batch, m, n;
    double measured;
  } cases[] = {
      {4096, 4096, 4096, 185.6}, {25088, 4096, 4096, 1120.7},
      {4096, 1024, 4096, 53.1},  {25088, 1024, 4096, 298.1},
      {4096, 4096, 1024, 48.3},  {4096, 1024, 1024, 16.5},
      {25088, 1024, 1024, 79.9}, {4096, 16384, 16384, 3016.9},
      {64, 16384, 16384, 192.3}, {4096, 4096, 11008, 513.2},
      {64, 4096, 11008, 34.9},   {1, 4096, 11008, 35.5},
      {64, 384, 384, 2.5},       {64, 384, 1536, 2.6},
      {25088, 384, 384, 17.7},   {64, 1024, 1024, 3.5},
  };
  for (const auto &c : cases) {
    double predicted = getMicroseconds(makeDense(c.batch, c.m, c.n));
    EXPECT_LT(predicted, 1.2 * c.measured) << c.batch << " " << c.m;
    EXPECT_GT(predicted, c.measured / 1.2) << c.batch << " " << c.m;
  }
}

TEST(LibraryCost, GoesWithTheUnitThatMultiplies) {
  double f16 = getMicroseconds(makeDense(4096, 4096, 4096));
  Problem single = makeDense(4096, 4096, 4096, 4);
  double f32 = getMicroseconds(single);
  single.tf32 = true;
  double tf32 = getMicroseconds(single);
  double f64 = getMicroseconds(makeDense(4096, 4096, 4096, 8));
  EXPECT_GT(tf32, 1.5 * f16);
  EXPECT_GT(f32, 5 * tf32);
  EXPECT_GT(f64, f32);
}

TEST(LibraryCost, IsNoneWhereThereIsNoLibrary) {
  Problem problem = makeDense(4096, 4096, 4096);
  EXPECT_FALSE(
      predictLibrary(problem, *getGPUTarget("sm_90:library=none")).has_value());
  EXPECT_EQ(checkLibraryProblem(problem), "");
  Problem epilogue = problem, complex = problem, sparse = problem,
          chain = problem, input = problem, result = problem;
  input.convertedBytes = result.storedBytes = 4;
  epilogue.hasEpilogue = true;
  complex.isComplex = true;
  sparse.factors[0].pattern = {2, 64, 64, 1};
  chain.factors.push_back(chain.factors[0]);
  for (const auto &[other, text] : {std::pair(epilogue, "epilogue"),
                                    {complex, "complex"},
                                    {sparse, "(2, 64, 64, 1)"},
                                    {input, "input is converted"},
                                    {result, "result is converted"},
                                    {chain, "2 factors"}}) {
    EXPECT_FALSE(predictLibrary(other, getTarget()).has_value());
    EXPECT_NE(checkLibraryProblem(other).find(text), std::string::npos);
  }
}

//===----------------------------------------------------------------------===//
// CPUs
//===----------------------------------------------------------------------===//

/// One core of the machine of LibraryCost.h, about.
CPUTarget getHost() {
  CPUTarget host = *getCPUTarget("x86-64-v4:library=blas");
  host.l2Bytes = 2 << 20;
  host.threads = 1;
  return host;
}

Problem makeHostDense(int64_t batch, int64_t features, int64_t realBytes,
                      bool isBatchFirst) {
  Problem problem = makeDense(batch, features, features, realBytes);
  problem.batchFirst = isBatchFirst;
  return problem;
}

TEST(LibraryCost, IsNearWhatABlasWasMeasuredToTake) {
  // OpenBLAS, batch-last and batch-first, in ms.
  struct {
    int64_t batch, features, realBytes;
    bool isBatchFirst;
    double measured;
  } cases[] = {
      {512, 128, 4, false, 0.123}, {512, 512, 4, false, 2.02},
      {512, 1024, 4, false, 7.23}, {512, 2048, 4, false, 30.3},
      {512, 1024, 8, false, 17.0}, {512, 4096, 4, false, 127.0},
      {512, 2048, 4, true, 30.3},  {512, 2048, 8, true, 59.7},
      {512, 4096, 8, true, 241.5}, {4096, 1024, 4, true, 57.2},
  };
  for (const auto &c : cases) {
    Problem problem =
        makeHostDense(c.batch, c.features, c.realBytes, c.isBatchFirst);
    double predicted = *predictLibrary(problem, getHost()) / kBlasMargin * 1e3;
    EXPECT_LT(predicted, 1.25 * c.measured) << c.features;
    EXPECT_GT(predicted, c.measured / 1.25) << c.features;
  }
}

TEST(LibraryCost, TellsWhereOurKernelTakesLongerThanPlanned) {
  CPUTarget host = getHost();
  auto isSlow = [&](int64_t batch, int64_t features, int64_t realBytes,
                    bool isBatchFirst) {
    Problem problem = makeHostDense(batch, features, realBytes, isBatchFirst);
    return getSlowdown(problem, 0, host) == kBeyondL2;
  };
  // The input, where it does not fit L2.
  EXPECT_FALSE(isSlow(512, 512, 4, false));
  EXPECT_TRUE(isSlow(512, 512, 8, false));
  EXPECT_TRUE(isSlow(512, 1024, 4, false));
  EXPECT_FALSE(isSlow(64, 2048, 4, false));
  EXPECT_FALSE(isSlow(520, 1024, 4, false));
  // Weights, where they are many.
  EXPECT_FALSE(isSlow(4096, 1024, 8, true));
  EXPECT_FALSE(isSlow(4096, 2048, 4, true));
  EXPECT_TRUE(isSlow(512, 2048, 8, true));
  // Factors behind another read what that wrote, and others are as planned.
  Problem chain = makeHostDense(512, 1024, 4, false);
  chain.factors.push_back(chain.factors[0]);
  chain.factors[0].pattern = {2, 512, 512, 1};
  EXPECT_EQ(getSlowdown(chain, 0, host), 1);
  EXPECT_EQ(getSlowdown(chain, 1, host), 1);
}

TEST(LibraryCost, IsNoneWhereABlasKnowsNoSuchProduct) {
  Problem problem = makeHostDense(512, 1024, 4, true);
  EXPECT_TRUE(predictLibrary(problem, getHost()).has_value());
  EXPECT_FALSE(predictLibrary(problem, *getCPUTarget("x86-64-v4")).has_value());
  Problem half = makeHostDense(512, 1024, 2, true), complex = problem,
          large = problem;
  complex.isComplex = true;
  large.factors[0].pattern.c = int64_t{1} << 31;
  for (const auto &[other, text] : {std::pair(half, "16 bits"),
                                    {complex, "complex"},
                                    {large, "1024x2147483648"}}) {
    EXPECT_FALSE(predictLibrary(other, getHost()).has_value());
    EXPECT_NE(checkBlasProblem(other).find(text), std::string::npos);
  }
}

} // namespace
