//===- CPUPlannerTest.cpp - Tests of the planner ----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever the problem, a plan is legal (the constraints of #ks.cpu_plan), fits
// the registers, and does not depend on anything but problem and target; and a
// better machine never looks slower. A few choices are known.
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/CPUPlanner.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <ostream>
#include <random>
#include <vector>

using namespace ks;

namespace ks {

/// What GoogleTest prints upon failure.
static std::ostream &operator<<(std::ostream &os, const Problem &problem) {
  for (const Problem::Factor &factor : problem.factors)
    os << "(" << factor.pattern.a << "," << factor.pattern.b << ","
       << factor.pattern.c << "," << factor.pattern.d
       << (factor.tiedA ? " tied a" : "") << (factor.tiedD ? " tied d" : "")
       << ") ";
  os << "batch " << problem.batch.value_or(-1)
     << (problem.batchFirst ? " first" : " last")
     << (problem.isComplex ? " complex" : "") << " bytes " << problem.realBytes
     << "/" << problem.accumulatorBytes;
  return os;
}

} // namespace ks

namespace {

constexpr int kProblems = 10000;

/// Draws problems with small, prime, power-of-two and huge sizes.
class Generator {
public:
  Problem draw() {
    Problem problem;
    switch (pick(5)) {
    case 0: // f16, bf16
      problem.realBytes = 2;
      break;
    case 1: // f64
      problem.realBytes = problem.accumulatorBytes = 8;
      break;
    case 2: // complex
      problem.isComplex = true;
      if (pick(2))
        problem.realBytes = problem.accumulatorBytes = 8;
      break;
    default: // f32
      break;
    }
    problem.batchFirst = pick(4) != 0;
    static constexpr int64_t batches[] = {
        0, 1, 2, 3, 7, 31, 64, 512, 1000003, int64_t{1} << 40};
    if (pick(4) != 0)
      problem.batch = batches[pick(std::size(batches))];
    KSPattern pattern = drawPattern();
    for (int count = 1 + pick(3); count > 0; --count) {
      problem.factors.push_back({pattern, pick(8) == 0, pick(8) == 0});
      pattern = drawNext(pattern);
      if (!pattern.isValid())
        break;
    }
    return problem;
  }

private:
  int64_t pick(int64_t count) {
    return std::uniform_int_distribution<int64_t>(0, count - 1)(random);
  }
  int64_t drawSize() {
    static constexpr int64_t primes[] = {2, 3, 5, 7, 11, 13, 17, 31, 61, 251};
    switch (pick(5)) {
    case 0:
      return 1;
    case 1:
      return primes[pick(std::size(primes))];
    case 2:
      return int64_t{1} << pick(11);
    case 3:
      return 1 + pick(100);
    default:
      return 1 + pick(int64_t{1} << (1 + pick(40)));
    }
  }
  KSPattern drawPattern() {
    while (true) {
      KSPattern pattern{drawSize(), drawSize(), drawSize(), drawSize()};
      if (pattern.isValid())
        return pattern;
    }
  }
  /// A pattern that takes what `previous` gives.
  KSPattern drawNext(const KSPattern &previous) {
    int64_t features = previous.outFeatures(), b = 1 + pick(40);
    switch (pick(4)) {
    case 0:
      return {1, b, features, 1};
    case 1:
      return {features, b, 1, 1};
    case 2:
      return {1, b, 1, features};
    default:
      return previous.transposed();
    }
  }

