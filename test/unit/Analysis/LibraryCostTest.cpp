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
    double predicted =
        getMicroseconds(makeDense(c.batch, c.m, c.n)) / kLibraryMargin;
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
  EXPECT_FALSE(predictLibrary(problem, *getGPUTarget("sm_90")).has_value());
  EXPECT_EQ(checkLibraryProblem(problem), "");
  Problem epilogue = problem, complex = problem, sparse = problem,
          chain = problem;
  epilogue.hasEpilogue = true;
  complex.isComplex = true;
  sparse.factors[0].pattern = {2, 64, 64, 1};
  chain.factors.push_back(chain.factors[0]);
  for (const auto &[other, text] : {std::pair(epilogue, "epilogue"),
                                    {complex, "complex"},
                                    {sparse, "(2, 64, 64, 1)"},
                                    {chain, "2 factors"}}) {
    EXPECT_FALSE(predictLibrary(other, getTarget()).has_value());
    EXPECT_NE(checkLibraryProblem(other).find(text), std::string::npos);
  }
}

} // namespace
