//===- FeatureOrderTest.cpp - Orders of features between kernels ----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an order is, is tested with patterns; here, what planner and grouping do
// with orders.
//
//===----------------------------------------------------------------------===//

#include "GroupingTestUtil.h"

#include "ks/Analysis/GPUPlanner.h"

#include "gtest/gtest.h"

#include <random>
#include <tuple>
#include <utility>
#include <vector>

using namespace ks;

namespace {

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

/// Between (a·p, r·q, c, 1), which writes, and (a, b, p·r, q), which reads.
std::pair<Problem, Problem> makeOrdered(const FeatureOrder &o, int64_t b,
                                        int64_t c) {
  Problem writer;
  writer.realBytes = 2;
  writer.batchFirst = true;
  writer.batch = 4096;
  Problem reader = writer;
  writer.factors.push_back({{o.a * o.p, o.r * o.q, c, 1}, false, false});
  writer.writes = o;
  reader.factors.push_back({{o.a, b, o.p * o.r, o.q}, false, false});
  reader.reads = o;
  return {writer, reader};
}

TEST(FeatureOrderTest, PlansAreLegalAndOfPlanes) {
  const GPUTarget sm90 = *getGPUTarget("sm_90");
  std::mt19937 random(3);
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int count = 0; count < 60; ++count) {
    // Rows of k are multiples of 16 bytes.
    FeatureOrder o{pick(1, 4), 8 * pick(1, 8), pick(1, 4), pick(2, 70)};
    auto [writer, reader] = makeOrdered(o, pick(1, 300), 8 * pick(1, 40));
    for (Problem *problem : {&writer, &reader}) {
      Problem::Factor &factor = problem->factors.front();
      factor.tiedA = pick(0, 3) == 0;
      factor.tiedD = problem->reads && pick(0, 3) == 0;
      problem->hasEpilogue = problem->reads && pick(0, 1);
      SCOPED_TRACE(testing::Message()
                   << o.a << "," << o.p << "," << o.r << "," << o.q << " reads "
                   << bool(problem->reads));
      auto plans = planForGPU(*problem, sm90, 3);
      ASSERT_FALSE(plans.empty());
      for (const auto &[plan, cost] : plans) {
        EXPECT_EQ(checkGPUPlan(*problem, plan, sm90), "");
        EXPECT_EQ(plan.planes, problem->reads ? o.q : o.p);
        EXPECT_EQ(plan.tiedD, problem->reads ? factor.tiedD : factor.tiedA);
        EXPECT_GT(cost.seconds, 0);
      }
    }
  }
}

TEST(FeatureOrderTest, ThereMayBeNoPlan) {
  const GPUTarget sm90 = *getGPUTarget("sm_90");
  auto [writer, reader] = makeOrdered({1, 64, 4, 64}, 172, 64);
  for (const Problem &problem : {writer, reader}) {
    EXPECT_FALSE(planForGPU(problem, sm90).empty());
    EXPECT_TRUE(planForGPU(problem, *getGPUTarget("sm_80")).empty());
    Problem single = problem;
    single.realBytes = 4;
    EXPECT_TRUE(planForGPU(single, sm90).empty());
    single.tf32 = true;
    EXPECT_TRUE(planForGPU(single, sm90).empty());
    Problem last = problem;
    last.batchFirst = false;
    EXPECT_TRUE(planForGPU(last, sm90).empty());
  }
  // Rows of k that are no multiple of 16 bytes.
  std::tie(writer, reader) = makeOrdered({1, 12, 1, 8}, 16, 20);
  EXPECT_TRUE(planForGPU(writer, sm90).empty());
  EXPECT_TRUE(planForGPU(reader, sm90).empty());
  // One plane.
  EXPECT_TRUE(
      planForGPU(makeOrdered({2, 1, 8, 4}, 16, 16).first, sm90).empty());
  EXPECT_TRUE(
      planForGPU(makeOrdered({2, 8, 2, 1}, 16, 16).second, sm90).empty());
}

TEST(FeatureOrderTest, OtherPlanesDoNotFit) {
  const GPUTarget sm90 = *getGPUTarget("sm_90");
  auto [writer, reader] = makeOrdered({1, 64, 4, 32}, 172, 64);
  GPUPlan plan = planForGPU(reader, sm90).front().plan;
  EXPECT_EQ(checkGPUPlan(reader, plan, sm90), "");
  plan.planes = 16;
  EXPECT_EQ(checkGPUPlan(reader, plan, sm90),
            "planes is 16; expected 32, which the order of features says");
  plan = planForGPU(writer, sm90).front().plan;
  EXPECT_TRUE((plan.getKernelPattern(writer.factors.front().pattern) ==
               KSPattern{1, 128, 64, 64}));
  writer.writes.reset();
  EXPECT_EQ(checkGPUPlan(writer, plan, sm90),
            "planes is 64; expected 0, which the order of features does not "
            "ask for");
}

//===----------------------------------------------------------------------===//
// Groupings
//===----------------------------------------------------------------------===//

Problem makeChain(llvm::ArrayRef<Problem::Factor> factors, int64_t batch,
                  int64_t bytes) {
  Problem problem;
  problem.factors.assign(factors.begin(), factors.end());
  problem.batch = batch;
  problem.realBytes = bytes;
  return problem;
}

/// One for each kernel, and what is asked for an order of the features between
/// two, which are kernels with one group each.
class OrderCosts : public KernelCosts {
public:
  explicit OrderCosts(double ordered) : ordered(ordered) {}

