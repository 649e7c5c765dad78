//===- GPUCost.cpp - What GPU plans cost ----------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUPlanner.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace ks;

/// The share of the bandwidth that is left when rows are read in pieces of
/// `bytes` (measured on an H100; sectors have 32 bytes).
static double getRowEfficiency(int64_t bytes) {
  if (bytes >= 128)
    return 0.95;
  if (bytes >= 64)
    return 0.85;
  if (bytes >= 32)
    return 0.72;
  return 0.4 * static_cast<double>(bytes) / 16;
}

static double toDouble(int64_t value) { return static_cast<double>(value); }

namespace {
/// The terms of the model, one function each.
class CostModel {
public:
  CostModel(const Problem &problem, const GPUPlan &plan,
            const GPUTarget &target, int64_t batch)
      : problem(problem), plan(plan), target(target),
        p(problem.factors.front().pattern), batchFirst(problem.batchFirst),
        bytes(problem.elementBytes()), batch(batch) {}

  GPUCost predict();

private:
  int64_t getBlocksPerSM() const;
  /// Cycles that one block keeps an SM's units, or its shared memory, busy.
  double getUnitCycles() const;
  double getSharedCycles() const;
  double getInputBytes() const; ///< Of a block.
  double getWeightBytes() const;
  double getOutputBytes() const;
  int64_t getPieceBytes() const; ///< Of a row of X, read at once.
  double getInstructionCycles() const;
  double getActivationLoads() const;
  double getWeightLoads() const;
  double getStores() const;
  double getSteps() const; ///< Of all warps of a block.

  const Problem &problem;
  const GPUPlan &plan;
  const GPUTarget &target;
  KSPattern p;
  bool batchFirst;
  int64_t bytes, batch;
};
} // namespace

int64_t CostModel::getBlocksPerSM() const {
  int64_t byShared =
      target.sharedPerSM / (plan.getSharedBytes(batchFirst, bytes) + 1024);
  int64_t byRegisters =
      target.registersPerSM /
      ((plan.getRegisters(problem) + 7) / 8 * 8 * plan.getThreads());
  int64_t byThreads = target.threadsPerSM / plan.getThreads();
  return std::min({byShared, byRegisters, byThreads, target.blocksPerSM});
}

double CostModel::getUnitCycles() const {
  double products = toDouble(plan.entries) * toDouble(plan.n) *
                    toDouble(plan.j) * toDouble(plan.getNumChunks(p) * plan.k) *
                    (problem.isComplex ? 4 : 1);
  double rate = target.fma32PerClock;
  if (plan.fragments.instruction == WarpInstruction::Mma16)
    rate = target.mma16PerClock;
  else if (plan.fragments.instruction == WarpInstruction::Mma8)
    rate = target.mma8PerClock;
  else if (problem.accumulatorBytes == 8)
    rate = target.fma64PerClock;
  return products / rate;
}

/// Bytes that a lane loads, or stores, at a time, of neighbours of `size`
/// bytes.
static int64_t getAccessBytes(int64_t size) {
  return std::min<int64_t>(16, size & -size);
}

/// Loads of activations of a warp and step.
double CostModel::getActivationLoads() const {
  int64_t piece = plan.fragments.runK * plan.vector * bytes;
  int64_t pieces =
      plan.getTilesM(batchFirst) * FragmentLayout::slotsK / plan.fragments.runK;
  return toDouble(pieces * (piece / getAccessBytes(piece)));
}

double CostModel::getWeightLoads() const {
  return toDouble((plan.tiedD || !batchFirst ? 1 : plan.vector) *
                  plan.getTilesN()) *
         std::max(1.0, toDouble(plan.fragments.weightsPerLane() * bytes) / 16);
}

/// Stores of a lane, in all.
double CostModel::getStores() const {
  int64_t elements = plan.getAccumulators(batchFirst);
  int64_t piece = batchFirst ? plan.fragments.runN * plan.vector
                             : plan.fragments.slotsM() * plan.vector;
  return toDouble(elements / piece) *
         toDouble(piece * bytes / getAccessBytes(piece * bytes));
}

double CostModel::getSteps() const {
  return toDouble(plan.getNumChunks(p) * (plan.k / plan.fragments.stepK())) *
         toDouble(plan.getWarps());
}

double CostModel::getSharedCycles() const {
  // 128 bytes a cycle; a load is a cycle at least, however narrow.
  int64_t width = getAccessBytes(plan.fragments.runK * plan.vector * bytes);
  double activations =
      getActivationLoads() * std::max(1.0, toDouble(width) / 4);
  double stores = (getInputBytes() + getWeightBytes()) / 128;
  return getSteps() * (activations + getWeightLoads() * 4) + stores;
}

