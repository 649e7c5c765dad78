//===- GPUChainCost.cpp - What a chain's plan costs -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPUChainCost.h"

#include "ks/Analysis/GPUChainPlanes.h"

#include "Rounding.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <numeric>

using namespace ks;

static double toDouble(int64_t value) { return static_cast<double>(value); }

namespace {
/// Constants of the model, in cycles if nothing else is said; fitted to 383
/// plans of 16 chains on an H100.
struct ChainConstants {
  double launch = 1.3e-6;    ///< Seconds.
  double loadLatency = 890;  ///< Of a warp's weights, from L2.
  double stageBarrier = 55;  ///< Of each warp, for a stage of the ring.
  double remoteStore = 0.41; ///< Of a lane's store to another block,
  double sector = 1.4;       ///< of a sector that a warp stores to memory.
  /// What L2 gives, of the table: blocks read the same weights at about the
  /// same time.
  double l2 = 1.37;
  /// What a block waits for by itself, of what it takes of an SM: the more
  /// blocks there are, the less of it is seen.
  double serialShared = 0.36, serialDRAM = 1.34;
  /// Of DRAM, where the input comes through a ring.
  double serialStreamed = 0.7;
  double norm = 2.44; ///< Near infinity, all resources overlap.
  /// More time for each doubling of a cluster, whose blocks wait for each
  /// other, than all of the above tells.
  double perDoubling = 0.14;
  double uneven = 0.3; ///< Exponent, of blocks that some SMs have more of.
  double split = 1.35; ///< Of f32 that is split, fitted to six chains.
};
} // namespace

static constexpr ChainConstants kConstants;

static double getUnitRate(const GPUTarget &target, WarpInstruction instruction,
                          const Problem &problem) {
  switch (instruction) {
  case WarpInstruction::Mma16:
    return target.mma16PerClock;
  case WarpInstruction::Mma8:
    return target.mma8PerClock;
  case WarpInstruction::Mma16Split:
    return target.getSplitPerClock();
  default:
    return problem.realBytes == 8 ? target.fma64PerClock : target.fma32PerClock;
  }
}

/// Cycles of a byte that a warp stores to memory: pieces of a sector take
/// longer than whole ones.
static double getSectorCycles(const Problem &problem,
                              const GPUChainFactor &factor,
                              const KSPattern &p) {
  constexpr double kSector = 32;
  if (!problem.batchFirst)
    return kConstants.sector / kSector;
  int64_t together = factor.vector;
  if (factor.vector == p.d)
    together *= factor.fragments.lanesN() * factor.fragments.runN;
  double bytes = std::min(kSector, toDouble(together * problem.resultBytes()));
  return kConstants.sector / bytes * std::sqrt(kSector / bytes);
}

