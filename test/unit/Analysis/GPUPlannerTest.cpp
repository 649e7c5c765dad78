//===- GPUPlannerTest.cpp - Plans for GPUs --------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUPlanner.h"

#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace ks;

namespace {

/// Random problems of one factor: sizes from 1 to huge, primes among them.
class Generator {
public:
  Problem draw() {
    Problem problem;
    switch (pick(6)) {
    case 0:
    case 1:
      problem.realBytes = 2;
      break;
    case 2:
      problem.tf32 = true;
      break;
    case 3:
      problem.realBytes = problem.accumulatorBytes = 8;
      break;
    case 4:
      problem.isComplex = true;
      break;
    case 5:
      problem.isComplex = true;
      problem.realBytes = problem.accumulatorBytes = 8;
      break;
    }
    problem.batchFirst = pick(2);
    problem.hasEpilogue = pick(2);
    static constexpr int64_t batches[] = {
        0, 1, 2, 3, 7, 31, 64, 512, 1000003, int64_t{1} << 40};
    if (pick(4) != 0)
      problem.batch = batches[pick(std::size(batches))];
    KSPattern pattern;
    do
      pattern = {drawSize(), drawSize(), drawSize(), drawSize()};
    while (!pattern.isValid());
    problem.factors.push_back({pattern, pick(8) == 0, pick(8) == 0});
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

  std::mt19937_64 random{1};
};

class GPUPlannerTest : public testing::TestWithParam<GPUTarget> {};

TEST_P(GPUPlannerTest, EachProblemHasALegalPlan) {
  const GPUTarget &target = GetParam();
  Generator generator;
  for (int count = 0; count < 10000 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    const KSPattern &p = problem.factors.front().pattern;
    SCOPED_TRACE(testing::Message()
                 << p.a << "," << p.b << "," << p.c << "," << p.d << " first "
                 << problem.batchFirst << " bytes " << problem.realBytes
                 << " complex " << problem.isComplex);
    llvm::SmallVector<RankedGPUPlan> plans = planForGPU(problem, target, 3);
    ASSERT_FALSE(plans.empty());
    for (size_t at = 0; at < plans.size(); ++at) {
      const auto &[plan, cost] = plans[at];
      EXPECT_EQ(checkGPUPlan(problem, plan, target), "");
      EXPECT_TRUE(std::isfinite(cost.seconds));
      EXPECT_GT(cost.seconds, 0);
      EXPECT_GE(cost.blocksPerSM, 1);
      if (at > 0)
        EXPECT_LE(plans[at - 1].cost.seconds, cost.seconds);
    }
    if (count % 50 == 0)
      EXPECT_EQ(planForGPU(problem, target, 1).front().cost.seconds,
                plans.front().cost.seconds);
  }
}

/// All ways to store results do so for all types of the result.
TEST_P(GPUPlannerTest, EachProblemHasALegalPlanForEachTypeOfTheResult) {
  const GPUTarget &target = GetParam();
  Generator generator;
  for (int count = 0; count < 300 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    if (problem.isComplex)
      continue;
    for (int64_t bytes : {2, 4, 8}) {
      problem.storedBytes = bytes;
      llvm::SmallVector<RankedGPUPlan> plans = planForGPU(problem, target, 2);
      ASSERT_FALSE(plans.empty());
      for (const auto &[plan, cost] : plans) {
        EXPECT_EQ(checkGPUPlan(problem, plan, target), "");
        EXPECT_TRUE(std::isfinite(cost.seconds));
      }
    }
  }
}

TEST_P(GPUPlannerTest, BetterMachinesAreNotSlower) {
  const GPUTarget &target = GetParam();
  Generator generator;
  for (int count = 0; count < 40 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    double seconds = planForGPU(problem, target).front().cost.seconds;
    auto expectNotSlower = [&](auto improve, const char *what) {
      GPUTarget better = target;
      improve(better);
      EXPECT_LE(planForGPU(problem, better).front().cost.seconds,
                seconds * (1 + 1e-12))
          << what;
    };
    expectNotSlower([](GPUTarget &t) { t.dramBandwidth *= 2; }, "DRAM");
    expectNotSlower([](GPUTarget &t) { t.l2Bandwidth *= 2; }, "L2");
    expectNotSlower([](GPUTarget &t) { t.gigahertz *= 2; }, "clock");
    expectNotSlower(
        [](GPUTarget &t) {
          t.mma16PerClock *= 2;
          t.mma8PerClock *= 2;
          t.fma32PerClock *= 2;
          t.fma64PerClock *= 2;
        },
        "units");
  }
}

/// Never faster than the bytes of the problem itself allow: those that L2 does
/// not still hold come from DRAM. It may hold weights, and what products of few
/// entries read and write.
TEST_P(GPUPlannerTest, PredictionsRespectTheFloor) {
  const GPUTarget &target = GetParam();
  Generator generator;
  for (int count = 0; count < 100 && !HasFailure(); ++count) {
    Problem problem = generator.draw();
    int64_t batch = problem.batch.value_or(kAssumedGPUBatch);
    double seconds = planForGPU(problem, target).front().cost.seconds;
    double weights = static_cast<double>(
        problem.factors.front().storedWeights() * problem.elementBytes());
    double bytes = getMinimumBytes(problem, batch);
    bool mayBeInL2 =
        batch <= 512 && bytes < static_cast<double>(target.l2Bytes);
    EXPECT_GE(seconds, mayBeInL2 ? bytes / target.l2Bandwidth
                                 : (bytes - weights) / target.dramBandwidth);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, GPUPlannerTest,
                         testing::ValuesIn(getGPUTargets()),
                         [](const testing::TestParamInfo<GPUTarget> &info) {
                           return info.param.name;
                         });

//===----------------------------------------------------------------------===//
// Known choices
//===----------------------------------------------------------------------===//

Problem makeProblem(KSPattern pattern) {
  Problem problem;
  problem.realBytes = 2;
  problem.factors.push_back({pattern, false, false});
  problem.batch = 25088;
  return problem;
}

GPUPlan choose(const Problem &problem, const char *target = "sm_80") {
  return planForGPU(problem, *getGPUTarget(target)).front().plan;
}

TEST(GPUPlannerChoiceTest, FourWarpsMultiplyTogetherOnHopper) {
  Problem problem = makeProblem({4, 192, 192, 16});
  problem.batchFirst = false;
  EXPECT_TRUE(choose(problem, "sm_90").isWgmma());
  EXPECT_FALSE(choose(problem, "sm_100").isWgmma());
  problem.realBytes = 4;
  EXPECT_FALSE(choose(problem, "sm_90").isWgmma());
}

TEST(GPUPlannerChoiceTest, ActivationsGoThroughRegistersOnHopper) {
  for (int64_t d : {2, 3, 4, 8, 16, 64}) {
    GPUPlan plan = choose(makeProblem({4, 192, 192, d}), "sm_90");
    EXPECT_TRUE(plan.isWgmmaRS());
    EXPECT_FALSE(plan.isFolded);
  }
  EXPECT_FALSE(choose(makeProblem({4, 192, 192, 1}), "sm_90").isWgmmaRS());
  EXPECT_FALSE(choose(makeProblem({4, 192, 192, 16}), "sm_100").isWgmmaRS());
}

TEST(GPUPlannerChoiceTest, ManyBlocksAlongNShareCopies) {
  GPUPlan plan = choose(makeProblem({1, 512, 512, 64}), "sm_90");
  EXPECT_GT(plan.cluster, 1);
  EXPECT_EQ(plan.getNumBlocksN({1, 512, 512, 64}) % plan.cluster, 0);
}

TEST(GPUPlannerChoiceTest, FewSlabsShareK) {
  Problem problem = makeProblem({2, 192, 768, 16});
  problem.batch = 64;
  GPUPlan plan = choose(problem, "sm_90");
  EXPECT_GT(plan.splits, 1);
  EXPECT_EQ(plan.getNumChunks({2, 192, 768, 16}) % plan.splits, 0);
  EXPECT_EQ(choose(problem, "sm_80").splits, 1);
  problem.batch = 25088;
  EXPECT_EQ(choose(problem, "sm_90").splits, 1);
}

TEST(GPUPlannerChoiceTest, OneTileDoesNotWaitForAllWeights) {
  Problem problem = makeProblem({1, 512, 512, 64});
  problem.batch = 1;
  EXPECT_FALSE(choose(problem, "sm_90").isResident);
}

TEST(GPUPlannerChoiceTest, AllThreadsCopyRowsThatAreNotAligned) {
  Problem problem = makeProblem({4, 64, 64, 16});
  problem.batchFirst = false;
  problem.batch = 4096;
  EXPECT_TRUE(choose(problem, "sm_90").isBulk);
  problem.batch = 4099;
  EXPECT_FALSE(choose(problem, "sm_90").isBulk);
}

TEST(GPUPlannerChoiceTest, ManyWeightsAreSweptInParts) {
  // 14 MB of weights, group by group; half a megabyte stays in L2 anyway.
  for (int64_t groups : {3, 6}) {
    GPUPlan plan = choose(makeProblem({groups, 96, 384, 64}), "sm_90");
    if (!plan.isResident)
      EXPECT_EQ(plan.sweeps % groups, 0);
  }
  EXPECT_EQ(choose(makeProblem({4, 64, 64, 16}), "sm_90").sweeps, 1);
}

TEST(GPUPlanTest, FoldedPatternsAreDense) {
  GPUPlan plan;
  plan.isFolded = true;
  EXPECT_EQ(plan.getKernelPattern({2, 128, 64, 3}),
            (KSPattern{2, 384, 192, 1}));
}

TEST(GPUPlanTest, StagedResultsFillLines) {
  GPUPlan plan;
  plan.fragments = {WarpInstruction::WgmmaRS16, 4, 8};
  plan.entries = 64;
  plan.warpsM = 4;
  plan.j = plan.vector = 3;
  plan.n = 64;
  // 4 lanes, 8 neighbours of each, 3 columns: 192 bytes.
  EXPECT_EQ(plan.getStagedN({1, 128, 128, 3}, true, 2), 32);
  EXPECT_EQ(plan.getStagedShape({1, 128, 128, 3}, true, 2),
            (std::array<int64_t, 4>{4, 2, 16, 32 * 3 + 8}));
  // Rows of an odd number of bytes leave as they are.
  EXPECT_EQ(plan.getStagedN({1, 127, 128, 3}, true, 2), 0);
  // Two warps' columns are a sector of each n.
  plan.fragments = {WarpInstruction::WgmmaRS16, 1, 1};
  plan.vector = 8;
  plan.warpsJ = 2;
  plan.j = 16;
  EXPECT_EQ(plan.getStagedN({1, 128, 128, 64}, true, 2), 4);
  // One warp's are half of one, which others complete.
  plan.warpsJ = 1;
  plan.j = 8;
  EXPECT_EQ(plan.getStagedN({1, 128, 128, 64}, true, 2), 0);
  plan.fragments.instruction = WarpInstruction::Mma16;
  EXPECT_EQ(plan.getStagedN({1, 128, 128, 8}, true, 2), 0);
}

TEST(GPUPlanTest, ResultsAreStagedInTheirType) {
  GPUPlan plan;
  plan.fragments = {WarpInstruction::WgmmaRS16, 1, 1};
  plan.isBulk = true;
  plan.entries = 64;
  plan.warpsM = 4;
  plan.n = 16;
  plan.k = 16;
  plan.vector = 8;
  plan.j = 8;
  KSPattern p{1, 128, 128, 64};
  // Eight columns are half a sector of f16 and a whole one of f32.
  EXPECT_EQ(plan.getStagedN(p, true, 2), 0);
  EXPECT_EQ(plan.getStagedN(p, true, 4), 4);
  EXPECT_EQ(plan.getStagedShape(p, true, 4),
            (std::array<int64_t, 4>{4, 2, 16, 4 * 8 + 4}));
  int64_t operands = plan.getOperandBytes(p, true, 2);
  EXPECT_EQ(plan.getStagedBytes(p, true, 2, 2), operands);
  EXPECT_EQ(plan.getStagedBytes(p, true, 2, 4), operands + 4 * 2 * 16 * 36 * 4);
}

TEST(GPUPlanTest, RowsAreStagedInTheirType) {
  KSPattern p{2, 10, 11, 67};
  GPUPlan plan = choose(makeProblem(p));
  EXPECT_TRUE(plan.stagesRows(p, true, 2));
  // Ten times 67 elements are whole pieces of 8 bytes of f32 and f64, but the
  // last warp begins anywhere.
  EXPECT_TRUE(plan.hasOverlappingWarps());
  EXPECT_TRUE(plan.stagesRows(p, true, 4));
  EXPECT_FALSE(plan.stagesRows(p, true, 8));
  EXPECT_EQ(plan.getStagedBytes(p, true, 2, 4) -
                plan.getOperandBytes(p, true, 2),
            plan.entries * plan.getStagedRowPitch(p, 4) * 4);
}

TEST(GPUPlanTest, PairsOfSixteenBitsAreExchanged) {
  GPUPlan plan;
  plan.fragments.instruction = WarpInstruction::Wgmma16;
  EXPECT_TRUE(plan.exchangesEntries(/*batchFirst=*/false, 2));
  EXPECT_FALSE(plan.exchangesEntries(/*batchFirst=*/false, 4));
  EXPECT_FALSE(plan.exchangesEntries(/*batchFirst=*/true, 2));
  plan.fragments.instruction = WarpInstruction::Mma16;
  EXPECT_FALSE(plan.exchangesEntries(/*batchFirst=*/false, 2));
}

TEST(GPUPlannerChoiceTest, WiderResultsTakeLonger) {
  for (bool batchFirst : {true, false}) {
    Problem problem = makeProblem({4, 192, 192, 16});
    problem.batchFirst = batchFirst;
    auto getSeconds = [&](int64_t bytes) {
      problem.storedBytes = bytes;
      return planForGPU(problem, *getGPUTarget("sm_90")).front().cost.seconds;
    };
    // As many bytes as without a conversion, then 1.5 and 2.5 times as many.
    EXPECT_EQ(getSeconds(2), getSeconds(0));
    EXPECT_GT(getSeconds(4), 1.2 * getSeconds(2));
    EXPECT_GT(getSeconds(8), 1.2 * getSeconds(4));
  }
}

TEST(GPUPlannerChoiceTest, SmallDIsOneSlab) {
  for (int64_t d : {1, 2, 3, 4, 6}) {
    GPUPlan plan = choose(makeProblem({4, 64, 64, d}));
    EXPECT_EQ(plan.j, d);
    EXPECT_EQ(plan.warpsJ, 1);
  }
}

TEST(GPUPlannerChoiceTest, RunsFillSixteenBytes) {
  EXPECT_EQ(choose(makeProblem({4, 64, 64, 4})).fragments.runK, 2);
  EXPECT_EQ(choose(makeProblem({4, 64, 64, 2})).fragments.runK, 4);
  EXPECT_EQ(choose(makeProblem({4, 64, 64, 1})).fragments.runK, 4);
}

TEST(GPUPlannerChoiceTest, BatchLastRunsAlongTheBatch) {
  Problem problem = makeProblem({4, 64, 64, 4});
  problem.batchFirst = false;
  EXPECT_EQ(choose(problem).vector, 8);
  EXPECT_EQ(choose(problem).j, 1);
}

TEST(GPUPlannerChoiceTest, PaddingAvoidsBankConflicts) {
  GPUPlan plan = choose(makeProblem({4, 64, 64, 4}));
  // Two rows of 4 lanes' 16 bytes fill the banks if rows are 64 bytes apart.
  EXPECT_EQ(plan.getRowPitch({4, 64, 64, 4}, true, 2) * 2 % 128, 64);
}

TEST(GPUPlannerChoiceTest, RowsThatBeginAnywhereAreShifted) {
  GPUPlan plan = choose(makeProblem({2, 10, 11, 67}));
  // All columns are one slab: the last warp begins earlier.
  EXPECT_EQ(plan.j, 67);
  EXPECT_TRUE(plan.hasOverlappingWarps());
  EXPECT_TRUE(plan.shiftsRows({2, 10, 11, 67}, true, 2));
  EXPECT_TRUE(plan.stagesRows({2, 10, 11, 67}, true, 2));
  // Room for what a row begins behind a multiple of 16 bytes.
  EXPECT_GE(plan.getRowPitch({2, 10, 11, 67}, true, 2), plan.k * 67 + 8);
}

TEST(GPUPlannerChoiceTest, AlignedRowsAreNotShifted) {
  for (KSPattern p : {KSPattern{4, 64, 64, 4}, KSPattern{4, 64, 64, 1}}) {
    GPUPlan plan = choose(makeProblem(p));
    EXPECT_FALSE(plan.shiftsRows(p, true, 2));
    EXPECT_FALSE(plan.stagesRows(p, true, 2));
  }
}

TEST(GPUPlanTest, OverlappingWarpsNeedNewColumnsEach) {
  Problem problem = makeProblem({2, 10, 11, 67});
  GPUPlan plan = choose(problem);
  plan.entries = 8;
  plan.n = 16;
  plan.warpsM = plan.warpsN = 1;
  plan.vector = 16;
  plan.warpsJ = 5;
  EXPECT_EQ(checkGPUPlan(problem, plan), "");
  plan.warpsJ = 6;
  EXPECT_EQ(checkGPUPlan(problem, plan),
            "j is 67; expected vector * warps along j = 96");
}

//===----------------------------------------------------------------------===//
// Illegal plans
//===----------------------------------------------------------------------===//

std::string complain(void (*spoil)(Problem &, GPUPlan &)) {
  Problem problem = makeProblem({4, 64, 64, 4});
  GPUPlan plan;
  plan.fragments = {WarpInstruction::Mma16, 2, 2};
  plan.entries = 64;
  plan.n = 32;
  plan.k = 32;
  plan.j = plan.vector = 4;
  plan.warpsM = 4;
  plan.warpsN = 2;
  EXPECT_EQ(checkGPUPlan(problem, plan), "");
  spoil(problem, plan);
  return checkGPUPlan(problem, plan);
}

TEST(GPUPlanCheckTest, SaysWhatIsWrongWithActivationsInRegisters) {
  auto complain = [](void (*spoil)(GPUPlan &)) {
    Problem problem = makeProblem({2, 64, 64, 4});
    GPUPlan plan;
    plan.fragments = {WarpInstruction::WgmmaRS16, 2, 2};
    plan.entries = 128;
    plan.n = 32;
    plan.k = 32;
    plan.j = plan.vector = 4;
    plan.warpsM = 4;
    plan.cluster = 2;
    plan.isBulk = true;
    EXPECT_EQ(checkGPUPlan(problem, plan), "");
    spoil(plan);
    return checkGPUPlan(problem, plan);
  };
  auto expect = [&](void (*spoil)(GPUPlan &), const char *message) {
    std::string complaint = complain(spoil);
    EXPECT_NE(complaint.find(message), std::string::npos) << complaint;
  };
  expect([](GPUPlan &plan) { plan.isBulk = false; },
         "copies are cp_async with wgmma16_rs; expected bulk");
  expect([](GPUPlan &plan) { plan.warpsM = 2; },
         "warps are [2, 1, 1] with wgmma16_rs");
  expect([](GPUPlan &plan) { plan.stages = 1; },
         "stages is 1 with wgmma16_rs; expected at least 2");
  expect([](GPUPlan &plan) { plan.cluster = 3; },
         "cluster is 3; expected 1, 2, 4 or 8");
  expect([](GPUPlan &plan) { plan.cluster = 4; },
         "cluster is 4 with 2 blocks along n; expected a divisor");
  expect(
      [](GPUPlan &plan) {
        plan.fragments.runN = 4;
        plan.n = 24;
        plan.cluster = 1;
      },
      "number of n of a lane is 6; expected a multiple of 4");
}

TEST(GPUPlanCheckTest, SaysWhatIsWrongWithSplits) {
  Problem problem = makeProblem({2, 64, 64, 4});
  GPUPlan plan;
  plan.fragments = {WarpInstruction::Mma16, 1, 4};
  plan.entries = 64;
  plan.n = 64;
  plan.j = plan.vector = 4;
  plan.warpsM = 4;
  plan.splits = 2;
  EXPECT_EQ(checkGPUPlan(problem, plan), "");
  EXPECT_EQ(checkGPUPlan(problem, plan, *getGPUTarget("sm_80")),
            "splits is 2; expected 1 on sm_80");
  plan.splits = 4;
  EXPECT_EQ(checkGPUPlan(problem, plan),
            "number of n that a lane stores is 2; expected a multiple of 4");
}

TEST(GPUPlanCheckTest, LaterArchitecturesTakeMoreRegisters) {
  Problem problem = makeProblem({74, 104, 464, 4});
  problem.batchFirst = false;
  GPUPlan plan;
  plan.fragments.instruction = WarpInstruction::Mma16;
  plan.entries = 256;
  plan.n = 128;
  plan.vector = 8;
  plan.warpsM = 4;
  plan.warpsN = 2;
  EXPECT_EQ(checkGPUPlan(problem, plan, *getGPUTarget("sm_80")), "");
  std::string complaint = checkGPUPlan(problem, plan, *getGPUTarget("sm_120"));
  EXPECT_NE(complaint.find("expected at most 216 on sm_120"), std::string::npos)
      << complaint;
}

TEST(GPUPlanCheckTest, SaysWhatIsWrong) {
  auto expect = [](void (*spoil)(Problem &, GPUPlan &), const char *message) {
    std::string complaint = complain(spoil);
    EXPECT_NE(complaint.find(message), std::string::npos) << complaint;
  };
  expect([](Problem &p, GPUPlan &) { p.factors.push_back(p.factors[0]); },
         "there are 2 factors; expected one");
  expect([](Problem &, GPUPlan &plan) { plan.n = 0; },
         "n is 0; expected 1 to 2^20");
  expect([](Problem &, GPUPlan &plan) { plan.vector = 17; },
         "vector is 17; expected 1 to 16");
  expect([](Problem &, GPUPlan &plan) { plan.stages = 9; },
         "stages is 9; expected 1 to 8");
  expect([](Problem &p, GPUPlan &) { p.realBytes = 4; },
         "instruction is mma16 for elements of another type");
  expect(
      [](Problem &, GPUPlan &plan) {
        plan.fragments.instruction = WarpInstruction::Mma8;
      },
      "instruction is mma8 for another type or precision");
  expect(
      [](Problem &p, GPUPlan &plan) {
        p.realBytes = 4;
        plan.fragments.instruction = WarpInstruction::WgmmaRS8;
      },
      "instruction is wgmma8_rs for another type or precision");
  expect(
      [](Problem &p, GPUPlan &plan) {
        p.realBytes = 4;
        p.tf32 = true;
        plan.fragments.instruction = WarpInstruction::Mma16Split;
      },
      "instruction is mma16_split for another type or precision");
  expect(
      [](Problem &, GPUPlan &plan) {
        plan.fragments.instruction = WarpInstruction::Fma;
      },
      "instruction is fma for a 16-bit type");
  expect([](Problem &, GPUPlan &plan) { plan.n = 48; },
         "n is 48; expected a multiple of 32");
  expect([](Problem &, GPUPlan &plan) { plan.k = 24; },
         "k is 24; expected a multiple of 16");
  expect([](Problem &, GPUPlan &plan) { plan.cluster = 2; },
         "cluster is 2 with cp_async; expected 1");
  expect([](Problem &, GPUPlan &plan) { plan.j = 8; },
         "j is 8; expected vector * warps along j = 4");
  expect([](Problem &, GPUPlan &plan) { plan.batchBlocks = 0; },
         "batch_blocks is 0; expected 1 to 2^20");
  expect(
      [](Problem &p, GPUPlan &plan) {
        plan.isBulk = true;
        p.factors[0].pattern.c = 63;
        p.factors[0].pattern.d = plan.j = plan.vector = 3;
      },
      "bulk copies are of 48 of 378 bytes; expected multiples of 16");
  expect(
      [](Problem &, GPUPlan &plan) {
        plan.isBulk = true;
        plan.entries = 512;
        plan.warpsM = 8;
        plan.warpsN = 1;
        plan.n = 16;
      },
      "entries is 512 with bulk copies; expected at most 256");
  expect(
      [](Problem &, GPUPlan &plan) {
        plan.j = 8;
        plan.warpsJ = 2;
      },
      "run_k is 2 with several warps along j; expected 1");
  expect(
      [](Problem &p, GPUPlan &plan) {
        p.batchFirst = false;
        plan.entries = 128;
      },
      "expected 1 with layout batch_last");
  expect([](Problem &p, GPUPlan &) { p.factors[0].tiedD = true; },
         "expected what the weight is");
  expect([](Problem &, GPUPlan &plan) { plan.entries = 4096; },
         "a lane needs about");
}

} // namespace
