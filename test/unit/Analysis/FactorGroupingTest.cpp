//===- FactorGroupingTest.cpp - Tests of the grouping of factors ----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Groupings are compared with the best of all there are, for random costs.
//
//===----------------------------------------------------------------------===//

#include "GroupingTestUtil.h"

#include "ks/Analysis/CPUPlanner.h"
#include "ks/Analysis/GPUPlanner.h"

#include "gtest/gtest.h"

#include <limits>
#include <map>
#include <random>
#include <vector>

using namespace ks;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// N = 2^count, as count factors of 2×2 blocks.
std::vector<Problem::Factor> dyadic(unsigned count) {
  std::vector<Problem::Factor> factors;
  for (unsigned t = 0; t < count; ++t)
    factors.push_back(
        factor(int64_t(1) << (count - 1 - t), 2, 2, int64_t(1) << t));
  return factors;
}

/// A random cost for each kernel, some of which do not exist.
class RandomCosts : public KernelCosts {
public:
  RandomCosts(unsigned seed, unsigned maxGroups)
      : seed(seed), maxGroups(maxGroups) {}

  std::optional<double> predict(llvm::ArrayRef<FactorGroup> groups) override {
    ++asked;
    double cost = get(groups);
    return cost == kNever ? std::nullopt : std::optional(cost);
  }
  double bound(llvm::ArrayRef<FactorGroup> groups) override {
    double cost = get(groups);
    return cost == kNever ? 0.5 : cost * 0.7;
  }
  unsigned getMaxGroups() const override { return maxGroups; }

  /// The same whenever it is asked for.
  double get(llvm::ArrayRef<FactorGroup> groups) const {
    std::vector<uint32_t> key{seed};
    for (const FactorGroup &group : groups)
      key.insert(key.end(), {group.first, group.count, group.isDense});
    std::seed_seq sequence(key.begin(), key.end());
    std::mt19937 random(sequence);
    bool isAlone = groups.size() == 1 && groups.front().count == 1;
    if (!isAlone && random() % 4 == 0)
      return kNever;
    // A launch, and something.
    return 1 + static_cast<double>(random() % 1000) / 250;
  }

  unsigned asked = 0;

private:
  unsigned seed, maxGroups;
};