BlockWork ks::getChainWork(const Problem &problem, const GPUChainPlan &plan,
                           size_t number, const ChainBuffer &next,
                           const GPUTarget &target) {
  const GPUChainFactor &factor = plan.factors[number];
  KSPattern p = plan.getPattern(problem, number);
  const FragmentLayout &layout = factor.fragments;
  bool batchFirst = problem.batchFirst;
  int64_t elementBytes = problem.elementBytes();
  double count = toDouble(plan.countTasks(problem, number));
  double perWarp = std::ceil(count / toDouble(plan.warps));
  // With a ring, stages of some pieces for each warp.
  double chunks = 1, sets = 1;
  if (plan.isStreamed()) {
    std::array<int64_t, 3> stages = plan.getStageCounts(problem, number);
    sets = toDouble(stages[0] * stages[1]);
    chunks = toDouble(stages[2]);
    count *= sets;
  }
  double steps = toDouble(plan.getDepth(problem, number) / layout.stepK());
  double columns = toDouble(factor.getColumns(batchFirst));
  double tilesN = toDouble(factor.getTilesN());
  double tilesM = toDouble(factor.getTilesM(batchFirst));

  BlockWork work;
  double complexFactor = problem.isComplex ? 4 : 1;
  double products = count * toDouble(factor.n * factor.entries) * columns *
                    toDouble(plan.getDepth(problem, number)) * complexFactor;
  work.units = products / getUnitRate(target, layout.instruction, problem);

  // Loads of activations, at least as many wavefronts as they have lines.
  int64_t piece = layout.runK * factor.vector * elementBytes;
  double width = toDouble(std::min<int64_t>(16, piece & -piece));
  double loads = steps * tilesM * toDouble(factor.vector) *
                 FragmentLayout::slotsK * toDouble(elementBytes) / width;
  double wavefronts = std::max(1.0, 32 * width / 128);
  // Results, in runs of neighbours; those for other blocks lane by lane.
  double results = tilesN * tilesM * toDouble(factor.vector) *
                   toDouble(layout.slotsN() * layout.slotsM());
  bool isStored = number + 1 < plan.factors.size() || plan.isStaged;
  bool isRemote = isStored && plan.cluster > 1;
  int64_t storedBytes =
      number + 1 < plan.factors.size() ? elementBytes : problem.resultBytes();
  int64_t widest = std::max<int64_t>(1, 16 / storedBytes);
  int64_t run =
      isStored ? getStoreRun(p, layout, factor.vector, next, batchFirst, widest)
               : std::gcd(factor.vector * layout.runN, widest);
  double bytesOfStore = toDouble(FragmentLayout::lanes * run * storedBytes);
  double ofStore = std::max(1.0, bytesOfStore / 128);
  if (isRemote)
    ofStore = FragmentLayout::lanes * kConstants.remoteStore;
  else if (!isStored)
    ofStore = bytesOfStore *
              getSectorCycles(problem, factor, problem.factors[number].pattern);
  work.shared =
      count * (loads * wavefronts + results / toDouble(run) * ofStore);

  double weights =
      tilesN * toDouble(layout.weightLanes()) *
      toDouble(layout.weightsPerLane() * layout.partBytes(elementBytes)) *
      (factor.tiedD || !batchFirst ? 1 : columns) * steps *
      (problem.isComplex ? 2 : 1);
  if (plan.isStreamed()) {
    // Once for all warps, and through shared memory.
    work.shared += count * weights / 128;
    work.weightBytes =
        sets * chunks * toDouble(plan.getStageWeightBytes(problem, number));
    work.shared += work.weightBytes / 128;
    work.latency = sets * chunks *
                   (kConstants.stageBarrier * toDouble(plan.warps) +
                    kConstants.loadLatency / toDouble(plan.stages - 1));
    return work;
  }
  work.weightBytes = count * weights;
  // The weights of a window are under way while the one before is multiplied.
  double windows = steps / toDouble(plan.getStepsAhead(problem, number));
  work.latency =
      perWarp * kConstants.loadLatency * (1 + std::max(0.0, windows - 1) / 3);
  return work;
}

ChainBuffer ks::getNextBuffer(const Problem &problem, const GPUChainPlan &plan,
                              size_t number) {
  if (number + 1 < plan.factors.size() || plan.isStaged)
    return plan.getBuffer(problem, number + 1);
  return {};
}

/// Blocks that an SM has room for, if lanes take this many registers.
static int64_t getBlocksPerSM(const Problem &problem, const GPUChainPlan &plan,
                              const GPUTarget &target, int64_t registers) {
  registers = roundUp(registers, 8);
  int64_t byRegisters =
      target.registersPerSM /
      (registers * static_cast<int64_t>(llvm::alignTo(plan.getThreads(), 64)));
  int64_t byShared = target.sharedPerSM / (plan.getSharedBytes(problem) + 1024);
  return std::max<int64_t>(1, std::min({byShared, byRegisters,
                                        target.threadsPerSM / plan.getThreads(),
                                        target.blocksPerSM}));
}

