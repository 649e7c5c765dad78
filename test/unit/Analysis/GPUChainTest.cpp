//===- GPUChainTest.cpp - Plans for chains on GPUs ------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUChain.h"

#include "gtest/gtest.h"

#include <random>
#include <set>

using namespace ks;

namespace {

/// Random chains that may fit a kernel: neighbours share a size, and patterns
/// are any divisors of it.
class Generator {
public:
  explicit Generator(unsigned seed) : random(seed) {}

  Problem draw() {
    Problem problem;
    switch (pick(4)) {
    case 0:
    case 1:
      problem.realBytes = 2;
      break;
    case 2:
      problem.tf32 = pick(2);
      break;
    case 3:
      problem.isComplex = pick(2);
      problem.realBytes = problem.accumulatorBytes = 8;
      break;
    }
    problem.batchFirst = pick(2);
    problem.hasEpilogue = pick(2);
    static constexpr int64_t batches[] = {0, 1, 7, 64, 4096, 1000003};
    if (pick(4) != 0)
      problem.batch = batches[pick(std::size(batches))];
    int64_t features = drawSize() * drawSize() * drawSize();
    for (int64_t count = 2 + pick(3); count > 0; --count) {
      KSPattern p;
      p.d = drawDivisor(features);
      p.a = drawDivisor(features / p.d);
      p.c = features / p.d / p.a;
      p.b = drawSize();
      features = p.outFeatures();
      problem.factors.push_back({p, pick(6) == 0, pick(6) == 0});
    }
    return problem;
  }

private:
  int64_t pick(int64_t count) {
    return std::uniform_int_distribution<int64_t>(0, count - 1)(random);
  }
  int64_t drawSize() { return int64_t{1} << pick(4) | pick(3); }
  int64_t drawDivisor(int64_t number) {
    for (;;) {
      int64_t divisor = 1 + pick(std::min<int64_t>(number, 32));
      if (number % divisor == 0)
        return divisor;
    }
  }
  std::mt19937 random;
};

GPUTarget getTarget(const char *name) { return *getGPUTarget(name); }

/// Sizes of a plan's memory, that every element of a tile has a place of its
/// own in it, and that what a lane stores at a time lies there together.
void checkBuffers(const Problem &problem, const GPUChainPlan &plan) {
  bool batchFirst = problem.batchFirst;
  size_t count = plan.factors.size() + (plan.isStaged ? 1 : 0);
  for (size_t number = 0; number < count; ++number) {
    ChainBuffer buffer = plan.getBuffer(problem, number);
    int64_t features = buffer.a * buffer.c * buffer.d;
    if (number == plan.factors.size())
      ASSERT_EQ(features, problem.factors.back().pattern.outFeatures());
    else if (!plan.isStreamed() || number > 0)
      ASSERT_EQ(features, plan.getPattern(problem, number).inFeatures());
    std::set<std::pair<int64_t, int64_t>> places;
    for (int64_t feature = 0; feature < features; ++feature)
      for (int64_t entry : {int64_t{0}, plan.entries / 2, plan.entries - 1}) {
        ChainBuffer::Place place = buffer.getPlace(feature, entry, batchFirst);
        ASSERT_LT(place.block, plan.cluster);
        ASSERT_LT(place.element, buffer.getElements(batchFirst));
        places.insert({place.block, place.element});
      }
    int64_t entries = plan.entries > 2 ? 3 : plan.entries;
    ASSERT_EQ(static_cast<int64_t>(places.size()), features * entries);
    if (number == 0 || !batchFirst)
      continue;
    const GPUChainFactor &factor = plan.factors[number - 1];
    KSPattern p = plan.getPattern(problem, number - 1);
    int64_t run =
        getStoreRun(p, factor.fragments, factor.vector, buffer, batchFirst, 8);
    // A lane's pieces begin at a multiple of its n, and of its columns.
    int64_t columns = factor.vector == p.d ? factor.fragments.runN * p.d
                                           : std::min(factor.vector, p.d);
    for (int64_t feature = 0; feature + run <= features; feature += run) {
      if (feature % std::max(columns, run) + run > std::max(columns, run))
        continue;
      ChainBuffer::Place first = buffer.getPlace(feature, 0, batchFirst);
      ChainBuffer::Place last =
          buffer.getPlace(feature + run - 1, 0, batchFirst);
      ASSERT_EQ(first.block, last.block);
      ASSERT_EQ(last.element - first.element, run - 1);
      ASSERT_EQ(first.element % run, 0);
    }
  }
}

TEST(GPUChain, ResultsOfAnotherType) {
  Generator generator(2);
  int64_t planned = 0, staged = 0;
  GPUTarget target = getTarget("sm_90");
  for (int number = 0; number < 30; ++number) {
    Problem problem = generator.draw();
    if (problem.isComplex)
      continue;
    for (int64_t bytes : {2, 4, 8}) {
      problem.storedBytes = bytes;
      for (const auto &[plan, cost] : planChainForGPU(problem, target, 5)) {
        EXPECT_EQ(checkGPUChainPlan(problem, plan, target), "");
        EXPECT_GE(cost.seconds,
                  boundGPUChain(problem, target,
                                problem.batch.value_or(kAssumedGPUBatch)));
        checkBuffers(problem, plan);
        ++planned;
        if (!plan.isStaged)
          continue;
        // Rows of the result lie as they go to memory.
        ++staged;
        ChainBuffer rows = plan.getBuffer(problem, plan.factors.size());
        EXPECT_EQ(rows.pitch * bytes % 16, 0);
        std::array<int64_t, 3> begin = plan.getBufferBytes(problem);
        size_t which = plan.factors.size() % 2;
        EXPECT_GE(begin[which + 1] - begin[which],
                  rows.getElements(true) * bytes);
      }
    }
  }
  EXPECT_GT(planned, 100);
  EXPECT_GT(staged, 0);
}

TEST(GPUChain, PlansAreLegalAndSorted) {
  Generator generator(1);
  int64_t planned = 0, clusters = 0;
  for (int number = 0; number < 60; ++number) {
    Problem problem = generator.draw();
    for (const char *name : {"sm_80", "sm_86", "sm_90"}) {
      GPUTarget target = getTarget(name);
      std::vector<RankedGPUChainPlan> ranked =
          planChainForGPU(problem, target, 5);
      for (size_t at = 0; at < ranked.size(); ++at) {
        const GPUChainPlan &plan = ranked[at].plan;
        EXPECT_EQ(checkGPUChainPlan(problem, plan, target), "");
        EXPECT_GE(ranked[at].cost.seconds,
                  boundGPUChain(problem, target,
                                problem.batch.value_or(kAssumedGPUBatch)));
        if (at > 0) {
          EXPECT_LE(ranked[at - 1].cost.seconds, ranked[at].cost.seconds);
          EXPECT_FALSE(plan == ranked[at - 1].plan);
        }
        if (target.capability < 90)
          EXPECT_EQ(plan.cluster, 1);
        checkBuffers(problem, plan);
        clusters += plan.cluster > 1;
      }
      planned += !ranked.empty();
    }
  }
  EXPECT_GT(planned, 100);
  EXPECT_GT(clusters, 0);
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

/// A feature: row `row`, of as many as a group has, and column `j` of group
/// `i`.
struct Feature {
  int64_t i, row, j;
};

/// Feature `feature` of slice `s`, with `rows` rows, whose group and column are
/// those of the whole factor.
Feature findFeature(const ChainSlice &slice, int64_t rows, int64_t s,
                    int64_t feature) {
  const KSPattern &own = slice.pattern;
  return {feature / (rows * own.d) + s / slice.columnSlices * own.a,
          feature / own.d % rows,
          feature % own.d +
              s % slice.columnSlices % slice.slicesOfPart * own.d};
}

/// The feature that factor `number` writes as `feature` of slice `s`.
int64_t getOutput(const Problem &problem, const GPUChainPlan &plan,
                  size_t number, int64_t s, int64_t feature) {
  const KSPattern &p = problem.factors[number].pattern;
  ChainSlice slice = plan.getSlice(problem, number);
  auto [i, n, j] = findFeature(slice, slice.pattern.b, s, feature);
  int64_t part = s % slice.columnSlices / slice.slicesOfPart;
  n = n / slice.run * slice.run * slice.parts + part * slice.run +
      n % slice.run;
  return (i * p.b + n) * p.d + j;
}

/// The feature that factor `number` reads as `feature` of slice `s`; it needs
/// all k.
int64_t getInput(const Problem &problem, const GPUChainPlan &plan,
                 size_t number, int64_t s, int64_t feature) {
  const KSPattern &p = problem.factors[number].pattern;
  ChainSlice slice = plan.getSlice(problem, number);
  auto [i, k, j] = findFeature(slice, slice.pattern.c, s, feature);
  return (i * p.c + k) * p.d + j;
}

/// Slices read what they wrote, and share out the results.
void checkSlices(const Problem &problem, int64_t slices) {
  GPUChainPlan plan;
  plan.slices = slices;
  plan.factors.resize(problem.factors.size());
  std::set<int64_t> results;
  size_t last = plan.factors.size() - 1;
  int64_t own = plan.getPattern(problem, last).outFeatures();
  for (int64_t s = 0; s < slices; ++s) {
    for (size_t number = 0; number < last; ++number) {
      int64_t features = plan.getPattern(problem, number).outFeatures();
      ASSERT_EQ(features, plan.getPattern(problem, number + 1).inFeatures());
      for (int64_t feature = 0; feature < features; ++feature)
        ASSERT_EQ(getOutput(problem, plan, number, s, feature),
                  getInput(problem, plan, number + 1, s, feature))
            << slices << " slices: " << s << ", " << feature;
    }
    for (int64_t feature = 0; feature < own; ++feature)
      results.insert(getOutput(problem, plan, last, s, feature));
  }
  int64_t all = problem.factors.back().pattern.outFeatures();
  EXPECT_EQ(own * slices, all);
  EXPECT_EQ(static_cast<int64_t>(results.size()), all);
}

TEST(GPUChain, SlicesAreChains) {
  std::mt19937 random(3);
  auto draw = [&](int64_t most) {
    return std::uniform_int_distribution<int64_t>(1, most)(random);
  };
  for (int count = 0; count < 100 && !HasFailure(); ++count) {
    int64_t a = draw(3), groups = draw(4), rank = draw(3), d = draw(8),
            ratio = draw(12);
    Problem problem;
    problem.factors.push_back({{a * groups, rank * ratio, draw(3), d}});
    problem.factors.push_back({{a, draw(3), groups * rank, d * ratio}});
    for (int64_t columns = 1; columns <= d * ratio; ++columns)
      if (d * ratio % columns == 0 && (columns % d == 0 || d % columns == 0))
        checkSlices(problem, a * (d * ratio / columns));
  }
}

/// Of any number of factors, chainable or not, along groups.
TEST(GPUChain, SlicesAlongGroups) {
  Problem problem;
  problem.factors.push_back({{12, 5, 4, 1}});
  problem.factors.push_back({{12, 2, 5, 1}});
  problem.factors.push_back({{6, 7, 2, 2}});
  for (int64_t slices : {1, 2, 3, 6})
    checkSlices(problem, slices);
}

/// (64, 64, 64, 1), (1, 64, 64, 64) on four blocks of 32 entries.
Problem getMonarch(GPUChainPlan &plan) {
  Problem problem;
  problem.realBytes = 2;
  problem.batch = 4096;
  problem.factors.push_back({{64, 64, 64, 1}});
  problem.factors.push_back({{1, 64, 64, 64}});
  GPUChainFactor factor;
  factor.fragments = {WarpInstruction::Mma16, 2, 8};
  factor.entries = 32;
  factor.n = 64;
  plan.factors = {factor, factor};
  plan.factors[1].fragments = {WarpInstruction::Mma16, 1, 1};
  plan.factors[1].vector = 4;
  plan.factors[1].n = 16;
  plan.entries = 32;
  plan.cluster = 4;
  plan.warps = 8;
  plan.isStaged = true;
  return problem;
}

TEST(GPUChain, ExampleOfTheHeader) {
  GPUChainPlan plan;
  Problem problem = getMonarch(plan);
  ASSERT_EQ(checkGPUChainPlan(problem, plan), "");
  ChainBuffer second = plan.getBuffer(problem, 1);
  EXPECT_TRUE(second.isAlongJ);
  EXPECT_EQ(second.ownD(), 16);
  // Feature k 64 + 16 rank + j is element k slab + j of block rank.
  ChainBuffer::Place place = second.getPlace(5 * 64 + 2 * 16 + 3, 0, true);
  EXPECT_EQ(place.block, 2);
  EXPECT_EQ(place.element, 5 * second.slab + 3);
  // Groups of the first one are shared out in order.
  place = plan.getBuffer(problem, 0).getPlace(17 * 64 + 1, 0, true);
  EXPECT_EQ(place.block, 1);
  std::array<int64_t, 4> tasks = plan.getTasks(problem, 1);
  EXPECT_EQ(tasks, (std::array<int64_t, 4>{1, 4, 4, 1}));
}

TEST(GPUChain, ShortPiecesForOtherBlocksCost) {
  GPUChainPlan plan;
  Problem problem = getMonarch(plan);
  GPUTarget target = getTarget("sm_90");
  double wide = predictGPUChain(problem, plan, target, 4096).seconds;
  plan.factors[1].vector = 1;
  ASSERT_EQ(checkGPUChainPlan(problem, plan, target), "");
  EXPECT_GT(predictGPUChain(problem, plan, target, 4096).seconds, 1.2 * wide);
}

TEST(GPUChain, NothingForRowsThatDoNotFit) {
  Problem problem; // Not chainable: one slice, which has all features.
  problem.factors.push_back({{1024, 64, 64, 1}});
  problem.factors.push_back({{1, 64, 64, 1024}});
  problem.factors.push_back({{1024, 64, 64, 1}});
  problem.factors.push_back({{1, 64, 64, 1024}});
  EXPECT_TRUE(planChainForGPU(problem, getTarget("sm_86"), 3).empty());
}

TEST(GPUChain, FitsTheSharedMemoryOfTheTarget) {
  GPUChainPlan plan;
  Problem problem = getMonarch(plan);
  EXPECT_NE(checkGPUChainPlan(problem, plan, getTarget("sm_80"))
                .find("cluster is 4; expected 1 on sm_80"),
            std::string::npos);
  plan.entries = 64;
  EXPECT_NE(checkGPUChainPlan(problem, plan, getTarget("sm_90"))
                .find("bytes of shared memory; expected at most"),
            std::string::npos);
}

} // namespace
