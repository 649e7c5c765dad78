//===- LibraryCostTest.cpp - Tests of the model of a library --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/LibraryCost.h"
#include "ks/Analysis/GPUPlanner.h"
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
  Problem epilogue = problem, complex = problem, columns = problem,
          large = problem, chain = problem, input = problem, result = problem;
  input.convertedBytes = result.storedBytes = 4;
  epilogue.hasEpilogue = true;
  complex.isComplex = true;
  columns.factors[0].pattern = {2, 64, 64, 3};
  large.factors[0].pattern = {1, 64, 64, int64_t{1} << 31};
  large.batchFirst = false;
  chain.factors.push_back(chain.factors[0]);
  for (const auto &[other, text] : {std::pair(epilogue, "epilogue"),
                                    {complex, "complex"},
                                    {columns, "(2, 64, 64, 3)"},
                                    {large, "sizes of 32 bits"},
                                    {input, "input is converted"},
                                    {result, "result is converted"},
                                    {chain, "2 factors"}}) {
    EXPECT_FALSE(predictLibrary(other, getTarget()).has_value());
    EXPECT_NE(checkLibraryProblem(other).find(text), std::string::npos);
  }
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

enum Type { F16, F32, TF32, F64 };

Problem makeBlocks(KSPattern pattern, Type type, int64_t batch = 25088,
                   bool isBatchFirst = false) {
  Problem problem = makeDense(batch, 1, 1,
                              type == F16   ? 2
                              : type == F64 ? 8
                                            : 4);
  problem.factors[0].pattern = pattern;
  problem.tf32 = type == TF32;
  problem.batchFirst = isBatchFirst;
  return problem;
}

/// cuBLAS and our own kernel on an H100, batch-last, in µs
/// (docs/gpu_factors.csv).
struct MeasuredBlocks {
  KSPattern pattern;
  Type type;
  double library, own;
};
constexpr MeasuredBlocks measuredBlocks[] = {
    {{1, 48, 192, 6}, F16, 30.5, 29.6},
    {{3, 96, 384, 64}, F16, 1586.7, 1609.2},
    {{8, 128, 128, 64}, F16, 2435.7, 2417.4},
    {{2, 192, 768, 16}, F16, 567.2, 730.8},
    {{1, 256, 64, 6}, F16, 42.7, 35.2},
    {{1, 384, 96, 128}, F16, 1190, 1470.1},
    {{1, 512, 512, 64}, F16, 1524.2, 2036.6},
    {{6, 768, 192, 4}, F16, 447, 510.2},
    {{1, 768, 768, 8}, F16, 398.5, 476.5},
    {{4, 1024, 1024, 16}, F16, 5188.8, 6456.7},
    {{16, 64, 64, 16}, F32, 1839.9, 1259.7},
    {{128, 96, 96, 4}, F32, 7772.5, 5667.9},
    {{8, 192, 192, 16}, F32, 5356.9, 4733.7},
    {{2, 192, 768, 16}, F32, 4703.4, 5445},
    {{3, 384, 96, 64}, F32, 9013.6, 7473.4},
    {{1, 512, 512, 64}, F32, 16367, 18376},
    {{4, 1024, 1024, 16}, F32, 63455, 73805},
    {{3, 48, 48, 16}, TF32, 167.4, 171.6},
    {{1, 256, 256, 24}, TF32, 452.5, 664.3},
    {{1, 256, 64, 3}, TF32, 47, 41.6},
    {{1, 512, 512, 64}, TF32, 2981.1, 6587.6},
    {{6, 768, 192, 4}, TF32, 910, 1354.7},
    {{1, 768, 768, 8}, TF32, 721.1, 1816.8},
    {{4, 1024, 1024, 16}, TF32, 10189, 25607},
};

TEST(LibraryCost, IsNearWhatBlocksWereMeasured) {
  for (const MeasuredBlocks &c : measuredBlocks) {
    if (getLibraryCalls(c.pattern) > kMaxLibraryCalls)
      continue;
    double predicted = getMicroseconds(makeBlocks(c.pattern, c.type));
    const KSPattern &p = c.pattern;
    EXPECT_LT(predicted, 1.1 * c.library) << p.b << " " << p.c << " " << c.type;
    // In tf32 it takes longer than two perfect overlaps would.
    double least = c.library / (c.type == TF32 ? 1.3 : 1.15);
    EXPECT_GT(predicted, least) << p.b << " " << p.c << " " << c.type;
  }
  // Groups, batch-first (docs/gpu_chains.csv).
  for (auto [batch, measured] : {std::pair(4096, 47.9), {25088, 263.3}})
    EXPECT_NEAR(
        getMicroseconds(makeBlocks({4, 1792, 448, 1}, F16, batch, true)) /
            kBlocksMargin,
        measured, 0.1 * measured);
}

