//===- GPUCost.cpp - What a plan costs ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUCost.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace ks;

static double toDouble(int64_t value) { return static_cast<double>(value); }

/// The share of the DRAM's bandwidth that is left when rows are read in pieces
/// of `bytes` (measured on an H100; sectors have 32 bytes).
static double getRowEfficiency(int64_t bytes) {
  if (bytes >= 128)
    return 1;
  if (bytes >= 64)
    return 0.56;
  if (bytes >= 32)
    return 0.52;
  return 0.34 * toDouble(bytes) / 16;
}

/// Bytes that a lane loads, or stores, at a time, of neighbours of `size`
/// bytes.
static int64_t getAccessBytes(int64_t size) {
  return std::min<int64_t>(16, size & -size);
}

GPUCostModel::GPUCostModel(const Problem &problem, const GPUPlan &plan,
                           const GPUTarget &target)
    : problem(problem), plan(plan), target(target),
      p(plan.getKernelPattern(problem.factors.front().pattern)),
      batchFirst(problem.batchFirst), bytes(problem.elementBytes()) {
  int64_t byShared =
      target.sharedPerSM / (plan.getSharedBytes(p, batchFirst, bytes) + 1024);
  int64_t byRegisters =
      target.registersPerSM /
      ((plan.getRegisters(problem) + 7) / 8 * 8 *
       static_cast<int64_t>(llvm::alignTo(plan.getThreads(), 64)));
  int64_t byThreads = target.threadsPerSM / plan.getThreads();
  blocksPerSM = std::max<int64_t>(
      1, std::min({byShared, byRegisters, byThreads, target.blocksPerSM}));
  chunks = toDouble(plan.getNumChunks(p));
  steps = chunks * toDouble(plan.k / plan.fragments.stepK()) *
          toDouble(plan.getWarps());
  inputBytes = toDouble(plan.entries) * toDouble(plan.j) * chunks *
               toDouble(plan.k) * toDouble(bytes);
  weightBytes = toDouble(plan.getStageWeights()) * chunks * toDouble(bytes);
  outputBytes = toDouble(plan.entries) * toDouble(plan.n) * toDouble(plan.j) *
                toDouble(bytes);
  double streamed = plan.isResident ? 0 : weightBytes;
  tile.units = getUnitCycles();
  tile.shared = getSharedCycles(inputBytes + streamed);
  tile.issue = getIssueCycles(inputBytes + streamed);
  tile.latency = getLatencyCycles();
}

/// Cycles that a tile keeps the multipliers of an SM busy.
double GPUCostModel::getUnitCycles() const {
  double products = toDouble(plan.entries) * toDouble(plan.n) *
                    toDouble(plan.j) * chunks * toDouble(plan.k) *
                    (problem.isComplex ? 4 : 1);
  double rate = target.fma32PerClock;
  if (plan.isWgmma())
    rate = target.wgmma16PerClock;
  else if (plan.fragments.instruction == WarpInstruction::Mma16)
    rate = target.mma16PerClock;
  else if (plan.fragments.instruction == WarpInstruction::Mma8)
    rate = target.mma8PerClock;
  else if (problem.accumulatorBytes == 8)
    rate = target.fma64PerClock;
  return products / rate;
}

/// Loads of activations of a warp and step.
double GPUCostModel::getActivationLoads() const {
  int64_t piece = plan.fragments.runK * plan.vector * bytes;
  int64_t pieces =
      plan.getTilesM(batchFirst) * FragmentLayout::slotsK / plan.fragments.runK;
  return toDouble(pieces * (piece / getAccessBytes(piece)));
}

double GPUCostModel::getWeightLoads() const {
  return toDouble((plan.tiedD || !batchFirst ? 1 : plan.vector) *
                  plan.getTilesN()) *
         std::max(1.0, toDouble(plan.fragments.weightsPerLane() * bytes) / 16);
}

/// Stores of a lane and tile.
GPUCostModel::Stores GPUCostModel::getStores() const {
  int64_t elements = plan.getAccumulators(batchFirst);
  if (plan.getStagedN(p, bytes) != 0) {
    // Whole lines, or what of a line is some columns of one n.
    double stored = toDouble(elements * bytes * FragmentLayout::lanes);
    double run = plan.j == p.d ? 128 : toDouble(plan.j * bytes);
    double lines =
        stored /
        std::min(run * std::max(1.0, 128 / toDouble(p.d * bytes)), 128.0);
    return {stored / 16 / FragmentLayout::lanes, lines};
  }
  int64_t piece = batchFirst ? plan.fragments.runN * plan.vector
                             : plan.fragments.slotsM() * plan.vector;
  int64_t width = getAccessBytes(piece * bytes);
  // Lanes of a warp meet in lines of 128 bytes: those along n if j is
  // contiguous behind n, else those along the batch.
  int64_t lanes = plan.fragments.lanesN();
  int64_t span = batchFirst ? lanes * plan.fragments.runN * p.d * bytes
                            : FragmentLayout::lanes / lanes * piece * bytes;
  int64_t groups = batchFirst ? FragmentLayout::lanes / lanes : lanes;
  int64_t perGroup = batchFirst ? lanes : FragmentLayout::lanes / lanes;
  int64_t lines =
      groups * std::min<int64_t>(perGroup, std::max<int64_t>(1, span / 128));
  double count = toDouble(elements / piece) * toDouble(piece * bytes / width);
  return {count, count * std::max(toDouble(lines), toDouble(32 * width) / 128)};
}