GPUCost ks::predictGPUChain(const Problem &problem, const GPUChainPlan &plan,
                            const GPUTarget &target, int64_t batch) {
  if (plan.isPlanes())
    return predictChainPlanes(problem, plan, target, batch);
  BlockWork work;
  for (size_t number = 0; number < plan.factors.size(); ++number) {
    BlockWork more = getChainWork(problem, plan, number,
                                  getNextBuffer(problem, plan, number), target);
    work.units += more.units;
    work.shared += more.shared;
    work.latency += more.latency;
    work.weightBytes += more.weightBytes;
  }
  double tiles =
      std::ceil(toDouble(std::max<int64_t>(1, batch)) / toDouble(plan.entries));
  double blocks = tiles * toDouble(plan.slices * plan.shares * plan.cluster);
  // Large clusters do not find room on all of them.
  double multiprocessors =
      toDouble(plan.cluster > 2 ? target.multiprocessors * 10 / 11
                                : target.multiprocessors);
  double clock = target.gigahertz * 1e9;
  // Slices may have the same input.
  double bytesOfEntry =
      toDouble(plan.getPattern(problem, 0).inFeatures() *
               problem.inputBytes()) +
      toDouble(plan.getPattern(problem, plan.factors.size() - 1).outFeatures() *
               problem.resultBytes()) /
          toDouble(plan.shares);
  double ioBytes =
      tiles * toDouble(plan.entries * plan.slices * plan.shares) * bytesOfEntry;

  GPUCost cost;
  int64_t registers = plan.getRegisters(problem);
  cost.blocksPerSM = getBlocksPerSM(problem, plan, target, registers);
  cost.launch = kConstants.launch;
  cost.dramBytes = getMinimumBytes(problem, batch);
  cost.l2Bytes = ioBytes + blocks * work.weightBytes;
  double busy = std::min(blocks, multiprocessors);
  double perSM = std::max(1.0, blocks / multiprocessors);
  double waves = std::ceil(perSM / toDouble(cost.blocksPerSM));

  // Of one block, on its share of the GPU.
  double dram = cost.dramBytes / blocks * busy / target.dramBandwidth;
  double l2 = cost.l2Bytes / blocks /
              std::min(target.getL2BandwidthOfSM(),
                       kConstants.l2 * target.l2Bandwidth / busy);
  double shared = (work.shared + 2 * ioBytes / blocks / 128) / clock;
  double units = work.units / clock;
  double alone =
      work.latency / clock + kConstants.serialShared * shared +
      (plan.isStreamed() ? kConstants.serialStreamed : kConstants.serialDRAM) *
          dram;
  cost.dram = perSM * dram;
  cost.l2 = perSM * l2;
  cost.shared = perSM * shared;
  cost.units = perSM * units;
  double sum = 0, most = 0;
  const std::pair<double, const char *> limits[] = {
      {cost.dram, "DRAM"},
      {cost.l2, "L2"},
      {cost.shared, "shared memory"},
      {cost.units, "multiplications"},
      {waves * alone, "latency"}};
  for (auto [seconds, name] : limits) {
    sum += std::pow(seconds, kConstants.norm);
    if (seconds > most) {
      most = seconds;
      cost.limit = name;
    }
  }
  // The next launch begins where there is room, and is spread evenly only if
  // all of it, or nothing, finds room beside this one. The guess of registers
  // is on the safe side.
  double resident = std::ceil(perSM);
  double room =
      toDouble(getBlocksPerSM(problem, plan, target, registers * 3 / 4));
  bool isUneven =
      plan.cluster == 1 && waves <= 1 && room > resident && room < 2 * resident;
  bool isSplit = llvm::any_of(plan.factors, [](const GPUChainFactor &factor) {
    return factor.fragments.isSplit();
  });
  cost.seconds =
      (isSplit ? kConstants.split : 1) *
      (isUneven ? std::pow(room / resident, kConstants.uneven) : 1) *
      (cost.launch + std::pow(sum, 1 / kConstants.norm)) *
      (1 + kConstants.perDoubling * std::log2(toDouble(plan.cluster)));
  return cost;
}

WarpInstruction ks::getChainInstruction(const Problem &problem,
                                        const KSPattern &p,
                                        const GPUTarget &target) {
  if (problem.realBytes == 2)
    return WarpInstruction::Mma16;
  if (problem.realBytes != 4 || problem.isComplex)
    return WarpInstruction::Fma;
  if (problem.tf32)
    return WarpInstruction::Mma8;
  bool pays = target.getSplitPerClock() > target.fma32PerClock;
  return pays && p.c >= kMinSplitDepth ? WarpInstruction::Mma16Split
                                       : WarpInstruction::Fma;
}

double ks::boundGPUChain(const Problem &problem, const GPUTarget &target,
                         int64_t batch) {
  // Activations are moved, tiles of instructions are filled, and each factor
  // waits for weights: least where a ring of the planner's brings them.
  double clock = target.gigahertz * 1e9;
  double bytesOfEntry = toDouble(
      problem.factors.front().pattern.inFeatures() * problem.inputBytes() +
      problem.factors.back().pattern.outFeatures() * problem.resultBytes());
  double dram = toDouble(batch) * bytesOfEntry / target.dramBandwidth;
  double units = 0;
  for (const Problem::Factor &factor : problem.factors) {
    const KSPattern &p = factor.pattern;
    FragmentLayout layout{getChainInstruction(problem, p, target)};
    units += toDouble(batch) * toDouble(p.a * p.d) *
             toDouble(roundUp(p.b, layout.tileN())) *
             toDouble(roundUp(p.c, layout.stepK())) *
             (problem.isComplex ? 4 : 1) /
             getUnitRate(target, layout.instruction, problem);
  }
  units /= toDouble(target.multiprocessors) * clock;
  double latency = toDouble(static_cast<int64_t>(problem.factors.size())) *
                   kConstants.loadLatency / 3 / clock;
  return kConstants.launch + std::max({dram, units, latency});
}