TEST(LibraryCost, IsLessThanOursWhereTheLibraryWasFaster) {
  // Where one of the two was clearly faster.
  constexpr double kClearly = 1.1;
  int count = 0;
  for (const MeasuredBlocks &c : measuredBlocks) {
    bool wasFaster = c.library * kClearly < c.own;
    if (!wasFaster && c.own * kClearly >= c.library)
      continue;
    ++count;
    Problem problem = makeBlocks(c.pattern, c.type);
    double own = planForGPU(problem, getTarget()).front().cost.seconds;
    EXPECT_EQ(predictLibrary(problem, getTarget()).value_or(own) < own,
              wasFaster)
        << c.pattern.b << " " << c.pattern.c << " " << c.type;
  }
  EXPECT_GE(count, 15);
}

TEST(LibraryCost, CountsCalls) {
  EXPECT_EQ(getLibraryCalls({3, 8, 8, 1}), 1);
  EXPECT_EQ(getLibraryCalls({3, 8, 8, 16}), 3);
  EXPECT_EQ(getLibraryCalls({16, 8, 8, 5}), 5);
  auto predict = [](int64_t a, int64_t d) {
    return predictLibrary(makeBlocks({a, 64, 64, d}, F16, 64), getTarget());
  };
  // Small ones are as long as their launches.
  EXPECT_GT(*predict(4, 4), 3 * *predict(1, 16));
  EXPECT_NEAR(*predict(16, 1), *predict(1, 16), 1e-9);
  EXPECT_TRUE(predict(8, 30).has_value());
  EXPECT_FALSE(predict(9, 30).has_value());
}

TEST(LibraryCost, KnowsWhatBlocksCost) {
  double aligned = getMicroseconds(makeBlocks({1, 768, 768, 8}, F16));
  double unaligned = getMicroseconds(makeBlocks({1, 768, 768, 8}, F16, 25087));
  EXPECT_GT(unaligned, 4 * aligned);
  // FMAs take single elements.
  EXPECT_NEAR(getMicroseconds(makeBlocks({1, 768, 768, 8}, F32, 25087)),
              getMicroseconds(makeBlocks({1, 768, 768, 8}, F32)), 10);
  // A weight that is shared is loaded once.
  Problem tied = makeBlocks({1, 1024, 1024, 64}, F16, 8);
  double apart = getMicroseconds(tied);
  tied.factors[0].tiedD = true;
  EXPECT_LT(2 * getMicroseconds(tied), apart);
  // Batch-first, rows of groups begin anywhere.
  EXPECT_GT(getMicroseconds(makeBlocks({4, 449, 448, 1}, F16, 4096, true)),
            3 * getMicroseconds(makeBlocks({4, 448, 448, 1}, F16, 4096, true)));
  // Nobody has measured these.
  EXPECT_FALSE(predictLibrary(makeBlocks({1, 768, 768, 8}, F64), getTarget())
                   .has_value());
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
          large = problem, groups = problem, last = problem;
  complex.isComplex = true;
  large.factors[0].pattern.c = int64_t{1} << 31;
  groups.factors[0].pattern = {2, 512, 512, 1};
  last.factors[0].pattern = {1, 512, 512, 2};
  last.batchFirst = false;
  for (const auto &[other, text] :
       {std::pair(half, "16 bits"),
        {complex, "complex"},
        {large, "(1, 1024, 2147483648, 1)"},
        {groups, "a BLAS multiplies by dense matrices"},
        {last, "(1, 512, 512, 2)"}}) {
    EXPECT_FALSE(predictLibrary(other, getHost()).has_value());
    EXPECT_NE(checkBlasProblem(other).find(text), std::string::npos);
  }
}

TEST(LibraryCost, LeavesSmallBlocksBatchFirst) {
  // (128, 32, 32, 1) took 1.5 times as long as our own kernel.
  EXPECT_FALSE(predictLibrary(makeBlocks({128, 32, 32, 1}, F16, 25088, true),
                              getTarget())
                   .has_value());
  EXPECT_TRUE(predictLibrary(makeBlocks({4, 1792, 448, 1}, F16, 4096, true),
                             getTarget())
                  .has_value());
}

TEST(LibraryCost, KnowsThatOurKernelIsSlowForFewEntries) {
  EXPECT_GT(getSlowdown(makeDense(1, 4096, 1024, 2)), 1);
  EXPECT_EQ(getSlowdown(makeDense(64, 4096, 1024, 2)), 1);
  EXPECT_EQ(getSlowdown(makeBlocks({4, 256, 256, 1}, F16, 1, true)), 1);
}

} // namespace
