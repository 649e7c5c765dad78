//===- GPUChainPlanner.cpp - Choice of plans for chains -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a cluster does for a tile of the batch is the same whatever the batch.
// So for each size of tile, cluster and block, each number of slices, and each
// way in which the input comes, each factor gets the shape of warps' work that
// takes the least time of an SM on its own; the model then ranks these plans as
// wholes.
//
//===----------------------------------------------------------------------===//

#include "GPUChainCost.h"

#include "ks/Analysis/GPUChainPlanes.h"

#include "PlanCheck.h"
#include "Rounding.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>
#include <numeric>

using namespace ks;

static double toDouble(int64_t value) { return static_cast<double>(value); }

static constexpr int64_t kMostStages = 4;

namespace {
class ChainEnumerator {
public:
  ChainEnumerator(const Problem &problem, const GPUTarget &target)
      : problem(problem), target(target),
        batch(problem.batch.value_or(kAssumedGPUBatch)) {}

  std::vector<RankedGPUChainPlan> rank(unsigned count);

private:
  std::vector<int64_t> getSliceCounts() const;
  int64_t getChunk(size_t number, int64_t most) const;
  bool divides(int64_t cluster) const;
  bool fits(const GPUChainPlan &plan) const;
  void addTiles(GPUChainPlan plan);
  void addInputs(GPUChainPlan plan);
  void addPlan(GPUChainPlan plan, int64_t registers, int64_t mostK);
  bool chooseFactor(GPUChainPlan &plan, size_t number, int64_t registers,
                    int64_t mostK);
  std::vector<GPUChainFactor> getShapes(const GPUChainPlan &plan,
                                        size_t number) const;

  const Problem &problem;
  const GPUTarget &target;
  int64_t batch;
  std::vector<RankedGPUChainPlan> plans;
};
} // namespace

//===----------------------------------------------------------------------===//
// Work of a warp
//===----------------------------------------------------------------------===//

std::vector<GPUChainFactor> ChainEnumerator::getShapes(const GPUChainPlan &plan,
                                                       size_t number) const {
  const Problem::Factor &stated = problem.factors[number];
  KSPattern p = plan.getPattern(problem, number);
  bool isLast = number + 1 == problem.factors.size();
  int64_t widest = std::max<int64_t>(1, 16 / problem.elementBytes());
  int64_t ownD = p.a % plan.cluster == 0 ? p.d : p.d / plan.cluster;
  // Where a result is one piece with that of the next n.
  int64_t allD = isLast ? stated.pattern.d : p.d;
  std::vector<GPUChainFactor> shapes;
  GPUChainFactor factor;
  factor.fragments.instruction = getChainInstruction(problem, p, target);
  factor.tiedA = stated.tiedA;
  factor.tiedD = stated.tiedD;
  auto addRows = [&] {
    int64_t tile = factor.getTileEntries(problem.batchFirst);
    for (int64_t tilesM : {1, 2, 3, 4, 6, 8, 12, 16})
      for (int64_t tilesN : {1, 2, 3, 4, 6, 8}) {
        factor.entries = tilesM * tile;
        factor.n = tilesN * factor.fragments.tileN();
        if (plan.entries % factor.entries != 0 ||
            (tilesN > 1 && factor.n >= p.b + factor.fragments.tileN()))
          continue;
        int64_t blocks = divideUp(p.b, factor.n);
        if (isLast && blocks % plan.shares != 0)
          continue;
        // Neighbouring n make a piece of the result.
        factor.fragments.runN = 1;
        if (problem.batchFirst && factor.vector == allD)
          factor.fragments.runN = std::gcd(widest / std::gcd(widest, allD),
                                           tilesN * factor.fragments.slotsN());
        shapes.push_back(factor);
      }
  };
  if (!problem.batchFirst) {
    for (factor.vector = widest; factor.vector >= 1; factor.vector /= 2)
      addRows();
    return shapes;
  }
  for (int64_t vector = 1; vector <= std::min<int64_t>(16, ownD); ++vector) {
    bool isAll = vector == ownD;
    if (!isAll && (ownD % vector != 0 || vector > widest))
      continue;
    factor.vector = vector;
    for (int64_t run : {1, 2, 4}) {
      if (run > 1 && (!isAll || run * vector > widest))
        continue;
      factor.fragments.runK = run;
      addRows();
    }
  }
  return shapes;
}