/// Cycles of loads and stores: 128 bytes a cycle, a cycle at least for a load,
/// some for a line that a store touches.
double GPUCostModel::getSharedCycles(double copied) const {
  int64_t width = getAccessBytes(plan.fragments.runK * plan.vector * bytes);
  double activations =
      getActivationLoads() * std::max(1.0, toDouble(width) / 4);
  // Pieces that are no power of two meet in banks, whatever the padding.
  int64_t piece = plan.fragments.runK * plan.vector * bytes;
  if (!plan.isBulk && batchFirst && (piece & (piece - 1)) != 0)
    activations *= 2.5;
  if (plan.isWgmmaRS()) {
    // Tensor cores read weights for each 64 entries.
    double weights = toDouble(plan.n * (plan.tiedD ? 1 : plan.j) * bytes) *
                     toDouble(plan.entries) / 64 * chunks * toDouble(plan.k);
    return 0.68 * weights / 128 + 1.17 * copied / 128 +
           steps * 0.66 * activations +
           4.5 * getStores().lines * toDouble(plan.getWarps());
  }
  if (plan.isWgmma()) {
    // The tensor cores read both operands for each 64 rows n; stores.
    double operands =
        toDouble(plan.getTilesN() * plan.entries + plan.warpsM * plan.n) *
        chunks * toDouble(plan.k * bytes) / 128;
    double perLine = batchFirst ? 0 : 4.5;
    return 0.68 * operands + 1.17 * copied / 128 +
           perLine * getStores().lines * toDouble(plan.getWarps());
  }
  double perLine = plan.isBulk ? 6.1 : 4.9;
  double perCopy = plan.isBulk ? 0.3 : 0.2; // of 128 bytes
  return steps * (0.66 * activations + getWeightLoads() * 4) +
         perCopy * copied / 128 +
         perLine * getStores().lines * toDouble(plan.getWarps());
}

/// Cycles to issue everything, four warps at a time: a rough count.
double GPUCostModel::getIssueCycles(double copied) const {
  if (plan.isWgmma())
    return 0; // One instruction for all.
  double tiles = toDouble(plan.vector * plan.getTilesM(batchFirst));
  double perStep = 6 + getActivationLoads() + getWeightLoads() +
                   (bytes == 2 ? 3 : 1) * tiles;
  double products =
      toDouble(plan.vector * plan.getTilesN() * plan.getTilesM(batchFirst));
  perStep += plan.fragments.isMma() ? products
                                    : products * FragmentLayout::slotsK *
                                          (problem.isComplex ? 4 : 1);
  double copies = plan.isBulk ? 0 : copied / 16 / 32 * 8;
  double stores = getStores().count * toDouble(plan.getWarps()) * 6;
  // A chunk is a wait, a barrier and new addresses.
  double rings = chunks * toDouble(plan.getWarps()) * 40;
  constexpr double kOverlap = 0.4; // of what was counted
  return kOverlap * (steps * perStep + rings + copies + stores) / 4;
}

/// Cycles of a tile in which a warp waits, and nothing but other warps can use
/// the SM: the barrier and the first loads of each chunk, the end of the last
/// products, conversions and stores.
double GPUCostModel::getLatencyCycles() const {
  // A stage that has been read is copied anew: the others hide that.
  double hidden = std::max(1.0, toDouble(plan.stages - 1));
  // One stage more is held by the products under way.
  if (plan.isWgmma())
    return chunks * 1170 / std::pow(hidden, 1.84);
  double perChunk = plan.isBulk ? 600 / std::pow(hidden, 2.3) : 530;
  if (plan.stages == 1)
    perChunk = 1500; // Nothing is under way meanwhile.
  double perStore = plan.isBulk ? 33 : 25;
  return chunks * perChunk + getStores().count * perStore;
}

/// Bytes of X that a block reads in one piece.
int64_t GPUCostModel::getPieceBytes(int64_t batch) const {
  if (!batchFirst)
    return std::min(plan.entries, std::max<int64_t>(batch, 1)) * bytes;
  if (plan.j >= p.d)
    return std::min(p.c, plan.k) * p.d * bytes;
  return plan.j * bytes;
}

/// Little's law: the share of the bandwidth that the bytes under way allow.
double GPUCostModel::getOverlap(double resident) const {
  constexpr double kLatency = 300e-9;
  double stage = (inputBytes + (plan.isResident ? 0 : weightBytes)) / chunks;
  double underWay =
      resident * stage * (plan.stages > 1 ? toDouble(plan.stages - 1) : 0.5);
  double needed =
      target.dramBandwidth / toDouble(target.multiprocessors) * kLatency;
  return std::min(1.0, std::sqrt(underWay / needed));
}