  std::mt19937_64 random{1};
};

/// The constraints of #ks.cpu_tile and #ks.cpu_plan, and what the planner
/// promises on top.
void expectLegal(const CPUTile &tile, const Problem &problem,
                 const Problem::Factor &factor, const CPUTarget &target) {
  const KSPattern &p = factor.pattern;
  EXPECT_GE(tile.rows, 1);
  EXPECT_GE(tile.vectors, 1);
  EXPECT_GE(tile.n, 1);
  EXPECT_GE(tile.j, 1);
  EXPECT_LE(tile.rows * tile.vectors, 64);
  EXPECT_LE(tile.lanes, 64);
  EXPECT_GE(tile.unroll, 1);
  EXPECT_LE(tile.unroll, 16);
  EXPECT_EQ(p.c % tile.unroll, 0) << "unroll " << tile.unroll;
  // One vector of accumulators is one register.
  int64_t bits =
      tile.lanes * (problem.isComplex ? 2 : 1) * problem.accumulatorBytes * 8;
  EXPECT_LE(bits, std::max<int64_t>(target.vectorBits,
                                    (problem.isComplex ? 2 : 1) *
                                        problem.accumulatorBytes * 8));
  // All accumulators, a row of vectors, and one more operand.
  EXPECT_LE(tile.rows * tile.vectors + tile.vectors + 1,
            target.vectorRegisters);
  if (problem.batchFirst) {
    EXPECT_LE(tile.j, p.d);
    EXPECT_LE(tile.n * tile.vectors, p.b);
    EXPECT_LE(tile.n * tile.j, tile.lanes);
    EXPECT_EQ(tile.packVectors, tile.vectors);
    EXPECT_EQ(tile.packLanes, tile.lanes);
  } else {
    EXPECT_LE(tile.rows, p.b);
    EXPECT_EQ(tile.packVectors, 1);
    EXPECT_EQ(tile.packLanes, tile.rows);
  }
  EXPECT_GT(tile.cyclesPerEntry, 0);
  EXPECT_TRUE(std::isfinite(tile.cyclesPerEntry));
}

void expectLegal(const CPUPlan &plan, const Problem &problem,
                 const CPUTarget &target) {
  ASSERT_EQ(plan.tiles.size(), problem.factors.size());
  EXPECT_GE(plan.batchBlock, 1);
  EXPECT_GE(plan.seconds, 0);
  EXPECT_TRUE(std::isfinite(plan.seconds));
  // Blocks of the batch, or what is in a factor; never nothing.
  EXPECT_NE(plan.parallelBatch, plan.parallelGroup);
  EXPECT_EQ(plan.parallelGroup, plan.parallelPanel);
  EXPECT_TRUE(!plan.stageInput || (problem.batchFirst && plan.parallelBatch));
  for (size_t t = 0; t < plan.tiles.size(); ++t) {
    SCOPED_TRACE(t);
    expectLegal(plan.tiles[t], problem, problem.factors[t], target);
    EXPECT_TRUE(!plan.tiles[t].keepActivations || plan.parallelBatch);
  }
}

bool isSame(const CPUPlan &x, const CPUPlan &y) {
  if (x.tiles.size() != y.tiles.size())
    return false;
  for (size_t t = 0; t < x.tiles.size(); ++t)
    if (!(x.tiles[t] == y.tiles[t]) ||
        x.tiles[t].keepActivations != y.tiles[t].keepActivations)
      return false;
  return x.batchBlock == y.batchBlock && x.stageInput == y.stageInput &&
         x.parallelBatch == y.parallelBatch && x.seconds == y.seconds;
}

class PlannerTest : public testing::TestWithParam<std::string> {
protected:
  CPUTarget target = *getCPUTarget(GetParam());
};

TEST_P(PlannerTest, PlansAreLegal) {
  Generator generator;
  for (int count = 0; count < kProblems && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    SCOPED_TRACE(testing::Message() << problem);
    llvm::SmallVector<CPUPlan> plans = planForCPU(problem, target);
    ASSERT_EQ(plans.size(), 1u);
    expectLegal(plans.front(), problem, target);
  }
}

TEST_P(PlannerTest, PlansAreDeterministic) {
  Generator generator;
  for (int count = 0; count < kProblems / 10 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    SCOPED_TRACE(testing::Message() << problem);
    EXPECT_TRUE(isSame(planForCPU(problem, target).front(),
                       planForCPU(problem, target).front()));
    // The name is for people, and decides nothing.
    CPUTarget renamed = target;
    renamed.name = renamed.llvmCpu = "other";
    EXPECT_TRUE(isSame(planForCPU(problem, target).front(),
                       planForCPU(problem, renamed).front()));
  }
}

TEST_P(PlannerTest, RankingIsSorted) {
  Generator generator;
  for (int count = 0; count < kProblems / 10 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    SCOPED_TRACE(testing::Message() << problem);
    for (unsigned t = 0; t < problem.factors.size(); ++t) {
      llvm::SmallVector<CPUTile> tiles = rankTiles(problem, t, target);
      ASSERT_FALSE(tiles.empty());
      for (size_t at = 0; at < tiles.size(); ++at) {
        expectLegal(tiles[at], problem, problem.factors[t], target);
        if (at > 0)
          EXPECT_LE(tiles[at - 1].cyclesPerEntry, tiles[at].cyclesPerEntry);
      }
    }
    llvm::SmallVector<CPUPlan> plans = planForCPU(problem, target, 5);
    ASSERT_FALSE(plans.empty());
    EXPECT_LE(plans.size(), 5u);
    EXPECT_TRUE(isSame(plans.front(), planForCPU(problem, target).front()));
    for (size_t at = 0; at < plans.size(); ++at) {
      expectLegal(plans[at], problem, target);
      if (at > 0)
        EXPECT_LE(plans[at - 1].seconds, plans[at].seconds);
    }
  }
}

TEST_P(PlannerTest, BetterMachinesAreNotSlower) {
  Generator generator;
  for (int count = 0; count < kProblems / 10 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    SCOPED_TRACE(testing::Message() << problem);
    double seconds = planForCPU(problem, target).front().seconds;
    auto expectNotSlower = [&](auto improve, const char *what) {
      CPUTarget better = target;
      improve(better);
      EXPECT_LE(planForCPU(problem, better).front().seconds,
                seconds * (1 + 1e-12))
          << what;
    };
    expectNotSlower([](CPUTarget &t) { t.threads *= 4; }, "threads");
    expectNotSlower([](CPUTarget &t) { t.memoryBandwidth *= 2; }, "bandwidth");
    expectNotSlower([](CPUTarget &t) { t.vectorRegisters *= 2; }, "registers");
    expectNotSlower([](CPUTarget &t) { t.fmaPerCycle *= 2; }, "FMAs");
    expectNotSlower([](CPUTarget &t) { t.loadsPerCycle *= 2; }, "loads");
    expectNotSlower([](CPUTarget &t) { t.fmaLatency = 1; }, "latency");
    expectNotSlower([](CPUTarget &t) { t.gigahertz *= 2; }, "clock");
  }
}

/// Never faster than the floor that the problem itself sets.
TEST_P(PlannerTest, PredictionsRespectTheFloor) {
  Generator generator;
  for (int count = 0; count < kProblems / 10 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    SCOPED_TRACE(testing::Message() << problem);
    int64_t batch = problem.batch.value_or(kAssumedBatch);
    double flopsPerSecond =
        2 * target.fmaPerCycle *
        static_cast<double>(target.getLanes(problem.accumulatorBytes)) *
        target.gigahertz * 1e9 * static_cast<double>(target.threads);
    double seconds = planForCPU(problem, target).front().seconds;
    EXPECT_GE(seconds * (1 + 1e-9),
              getMinimumBytes(problem, batch) / target.memoryBandwidth);
    EXPECT_GE(seconds * (1 + 1e-9), getFlops(problem, batch) / flopsPerSecond);
  }
}

std::vector<std::string> getNames() {
  std::vector<std::string> names;
  for (const CPUTarget &target : getCPUTargets())
    names.push_back(target.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Targets, PlannerTest, testing::ValuesIn(getNames()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

//===----------------------------------------------------------------------===//
// Known choices
//===----------------------------------------------------------------------===//

Problem makeProblem(KSPattern pattern) {
  Problem problem;
  problem.factors.push_back({pattern, false, false});
  problem.batch = 4096;
  return problem;
}

CPUTile chooseTile(const Problem &problem, const char *target) {
  return planForCPU(problem, *getCPUTarget(target)).front().tiles.front();
}

TEST(PlannerChoiceTest, LanesFollowTheMachineAndTheType) {
  Problem problem = makeProblem({6, 64, 64, 1});
  EXPECT_EQ(chooseTile(problem, "x86-64-v2").lanes, 4);
  EXPECT_EQ(chooseTile(problem, "x86-64-v3").lanes, 8);
  EXPECT_EQ(chooseTile(problem, "x86-64-v4").lanes, 16);
  EXPECT_EQ(chooseTile(problem, "aarch64").lanes, 4);
  problem.realBytes = 2; // f16 accumulates in f32
  EXPECT_EQ(chooseTile(problem, "x86-64-v4").lanes, 16);
  problem.realBytes = problem.accumulatorBytes = 8;
  EXPECT_EQ(chooseTile(problem, "x86-64-v4").lanes, 8);
  problem.isComplex = true;
  EXPECT_EQ(chooseTile(problem, "x86-64-v4").lanes, 4);
}

TEST(PlannerChoiceTest, LanesRunAlongNWhereDIsOne) {
  CPUTile tile = chooseTile(makeProblem({6, 64, 64, 1}), "x86-64-v4");
  EXPECT_EQ(tile.n, 16);
  EXPECT_EQ(tile.j, 1);
}

TEST(PlannerChoiceTest, LanesRunAlongJWhereDIsWide) {
  CPUTile tile = chooseTile(makeProblem({1, 8, 8, 64}), "x86-64-v4");
  EXPECT_EQ(tile.n, 1);
  EXPECT_EQ(tile.j, 16);
}

TEST(PlannerChoiceTest, LanesCoverBothInBetween) {
  CPUTile tile = chooseTile(makeProblem({1, 768, 192, 2}), "x86-64-v4");
  EXPECT_EQ(tile.n, 8);
  EXPECT_EQ(tile.j, 2);
}

TEST(PlannerChoiceTest, ShortAxesPadVectors) {
  CPUTile tile = chooseTile(makeProblem({64, 3, 64, 1}), "x86-64-v4");
  EXPECT_EQ(tile.n, 3);
  EXPECT_EQ(tile.lanes, 4);
}

TEST(PlannerChoiceTest, BatchLastLanesRunAlongTheBatch) {
  Problem problem = makeProblem({6, 64, 64, 1});
  problem.batchFirst = false;
  CPUTile tile = chooseTile(problem, "x86-64-v4");
  EXPECT_EQ(tile.lanes, 16);
  EXPECT_EQ(tile.packLanes, tile.rows);
  // A batch of 3 does not need more than 4 lanes.
  problem.batch = 3;
  EXPECT_EQ(chooseTile(problem, "x86-64-v4").lanes, 4);
}

TEST(PlannerChoiceTest, TilesHideTheLatencyOfFMAs) {
  CPUTarget target = *getCPUTarget("x86-64-v3");
  CPUTile tile = chooseTile(makeProblem({1, 256, 256, 1}), "x86-64-v3");
  EXPECT_GE(static_cast<double>(tile.rows * tile.vectors),
            static_cast<double>(target.fmaLatency) * target.fmaPerCycle);
}

TEST(PlannerChoiceTest, RowsDoNotExceedTheBatch) {
  for (int64_t batch : {1, 2, 3}) {
    Problem problem = makeProblem({6, 64, 64, 1});
    problem.batch = batch;
    EXPECT_LE(chooseTile(problem, "x86-64-v4").rows, batch);
  }
}

TEST(PlannerChoiceTest, OneWeightHasOnePlan) {
  Problem problem = makeProblem({1, 1, 1, 1});
  problem.batch = 1;
  EXPECT_EQ(planForCPU(problem, *getCPUTarget("x86-64-v4"), 100).size(), 1u);
}

TEST(PlannerChoiceTest, SmallBatchesShareOutGroups) {
  CPUTarget target = *getCPUTarget("x86-64-v4");
  target.threads = 16;
  Problem problem = makeProblem({64, 64, 64, 1});
  EXPECT_TRUE(planForCPU(problem, target).front().parallelBatch);
  problem.batch = 1;
  EXPECT_FALSE(planForCPU(problem, target).front().parallelBatch);
  EXPECT_TRUE(planForCPU(problem, target).front().parallelGroup);
}

TEST(PlannerChoiceTest, BlocksShrinkWithMoreThreads) {
  CPUTarget target = *getCPUTarget("x86-64-v4");
  Problem problem = makeProblem({6, 64, 64, 1});
  target.threads = 1;
  int64_t one = planForCPU(problem, target).front().batchBlock;
  target.threads = 64;
  EXPECT_LT(planForCPU(problem, target).front().batchBlock, one);
}

TEST(PlannerChoiceTest, AliasingRowsAreStaged) {
  CPUTarget target = *getCPUTarget("x86-64-v4");
  target.threads = 1;
  EXPECT_TRUE(
      planForCPU(makeProblem({1, 512, 4096, 1}), target).front().stageInput);
  EXPECT_FALSE(
      planForCPU(makeProblem({1, 512, 4095, 1}), target).front().stageInput);
}

TEST(PlannerChoiceTest, AnUnknownBatchIsAssumed) {
  Problem problem = makeProblem({6, 64, 64, 1});
  CPUTarget target = *getCPUTarget("x86-64-v4");
  problem.batch = std::nullopt;
  CPUPlan unknown = planForCPU(problem, target).front();
  problem.batch = kAssumedBatch;
  CPUPlan known = planForCPU(problem, target).front();
  // Only what does not divide the batch makes a difference.
  EXPECT_LE(unknown.seconds, known.seconds);
  EXPECT_NEAR(unknown.seconds, known.seconds, 0.2 * known.seconds);
}

} // namespace
