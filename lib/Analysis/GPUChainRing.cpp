//===- GPUChainRing.cpp - What comes through the ring of a chain ----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlanCheck.h"
#include "Rounding.h"

#include "ks/Analysis/GPUChain.h"

#include "llvm/Support/MathExtras.h"

using namespace ks;

static constexpr int64_t kAlignment = 128;

int64_t ks::getRoomBytes(int64_t bytes) {
  // Lanes of the last columns and rows load what is behind their own.
  constexpr int64_t kBehind = 256;
  return roundUp(bytes + kBehind, kAlignment);
}

std::array<int64_t, 3> GPUChainPlan::getStageCounts(const Problem &problem,
                                                    size_t number) const {
  KSPattern p = getPattern(problem, number);
  const GPUChainFactor &factor = factors[number];
  return {p.a / factor.groups, countBlocksN(problem, number) / factor.blocksN,
          getDepth(problem, number) / getChunk(problem, number)};
}

std::array<int64_t, 3> GPUChainPlan::getStageBlocks(const Problem &problem,
                                                    size_t number) const {
  const GPUChainFactor &factor = factors[number];
  int64_t blocksJ = getTasks(problem, number)[1];
  return {factor.tiedA ? 1 : factor.groups, factor.tiedD ? 1 : blocksJ,
          factor.blocksN};
}

int64_t GPUChainPlan::getBlockElements(const Problem &problem,
                                       size_t number) const {
  const GPUChainFactor &factor = factors[number];
  const FragmentLayout &fragments = factor.fragments;
  int64_t columns = factor.tiedD ? 1 : factor.getColumns(problem.batchFirst);
  return getChunk(problem, number) / fragments.stepK() * columns *
         factor.getTilesN() * fragments.weightLanes() *
         fragments.weightsPerLane();
}

int64_t GPUChainPlan::getBlockBytes(const Problem &problem,
                                    size_t number) const {
  return getBlockElements(problem, number) * (problem.isComplex ? 2 : 1) *
         factors[number].fragments.partBytes(problem.realBytes);
}

int64_t GPUChainPlan::getStageWeightBytes(const Problem &problem,
                                          size_t number) const {
  int64_t bytes = getBlockBytes(problem, number);
  for (int64_t size : getStageBlocks(problem, number))
    bytes *= size;
  return bytes;
}

int64_t GPUChainPlan::getInputBytes(const Problem &problem) const {
  int64_t elements = getBuffer(problem, 0).getElements(problem.batchFirst);
  return getRoomBytes(elements * problem.elementBytes());
}

int64_t GPUChainPlan::getStageBytes(const Problem &problem) const {
  int64_t most = 0;
  for (size_t number = 0; number < factors.size(); ++number) {
    int64_t bytes = roundUp(getStageWeightBytes(problem, number), kAlignment);
    most = std::max(most, bytes + (number == 0 ? getInputBytes(problem) : 0));
  }
  return most;
}

/// What the ring brings is what warps multiply, each at most one piece of it.
void ks::checkStages(Check &check, const Problem &problem,
                     const GPUChainPlan &plan, size_t number) {
  const GPUChainFactor &factor = plan.factors[number];
  if (!plan.isStreamed()) {
    check.require(factor.groups == 1 && factor.blocksN == 1 && factor.k == 0,
                  "factor {0} has groups = {1} and blocks_n = {2} without "
                  "stages; expected 1",
                  number, factor.groups, factor.blocksN);
    return;
  }
  check.multiple("k of a stage", factor.k, factor.fragments.stepK());
  for (auto [name, size] : {std::pair{"groups", factor.groups},
                            {"blocks_n", factor.blocksN},
                            {"k", factor.k}})
    check.require(size >= 1 && size <= (1 << 20),
                  "{0} of a stage of factor {1} is {2}; expected at least 1",
                  name, number, size);
  if (!check.isGood())
    return;
  int64_t groups = plan.getPattern(problem, number).a;
  check.require(groups % factor.groups == 0,
                "a stage of factor {0} has {1} groups; expected a divisor of "
                "{2}",
                number, factor.groups, groups);
  // The first factor's input comes once.
  int64_t blocks = plan.countBlocksN(problem, number);
  check.require(
      number == 0 ? blocks == factor.blocksN : blocks % factor.blocksN == 0,
      "a stage of factor {0} has {1} blocks of n; expected {2}{3}", number,
      factor.blocksN, number == 0 ? "" : "a divisor of ", blocks);
  int64_t count = plan.countTasks(problem, number);
  check.require(
      count <= plan.warps,
      "a stage of factor {0} has {1} pieces of work; expected at most "
      "the {2} warps",
      number, count, plan.warps);
  check.multiple("bytes of a block of weights",
                 plan.getBlockBytes(problem, number), 16);
}