/// The least cost of all ways to run factors from `first` on.
double findBest(const GroupingProblem &problem, const RandomCosts &costs,
                unsigned first, FactorKernel open = {}) {
  auto size = static_cast<unsigned>(problem.factors.size());
  double best = kNever;
  if (!open.empty())
    best =
        costs.get(open) + (first == size ? 0 : findBest(problem, costs, first));
  if (first == size || open.size() == costs.getMaxGroups())
    return best;
  for (unsigned count = 1; first + count <= size; ++count)
    for (bool isDense : {false, true}) {
      bool isAllowed = count == 1;
      if (count > 1) {
        isAllowed = true;
        for (unsigned t = first; t < first + count; ++t)
          isAllowed &= problem.isMergeable[t];
      }
      auto group = makeGroup(problem.factors, first, count, isDense);
      auto product = makeGroup(problem.factors, first, count, false);
      bool isWhole = count == size;
      bool isSame = product && product->factor.pattern.a == 1 &&
                    product->factor.pattern.d == 1;
      if (!isAllowed || !group || (isDense && count == 1) ||
          (isDense && product && (!isWhole || isSame)))
        continue;
      FactorKernel next = open;
      next.push_back(*group);
      best = std::min(best, findBest(problem, costs, first + count, next));
    }
  return best;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

TEST(FactorGrouping, MakesProducts) {
  auto chain = dyadic(4);
  std::optional<FactorGroup> group = makeGroup(chain, 1, 2, false);
  ASSERT_TRUE(group);
  EXPECT_TRUE((group->factor.pattern == KSPattern{2, 4, 4, 2}));
  group = makeGroup(chain, 1, 2, true);
  ASSERT_TRUE(group);
  EXPECT_TRUE((group->factor.pattern == KSPattern{1, 16, 16, 1}));
}

TEST(FactorGrouping, HasNoProductOfFactorsThatAreNotChainable) {
  std::vector<Problem::Factor> chain{factor(6, 64, 256, 1),
                                     factor(1, 128, 128, 3)};
  EXPECT_FALSE(makeGroup(chain, 0, 2, false));
  std::optional<FactorGroup> dense = makeGroup(chain, 0, 2, true);
  ASSERT_TRUE(dense);
  EXPECT_TRUE((dense->factor.pattern == KSPattern{1, 384, 1536, 1}));
}

TEST(FactorGrouping, ProductsAreTiedWhereAllFactorsAre) {
  auto chain = dyadic(3);
  chain[0].tiedA = chain[1].tiedA = chain[1].tiedD = chain[2].tiedD = true;
  EXPECT_TRUE(makeGroup(chain, 0, 2, false)->factor.tiedA);
  EXPECT_FALSE(makeGroup(chain, 0, 2, false)->factor.tiedD);
  EXPECT_TRUE(makeGroup(chain, 1, 2, false)->factor.tiedD);
  EXPECT_FALSE(makeGroup(chain, 0, 3, true)->factor.tiedD);
}

//===----------------------------------------------------------------------===//
// Random costs
//===----------------------------------------------------------------------===//

TEST(FactorGrouping, IsTheBestOfAll) {
  std::mt19937 random(1);
  for (unsigned round = 0; round < 300; ++round) {
    unsigned count = 1 + random() % 6;
    GroupingProblem problem = makeProblem(dyadic(count));
    for (unsigned t = 0; t < count; ++t)
      problem.isMergeable[t] = random() % 5 != 0;
    // Some neighbours are not chainable.
    if (count > 2 && random() % 3 == 0)
      std::reverse(problem.factors.begin() + 1, problem.factors.end());
    RandomCosts costs(round, 1 + random() % 4);
    GroupingResult result = groupFactors(problem, costs);
    checkCovers(problem, result.best);
    double total = 0;
    for (const FactorKernel &kernel : result.best.kernels)
      total += costs.get(kernel);
    EXPECT_DOUBLE_EQ(total, result.best.seconds);
    EXPECT_DOUBLE_EQ(findBest(problem, costs, 0), result.best.seconds)
        << "round " << round;
    for (const Alternative &other : result.rejected)
      EXPECT_GE(other.grouping.seconds, result.best.seconds)
          << other.name.str();
  }
}

TEST(FactorGrouping, AsksForFewKernels) {
  GroupingProblem problem = makeProblem(dyadic(8));
  RandomCosts costs(7, 1);
  groupFactors(problem, costs);
  EXPECT_LT(costs.asked, 30u); // of 36, the alternatives included
}

/// A launch for each kernel, and something for each 16×16 block.
class BlockCosts : public KernelCosts {
public:
  std::optional<double> predict(llvm::ArrayRef<FactorGroup> groups) override {
    ++asked;
    double cost = 1;
    for (const FactorGroup &group : groups) {
      const KSPattern &p = group.factor.pattern;
      cost += 1e-3 * static_cast<double>((p.b + 15) / 16 * ((p.c + 15) / 16) *
                                         p.a * p.d);
    }
    return cost;
  }
  double bound(llvm::ArrayRef<FactorGroup>) override { return 1; }
  unsigned getMaxGroups() const override { return 8; }
  int64_t getBlockSize() const override { return blockSize; }

  int64_t blockSize = 16;
  unsigned asked = 0;
};

TEST(FactorGrouping, GroupsWithManyBlocksAreLeftOut) {
  GroupingProblem problem = makeProblem(dyadic(10));
  BlockCosts costs, all;
  all.blockSize = 1;
  GroupingResult result = groupFactors(problem, costs, /*isExplained=*/false);
  EXPECT_TRUE(result.best ==
              groupFactors(problem, all, /*isExplained=*/false).best);
  // One kernel, and two of 16×64 to 64×16, together or apart.
  EXPECT_LE(costs.asked, 10u);
  EXPECT_GE(all.asked, 100u);
}

TEST(FactorGrouping, BlocksLeaveAWayForAllChains) {
  std::mt19937 random(2);
  for (unsigned round = 0; round < 200; ++round) {
    GroupingProblem problem = makeProblem(dyadic(1 + random() % 9));
    for (size_t t = 0; t < problem.factors.size(); ++t) {
      problem.isMergeable[t] = random() % 4 != 0;
      problem.factors[t].tiedA = random() % 4 == 0;
      problem.factors[t].tiedD = random() % 4 == 0;
    }
    if (problem.factors.size() > 2 && random() % 3 == 0)
      std::reverse(problem.factors.begin() + 1, problem.factors.end());
    BlockCosts costs, all;
    all.blockSize = 1;
    GroupingResult result = groupFactors(problem, costs, /*isExplained=*/false);
    checkCovers(problem, result.best);
    // What takes as long as it has blocks is found.
    EXPECT_DOUBLE_EQ(
        result.best.seconds,
        groupFactors(problem, all, /*isExplained=*/false).best.seconds)
        << "round " << round;
  }
}

TEST(FactorGrouping, MergesNothingWithoutPermission) {
  GroupingProblem problem = makeProblem(dyadic(5), /*isMergeable=*/false);
  RandomCosts costs(3, 1);
  GroupingResult result = groupFactors(problem, costs);
  EXPECT_EQ(result.best.kernels.size(), 5u);
  EXPECT_FALSE(result.best.hasMerged());
  EXPECT_TRUE(result.rejected.empty());
}

//===----------------------------------------------------------------------===//
// Planners
//===----------------------------------------------------------------------===//

Problem makeChain(llvm::ArrayRef<Problem::Factor> factors, int64_t batch,
                  int64_t bytes) {
  Problem problem;
  problem.factors.assign(factors.begin(), factors.end());
  problem.batch = batch;
  problem.realBytes = bytes;
  return problem;
}

TEST(FactorGrouping, MergesDyadicChainsOnGPUs) {
  Problem chain = makeChain(dyadic(10), 4096, 2);
  auto costs = createGPUCosts(chain, *getGPUTarget("sm_90"));
  GroupingResult result = groupFactors(makeProblem(chain.factors), *costs);
  EXPECT_LE(result.best.kernels.size(), 3u);
  bool toldApart = false;
  for (const Alternative &other : result.rejected) {
    toldApart |= other.name == kApartWay;
    EXPECT_GT(other.grouping.seconds, result.best.seconds) << other.name.str();
  }
  EXPECT_TRUE(toldApart);
}

TEST(FactorGrouping, GoesDenseWhereThatIsFaster) {
  // Two small factors that share nothing but their sizes: a launch counts.
  Problem chain =
      makeChain({factor(3, 16, 16, 1), factor(1, 16, 16, 3)}, 16, 2);
  auto costs = createGPUCosts(chain, *getGPUTarget("sm_90"));
  GroupingResult result = groupFactors(makeProblem(chain.factors), *costs);
  EXPECT_EQ(result.best.kernels.size(), 1u);
  EXPECT_TRUE(result.best.hasDense());
}

TEST(FactorGrouping, KnowsWhatALibraryTakes) {
  Problem chain =
      makeChain({factor(1, 2048, 2048, 1), factor(1, 2048, 2048, 1)}, 4096, 2);
  auto costs = createGPUCosts(chain, *getGPUTarget("sm_90:library=none"));
  auto library = createGPUCosts(chain, *getGPUTarget("sm_90"));
  std::optional<FactorGroup> dense =
      makeGroup(chain.factors, 0, 2, /*isDense=*/true);
  EXPECT_FALSE(costs->usesLibrary(*dense));
  EXPECT_TRUE(library->usesLibrary(*dense));
  EXPECT_LT(*library->predict(*dense), *costs->predict(*dense));
  EXPECT_LE(library->bound(*dense), *library->predict(*dense));
  // A kernel of both factors is ours.
  FactorKernel both{*makeGroup(chain.factors, 0, 1, false),
                    *makeGroup(chain.factors, 1, 1, false)};
  EXPECT_FALSE(library->usesLibrary(both));
}

TEST(FactorGrouping, KnowsWhatABlasTakes) {
  Problem chain =
      makeChain({factor(1, 2048, 2048, 1), factor(1, 2048, 2048, 1)}, 512, 4);
  chain.batchFirst = false;
  auto costs = createCPUCosts(chain, *getCPUTarget("x86-64-v4"));
  auto library = createCPUCosts(chain, *getCPUTarget("x86-64-v4:library=blas"));
  FactorKernel first{*makeGroup(chain.factors, 0, 1, false)};
  FactorKernel both{*makeGroup(chain.factors, 0, 1, false),
                    *makeGroup(chain.factors, 1, 1, false)};
  EXPECT_FALSE(costs->usesLibrary(first));
  EXPECT_TRUE(library->usesLibrary(first));
  EXPECT_FALSE(library->usesLibrary(both));
  // Beside it, our own kernels have the price they are worth.
  EXPECT_GT(*library->predict(both), *costs->predict(both));
}

TEST(FactorGrouping, KeepsWhatWouldBecomeMuchMoreWork) {
  std::vector<Problem::Factor> monarch{factor(64, 64, 64, 1),
                                       factor(1, 64, 64, 64)};
  Problem chain = makeChain(monarch, 25088, 2);
  auto costs = createGPUCosts(chain, *getGPUTarget("sm_90"));
  GroupingResult result = groupFactors(makeProblem(chain.factors), *costs);
  // Fused, through planes, but as two factors.
  ASSERT_EQ(result.best.kernels.size(), 1u);
  EXPECT_EQ(result.best.kernels.front().size(), 2u);
  EXPECT_FALSE(result.best.hasMerged());
}

TEST(FactorGrouping, IsOneKernelOnCPUs) {
  Problem chain = makeChain(dyadic(10), 512, 4);
  CPUTarget target = *getCPUTarget("x86-64-v3");
  auto costs = createCPUCosts(chain, target);
  GroupingResult result = groupFactors(makeProblem(chain.factors), *costs);
  ASSERT_EQ(result.best.kernels.size(), 1u);
  EXPECT_TRUE(result.best.hasMerged());
  // What is predicted is what the planner says of it.
  Problem kernel = getKernelProblem(chain, result.best.kernels.front());
  EXPECT_DOUBLE_EQ(planForCPU(kernel, target).front().seconds,
                   result.best.seconds);
}

TEST(FactorGrouping, GroupsLongChains) {
  Problem chain = makeChain(dyadic(20), 16, 4);
  CPUTarget target = *getCPUTarget("x86-64-v3");
  auto costs = createCPUCosts(chain, target);
  GroupingProblem problem = makeProblem(chain.factors);
  GroupingResult result = groupFactors(problem, *costs);
  checkCovers(problem, result.best);
  EXPECT_EQ(result.best.kernels.size(), 1u);
}

TEST(FactorGrouping, ConvertsAtTheEnds) {
  Problem chain = makeChain(dyadic(4), 512, 2);
  chain.convertedBytes = 4;
  chain.storedBytes = 8;
  chain.hasEpilogue = true;
  auto getPart = [&](unsigned first, unsigned count) {
    return getKernelProblem(chain,
                            *makeGroup(chain.factors, first, count, false));
  };
  EXPECT_EQ(getPart(0, 2).convertedBytes, 4);
  EXPECT_EQ(getPart(0, 2).storedBytes, 0);
  EXPECT_EQ(getPart(1, 2).convertedBytes, 0);
  EXPECT_EQ(getPart(1, 2).storedBytes, 0);
  EXPECT_EQ(getPart(2, 2).convertedBytes, 0);
  EXPECT_EQ(getPart(2, 2).storedBytes, 8);
  EXPECT_TRUE(getPart(2, 2).hasEpilogue);
  EXPECT_EQ(getPart(0, 4).convertedBytes, 4);
  EXPECT_EQ(getPart(0, 4).storedBytes, 8);
}

TEST(FactorGrouping, BoundsAreBounds) {
  for (int64_t bytes : {2, 4})
    for (int64_t batch : {8, 512, 4096})
      for (const char *name :
           {"sm_80", "sm_90", "sm_90:library=none", "sm_120"}) {
        Problem chain = makeChain(dyadic(8), batch, bytes);
        if (batch == 512) // Between f16 and f32, at both ends.
          chain.convertedBytes = chain.storedBytes = 6 - bytes;
        auto costs = createGPUCosts(chain, *getGPUTarget(name));
        for (unsigned first : {0, 2, 4})
          for (unsigned count = 1; first + count <= 8; count += 2) {
            FactorGroup group = *makeGroup(chain.factors, first, count, false);
            EXPECT_LE(costs->bound(group), *costs->predict(group));
            if (group.end() == 8)
              continue;
            FactorGroup next =
                *makeGroup(chain.factors, group.end(), 8 - group.end(), false);
            FactorKernel kernel{group, next};
            if (std::optional<double> fused = costs->predict(kernel))
              EXPECT_LE(costs->bound(kernel), *fused);
          }
      }
}

} // namespace