/// Cycles to issue everything, four warps at a time: a rough count.
double CostModel::getInstructionCycles() const {
  double tiles = toDouble(plan.vector * plan.getTilesM(batchFirst));
  double perStep = 8 + 2 * (getActivationLoads() + getWeightLoads()) +
                   (bytes == 2 ? 3 : 1) * tiles +
                   tiles * toDouble(plan.getTilesN());
  double copies = (getInputBytes() + getWeightBytes()) / 16 / 32 * 6;
  double stores = getStores() * toDouble(plan.getWarps()) * 8;
  // A chunk is a wait, a barrier and new addresses.
  double chunks = toDouble(plan.getNumChunks(p) * plan.getWarps()) * 40;
  return (getSteps() * perStep + chunks + copies + stores) / 4;
}

double CostModel::getInputBytes() const {
  return toDouble(plan.entries) * toDouble(plan.j) *
         toDouble(plan.getNumChunks(p) * plan.k) * toDouble(bytes);
}

double CostModel::getWeightBytes() const {
  return toDouble(plan.getStageWeights()) * toDouble(plan.getNumChunks(p)) *
         toDouble(bytes);
}

double CostModel::getOutputBytes() const {
  return toDouble(plan.entries) * toDouble(plan.n) * toDouble(plan.j) *
         toDouble(bytes);
}

int64_t CostModel::getPieceBytes() const {
  if (!batchFirst)
    return std::min(plan.entries, std::max<int64_t>(batch, 1)) * bytes;
  if (plan.j >= p.d)
    return std::min(p.c, plan.k) * p.d * bytes;
  return plan.j * bytes;
}

GPUCost CostModel::predict() {
  GPUCost cost;
  cost.launch = 3e-6;
  cost.blocksPerSM = getBlocksPerSM();
  int64_t resident = std::max<int64_t>(1, cost.blocksPerSM);
  double blocks = std::ceil(toDouble(batch) / toDouble(plan.entries)) *
                  toDouble(plan.getNumSlabs(p));
  double slots = toDouble(resident * target.multiprocessors);
  double waves = std::ceil(blocks / slots);
  // In the last wave, not all SMs work; short grids are dominated by it.
  double perSM = waves <= 4
                     ? std::ceil(blocks / toDouble(target.multiprocessors))
                     : blocks / toDouble(target.multiprocessors) +
                           0.5 * toDouble(resident);
  double hertz = target.gigahertz * 1e9;
  double overlap = resident > 1 || plan.stages > 1 ? 1.0 : 1.6;
  if (plan.getNumChunks(p) == 1 && resident < 3)
    overlap = resident == 1 ? 2.0 : 1.35;

  cost.dramBytes = getMinimumBytes(problem, batch);
  // What is stored in pieces below a sector costs a sector each.
  int64_t stored = bytes * (batchFirst ? plan.fragments.runN * plan.vector
                                       : 2 * plan.vector);
  bool isContiguous = !batchFirst || plan.j >= p.d;
  double waste = isContiguous || stored >= 32 ? 1 : 32 / toDouble(stored);
  cost.l2Bytes =
      blocks * (getInputBytes() + getWeightBytes() + getOutputBytes() * waste);
  double busy = std::min(1.0, blocks / toDouble(target.multiprocessors));
  // Little's law: bytes under way per SM, against bandwidth times latency.
  constexpr double kLatency = 900e-9;
  double stage =
      (getInputBytes() + getWeightBytes()) / toDouble(plan.getNumChunks(p));
  double underWay = toDouble(resident) * stage *
                    (plan.stages > 1 ? toDouble(plan.stages - 1) : 0.4);
  double needed =
      target.dramBandwidth / toDouble(target.multiprocessors) * kLatency;
  double efficiency = getRowEfficiency(getPieceBytes()) *
                      std::min(1.0, std::pow(underWay / needed, 0.8));
  cost.dram = cost.dramBytes /
              (target.dramBandwidth * efficiency * std::max(busy, 1e-3));
  cost.l2 = cost.l2Bytes / (target.l2Bandwidth * std::max(busy, 1e-3));
  cost.shared = perSM * getSharedCycles() / hertz;
  cost.units =
      perSM * std::max(getUnitCycles(), getInstructionCycles()) / hertz;
  // The floor that the problem itself sets holds for any plan.
  double most = std::max({cost.dram, cost.l2, cost.shared, cost.units});
  double others = cost.dram + cost.l2 + cost.shared + cost.units - most;
  cost.limit = most == cost.dram     ? "DRAM"
               : most == cost.l2     ? "L2"
               : most == cost.shared ? "shared memory"
                                     : "multiplications";
  double latency =
      1.2e-6 * waves *
      (1 + 0.3 * toDouble(plan.getNumChunks(p) - 1) / toDouble(plan.stages));
  cost.seconds =
      cost.launch + std::max(most * overlap + 0.15 * others, latency);
  if (cost.launch > most)
    cost.limit = "launch";
  return cost;
}

GPUCost ks::predictGPU(const Problem &problem, const GPUPlan &plan,
                       const GPUTarget &target, int64_t batch) {
  return CostModel(problem, plan, target, batch).predict();
}