/// Stages of as many groups, or blocks of n, as `warps` warps have work for,
/// each a piece at most; false if the least is too much.
static bool setStages(GPUChainPlan &plan, const Problem &problem,
                      size_t number) {
  GPUChainFactor &factor = plan.factors[number];
  factor.groups = factor.blocksN = 1;
  int64_t blocks = plan.countBlocksN(problem, number);
  int64_t groups = plan.getPattern(problem, number).a;
  if (number == 0)
    factor.blocksN = blocks;
  int64_t work = plan.countTasks(problem, number);
  if (work > plan.warps)
    return false;
  if (number > 0) {
    factor.blocksN = getLargestDivisor(blocks, plan.warps / work);
    work *= factor.blocksN;
  }
  if (factor.blocksN == blocks)
    factor.groups = getLargestDivisor(groups, plan.warps / work);
  return true;
}

/// The shape that takes the least time, with at most `registers`; false if
/// there is none. Where results go is known.
bool ChainEnumerator::chooseFactor(GPUChainPlan &plan, size_t number,
                                   int64_t registers, int64_t mostK) {
  int64_t k = plan.isStreamed() ? getChunk(number, mostK) : 0;
  ChainBuffer next = getNextBuffer(problem, plan, number);
  double l2Bytes = target.l2Bandwidth / toDouble(target.multiprocessors) /
                   (target.gigahertz * 1e9);
  double best = std::numeric_limits<double>::infinity();
  GPUChainFactor chosen;
  for (const GPUChainFactor &shape : getShapes(plan, number)) {
    plan.factors[number] = shape;
    plan.factors[number].k = k;
    if (plan.isStreamed() && !setStages(plan, problem, number))
      continue;
    if (plan.getRegisters(problem, number) > registers)
      continue;
    BlockWork work = getChainWork(problem, plan, number, next, target);
    double cycles =
        std::max({work.units, work.shared, work.weightBytes / l2Bytes}) +
        0.2 * (work.units + work.shared) + 0.5 * work.latency;
    if (cycles < best) {
      best = cycles;
      chosen = plan.factors[number];
    }
  }
  plan.factors[number] = chosen;
  return std::isfinite(best);
}

//===----------------------------------------------------------------------===//
// Enumeration
//===----------------------------------------------------------------------===//

/// 1, and all groups of the last factor; of chainable pairs also their columns,
/// in pieces that are worth storing.
std::vector<int64_t> ChainEnumerator::getSliceCounts() const {
  std::vector<int64_t> counts{1};
  const KSPattern &left = problem.factors.back().pattern;
  const KSPattern &right = problem.factors.front().pattern;
  bool areGroupsApart =
      llvm::all_of(problem.factors, [&](const Problem::Factor &factor) {
        return factor.pattern.a % left.a == 0;
      });
  if (left.a > 1 && areGroupsApart)
    counts.push_back(left.a);
  if (problem.factors.size() != 2 || !getRedundancy(left, right))
    return counts;
  int64_t leastBytes = problem.batchFirst ? 8 : problem.elementBytes();
  for (int64_t columns = left.d - 1; columns >= 1; --columns) {
    bool isWhole = left.d % columns == 0 &&
                   (columns % right.d == 0 || right.d % columns == 0);
    bool isEven = (columns & (columns - 1)) == 0 || columns % 8 == 0;
    if (isWhole && isEven && columns <= 64 &&
        columns * problem.elementBytes() >= leastBytes)
      counts.push_back(left.a * (left.d / columns));
  }
  return counts;
}

/// k of a stage: all of a factor's, in equal parts of at most `most`.
int64_t ChainEnumerator::getChunk(size_t number, int64_t most) const {
  const KSPattern &p = problem.factors[number].pattern;
  FragmentLayout layout{getChainInstruction(problem, p, target)};
  int64_t count = divideUp(p.c, most);
  return roundUp(divideUp(p.c, count), layout.stepK());
}

bool ChainEnumerator::divides(int64_t cluster) const {
  return llvm::all_of(problem.factors, [&](const Problem::Factor &factor) {
    const KSPattern &p = factor.pattern;
    return p.a % cluster == 0 || p.d % cluster == 0;
  });
}