  std::optional<double> predict(llvm::ArrayRef<FactorGroup> groups) override {
    if (isOrderedPair(groups))
      return ordered;
    return groups.size() == 1 ? std::optional(1.0) : std::nullopt;
  }
  double bound(llvm::ArrayRef<FactorGroup> groups) override {
    return isOrderedPair(groups) ? ordered * 0.9 : 0.9;
  }
  unsigned getMaxGroups() const override { return 1; }
  bool canOrder(const FactorGroup &writer, const FactorGroup &reader) override {
    return getOrder(reader.factor.pattern, writer.factor.pattern).has_value();
  }

private:
  double ordered;
};

TEST(FeatureOrderTest, OrdersFeaturesWhereThatIsFaster) {
  GroupingProblem problem = makeProblem(
      {factor(64, 256, 64, 1), factor(1, 172, 256, 64)}, /*isMergeable=*/false);
  OrderCosts faster(1.5);
  Grouping grouping = groupFactors(problem, faster).best;
  checkCovers(problem, grouping);
  ASSERT_EQ(grouping.kernels.size(), 1u);
  EXPECT_TRUE(isOrderedPair(grouping.kernels.front()));
  EXPECT_TRUE(grouping.kernels.front().front().writesOrder);
  EXPECT_FALSE(grouping.kernels.front().back().writesOrder);
  EXPECT_DOUBLE_EQ(grouping.seconds, 1.5);

  OrderCosts slower(2.5);
  GroupingResult result = groupFactors(problem, slower);
  checkCovers(problem, result.best);
  EXPECT_EQ(result.best.kernels.size(), 2u);
  for (const FactorKernel &kernel : result.best.kernels)
    EXPECT_FALSE(isOrderedPair(kernel));
  // What it would have cost is told.
  bool isTold = false;
  for (const Alternative &other : result.rejected)
    if (other.name == kOrderedWay) {
      isTold = true;
      EXPECT_DOUBLE_EQ(other.grouping.seconds, 2.5);
      checkCovers(problem, other.grouping);
    }
  EXPECT_TRUE(isTold);
}

TEST(FeatureOrderTest, OrdersAreBetweenTwo) {
  // Each of three could have an order with the next one.
  GroupingProblem problem = makeProblem(
      {factor(64, 32, 32, 1), factor(2, 32, 32, 32), factor(1, 16, 16, 128)},
      /*isMergeable=*/false);
  OrderCosts costs(1.5);
  Grouping grouping = groupFactors(problem, costs).best;
  checkCovers(problem, grouping);
  ASSERT_EQ(grouping.kernels.size(), 2u);
  EXPECT_TRUE(isOrderedPair(grouping.kernels[0]));
  EXPECT_EQ(grouping.kernels[1].size(), 1u);
  // None where no pair has columns.
  problem = makeProblem({factor(2, 256, 256, 1), factor(1, 512, 512, 1)},
                        /*isMergeable=*/false);
  GroupingResult result = groupFactors(problem, costs);
  EXPECT_EQ(result.best.kernels.size(), 2u);
  for (const Alternative &other : result.rejected)
    EXPECT_NE(other.name, kOrderedWay);
}

TEST(FeatureOrderTest, OrderedPairsAreTwoKernels) {
  std::vector<Problem::Factor> chain{factor(64, 256, 64, 1),
                                     factor(1, 172, 256, 64)};
  FactorKernel kernel{*makeGroup(chain, 0, 1, false),
                      *makeGroup(chain, 1, 1, false)};
  EXPECT_FALSE(isOrderedPair(kernel));
  FactorKernel fused = kernel;
  kernel.front().writesOrder = true;
  EXPECT_TRUE(isOrderedPair(kernel));
  EXPECT_FALSE(isOrderedPair(llvm::ArrayRef(kernel).take_front()));
  EXPECT_FALSE(kernel == fused);
}

TEST(FeatureOrderTest, KnowsWhereOrdersAre) {
  std::vector<Problem::Factor> factors{factor(64, 256, 64, 1),
                                       factor(1, 172, 256, 64)};
  FactorGroup writer = *makeGroup(factors, 0, 1, false),
              reader = *makeGroup(factors, 1, 1, false);
  FactorKernel pair{writer, reader};
  pair.front().writesOrder = true;
  auto canOrder = [&](const Problem &chain, llvm::StringRef target) {
    return createGPUCosts(chain, *getGPUTarget(target))
        ->canOrder(writer, reader);
  };
  Problem chain = makeChain(factors, 4096, 2);
  EXPECT_TRUE(canOrder(chain, "sm_90"));
  EXPECT_FALSE(canOrder(chain, "sm_80"));
  EXPECT_FALSE(canOrder(makeChain(factors, 4096, 4), "sm_90"));
  EXPECT_FALSE(canOrder(makeChain(factors, 1, 2), "sm_90"));
  Problem last = chain;
  last.batchFirst = false;
  EXPECT_FALSE(canOrder(last, "sm_90"));
  Problem converting = chain;
  converting.convertedBytes = 4;
  EXPECT_FALSE(canOrder(converting, "sm_90"));

  auto costs = createGPUCosts(chain, *getGPUTarget("sm_90"));
  std::optional<double> seconds = costs->predict(pair);
  ASSERT_TRUE(seconds);
  EXPECT_LE(costs->bound(pair), *seconds);
  // Planes of 20 k have no plan, and so no price.
  factors = {factor(64, 256, 20, 1), factor(1, 172, 256, 64)};
  pair[0].factor = factors[0];
  auto others =
      createGPUCosts(makeChain(factors, 4096, 2), *getGPUTarget("sm_90"));
  EXPECT_EQ(others->predict(pair), std::nullopt);
}

} // namespace