GPUCost GPUCostModel::predict(int64_t batchBlocks, int64_t batch) const {
  GPUCost cost;
  cost.blocksPerSM = blocksPerSM;
  bool isWgmma = plan.isWgmma();
  cost.launch = isWgmma ? 4e-6 : 1.8e-6; // Barriers and tensor maps, too.
  double hertz = target.gigahertz * 1e9;
  double sms = toDouble(target.multiprocessors);
  double tiles = std::max(1.0, toDouble(plan.getNumTiles(batch)));
  double sharing = std::min(toDouble(batchBlocks), tiles);
  double slabs = toDouble(plan.getNumSlabs(p));
  double blocks = sharing * slabs;
  double perBlock = std::ceil(tiles / sharing);
  double resident = std::min(toDouble(blocksPerSM), std::ceil(blocks / sms));
  // In the last wave not all SMs work; short grids are dominated by it.
  double waves = std::ceil(blocks / (sms * toDouble(blocksPerSM)));
  double blocksOfSM =
      waves <= 2 ? std::ceil(blocks / sms) : blocks / sms + 0.5 * resident;
  double tilesOfSM = blocksOfSM * perBlock;
  double busy = std::min(1.0, blocks / sms);

  cost.dramBytes = getMinimumBytes(problem, batch);
  double overlap = isWgmma ? 1 : getOverlap(resident);
  cost.dram =
      cost.dramBytes / (target.dramBandwidth * busy *
                        getRowEfficiency(getPieceBytes(batch)) * overlap);
  double weights =
      plan.isResident ? blocks * weightBytes : tiles * slabs * weightBytes;
  cost.l2Bytes =
      tiles * slabs * (inputBytes / toDouble(plan.cluster) + outputBytes) +
      weights;
  // The busiest SM takes its share of the bytes.
  double l2Bandwidth = target.l2Bandwidth * (isWgmma ? 1.37 : 1);
  cost.l2 = cost.l2Bytes * (tilesOfSM * sms / (tiles * slabs)) / l2Bandwidth;
  // Few warps take turns at loading and multiplying; many do both at a time.
  double warps = resident * toDouble(plan.getWarps()) / 4;
  warps = std::max(1.0, warps);
  double serial = (tile.units + tile.shared) / (warps * std::sqrt(warps)) +
                  tile.latency / resident;
  if (isWgmma)
    serial = 1.1 * tile.units + tile.latency / resident;
  cost.shared = tilesOfSM * tile.shared / hertz;
  cost.units = tilesOfSM * std::max({tile.units, tile.issue, serial}) / hertz;
  double most = std::max({cost.dram, cost.l2, cost.shared, cost.units});
  cost.limit = most == cost.dram     ? "DRAM"
               : most == cost.l2     ? "L2"
               : most == cost.shared ? "shared memory"
                                     : "multiplications";
  // A block begins by filling its ring, and ends by emptying it; others on the
  // SM work meanwhile.
  double start =
      1.5e-6 + (plan.isResident ? weightBytes : 0) * sms / target.l2Bandwidth;
  double startup = waves * start / (waves > 1 ? resident : 1);
  // What all keep busy takes longer than what one does: they wait for another.
  double norm = isWgmma ? 2.8 : 2;
  double sum = 0;
  for (double part : {cost.dram, cost.l2, cost.shared, cost.units})
    sum += std::pow(part, norm);
  cost.seconds = cost.launch + startup + std::pow(sum, 1 / norm);
  if (cost.launch > most)
    cost.limit = "launch";
  return cost;
}

int64_t GPUCostModel::chooseBatchBlocks(int64_t batch, GPUCost &cost) const {
  int64_t tiles = std::max<int64_t>(1, plan.getNumTiles(batch));
  int64_t slots = target.multiprocessors * blocksPerSM;
  int64_t best = 0;
  auto consider = [&](int64_t blocks) {
    blocks = std::clamp<int64_t>(blocks, 1, std::min<int64_t>(tiles, 1 << 20));
    GPUCost candidate = predict(blocks, batch);
    if (best == 0 || candidate.seconds < cost.seconds) {
      best = blocks;
      cost = candidate;
    }
  };
  // Whole waves of blocks, or a few tiles for each.
  for (int64_t waves : {1, 2, 3, 4})
    consider(waves * slots / plan.getNumSlabs(p));
  for (int64_t perBlock : {1, 2, 4, 8})
    consider((tiles + perBlock - 1) / perBlock);
  return best;
}

GPUCost ks::predictGPU(const Problem &problem, const GPUPlan &plan,
                       const GPUTarget &target, int64_t batch) {
  return GPUCostModel(problem, plan, target).predict(plan.batchBlocks, batch);
}