/// What a tile takes at least: what a factor reads, and what it writes.
bool ChainEnumerator::fits(const GPUChainPlan &plan) const {
  for (size_t number = 0; number < problem.factors.size(); ++number) {
    KSPattern p = plan.getPattern(problem, number);
    int64_t features = plan.isStreamed() && number == 0 ? 0 : p.inFeatures();
    if (number + 1 < problem.factors.size())
      features += p.outFeatures();
    if (features / plan.cluster * plan.entries * problem.elementBytes() >
        target.sharedPerBlock)
      return false;
  }
  return true;
}

void ChainEnumerator::addPlan(GPUChainPlan plan, int64_t registers,
                              int64_t mostK) {
  plan.factors.assign(problem.factors.size(), {});
  for (size_t number = problem.factors.size(); number-- > 0;)
    if (!chooseFactor(plan, number, registers, mostK))
      return;
  if (plan.isStreamed()) {
    // As much in the ring as there is room for.
    int64_t room =
        target.sharedPerBlock - kBulkAlignment -
        (plan.getSharedBytes(problem) - plan.getBufferBytes(problem)[0]);
    plan.stages =
        std::min<int64_t>(plan.stages, room / plan.getStageBytes(problem));
    if (plan.stages < 2)
      return;
  }
  if (!checkGPUChainPlan(problem, plan, target).empty())
    return;
  plans.push_back({plan, predictGPUChain(problem, plan, target, batch)});
}

/// The input as a whole, or all operands through a ring.
void ChainEnumerator::addInputs(GPUChainPlan plan) {
  for (int64_t warps : {4, 8, 16})
    for (int64_t registers : {128, 168, 255}) {
      if (registers * warps * 32 > target.registersPerSM)
        continue;
      plan.warps = warps;
      for (bool isStaged : {true, false}) {
        plan.isStaged =
            isStaged && problem.batchFirst && plan.slices * plan.shares == 1;
        if (plan.isStaged != isStaged)
          continue;
        plan.stages = 0;
        if (fits(plan))
          addPlan(plan, registers, 0);
        plan.stages = kMostStages;
        if (plan.cluster > 1 || !fits(plan))
          continue;
        for (int64_t mostK : {256, 64, 32})
          addPlan(plan, registers, mostK);
      }
    }
}

void ChainEnumerator::addTiles(GPUChainPlan plan) {
  for (int64_t entries : {8, 16, 32, 48, 64, 96, 128}) {
    plan.entries = entries;
    if (entries > 8 && entries >= 2 * batch)
      continue;
    // More blocks than there are multiprocessors need not share rows n.
    int64_t blocks = divideUp(batch, entries) * plan.slices;
    for (int64_t shares : {1, 2, 4, 8}) {
      if (shares > 1 &&
          (plan.cluster > 1 || blocks * shares >= 4 * target.multiprocessors))
        continue;
      plan.shares = shares;
      addInputs(plan);
    }
  }
}

std::vector<RankedGPUChainPlan> ChainEnumerator::rank(unsigned count) {
  for (int64_t slices : getSliceCounts())
    for (int64_t cluster : {1, 2, 4, 8}) {
      if (cluster > 1 &&
          (target.capability < 90 || slices > 1 || !divides(cluster)))
        continue;
      GPUChainPlan plan;
      plan.slices = slices;
      plan.cluster = cluster;
      addTiles(plan);
    }
  for (const GPUChainPlan &plan : listChainPlanes(problem, target))
    if (checkGPUChainPlan(problem, plan, target).empty())
      plans.push_back({plan, predictGPUChain(problem, plan, target, batch)});
  // Ties are broken by the order of enumeration.
  std::vector<size_t> order(plans.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(order, [&](size_t x, size_t y) {
    return plans[x].cost.seconds < plans[y].cost.seconds;
  });
  // Different limits of registers may give the same plan.
  std::vector<RankedGPUChainPlan> ranked;
  for (size_t index : order) {
    if (ranked.size() == count)
      break;
    bool isNew = llvm::none_of(ranked, [&](const RankedGPUChainPlan &other) {
      return other.plan == plans[index].plan;
    });
    if (isNew)
      ranked.push_back(plans[index]);
  }
  return ranked;
}

std::vector<RankedGPUChainPlan> ks::planChainForGPU(const Problem &problem,
                                                    const GPUTarget &target,
                                                    unsigned count) {
  return ChainEnumerator(problem, target).rank(std::max(1U, count));
}
