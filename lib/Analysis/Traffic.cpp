//===- Traffic.cpp - What a plan moves and computes -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Traffic.h"

#include <numeric>
#include <tuple>

using namespace ks;

static constexpr int64_t kLine = 128, kWidest = 16;

static double toDouble(int64_t value) { return static_cast<double>(value); }

int64_t ks::getAccessBytes(int64_t size) {
  return std::min(kWidest, size & -size);
}

static KSPattern getKernelPattern(const Problem &problem, const GPUPlan &plan) {
  return plan.getKernelPattern(problem.factors.front().pattern);
}

/// Bytes of a line of memory that staged results fill at a time: all, or some
/// columns of one n or a few.
static double getStagedRun(const KSPattern &p, const GPUPlan &plan,
                           int64_t bytes) {
  if (plan.j == p.d)
    return toDouble(kLine);
  double run = toDouble(plan.j * bytes);
  return std::min(toDouble(kLine),
                  run * std::max(1.0, toDouble(kLine) / toDouble(p.d * bytes)));
}

/// Stores of a lane of what it holds, without staging, and the lines that those
/// of its warp touch.
static std::pair<double, double> countStores(const KSPattern &p,
                                             const GPUPlan &plan,
                                             bool batchFirst, int64_t bytes) {
  const FragmentLayout &layout = plan.fragments;
  // A lane of wgmma16 has pairs of entries, batch-last, that it may exchange.
  int64_t vector = plan.isWgmmaSS() && !plan.exchangesEntries(batchFirst, bytes)
                       ? 1
                       : plan.vector;
  int64_t piece = vector * (batchFirst ? layout.runN : layout.slotsM());
  int64_t width = getAccessBytes(piece * bytes);
  // Lanes of a warp meet in lines: those along n if j is contiguous behind n,
  // else those along the batch.
  int64_t lanes = layout.lanesN(), others = FragmentLayout::lanes / lanes;
  int64_t span =
      batchFirst ? lanes * layout.runN * p.d * bytes : others * piece * bytes;
  int64_t groups = batchFirst ? others : lanes;
  int64_t perGroup = batchFirst ? lanes : others;
  int64_t lines =
      groups * std::min(perGroup, std::max<int64_t>(1, span / kLine));
  double count = toDouble(plan.getAccumulators(batchFirst) / piece) *
                 toDouble(piece * bytes / width);
  double fewest = toDouble(FragmentLayout::lanes * width) / toDouble(kLine);
  return {count, count * std::max(toDouble(lines), fewest)};
}

TileTraffic::TileTraffic(const Problem &problem, const GPUPlan &plan) {
  KSPattern p = getKernelPattern(problem, plan);
  const FragmentLayout &layout = plan.fragments;
  bool batchFirst = problem.batchFirst;
  int64_t bytes = problem.elementBytes(), resultBytes = problem.resultBytes();
  chunks = toDouble(plan.getBlockChunks(p));
  double depth = chunks * toDouble(plan.k);
  steps =
      chunks * toDouble(plan.k / layout.stepK()) * toDouble(plan.getWarps());
  products = toDouble(plan.entries) * toDouble(plan.n * plan.j) * depth *
             (problem.isComplex ? 4 : 1);
  inputBytes = toDouble(plan.entries * plan.j * bytes) * depth;
  weightBytes = toDouble(plan.getStageWeightBytes(bytes)) * chunks;
  outputBytes = toDouble(plan.entries * plan.n) *
                toDouble(plan.j * resultBytes) / toDouble(plan.splits);

  pieceBytes = layout.runK * plan.vector * bytes;
  bool isShifted = plan.shiftsRows(p, batchFirst, bytes);
  accessBytes = isShifted
                    ? 4
                    : getAccessBytes(std::gcd(
                          pieceBytes, batchFirst ? layout.runK * plan.j * bytes
                                                 : pieceBytes));
  int64_t pieces =
      plan.getTilesM(batchFirst) * FragmentLayout::slotsK / layout.runK;
  // Words that cover what begins anywhere.
  activationLoads = toDouble(pieces * (isShifted ? pieceBytes / (2 * bytes) + 1
                                                 : pieceBytes / accessBytes));
  weightLoads = toDouble((plan.tiedD || !batchFirst ? 1 : plan.vector) *
                         plan.getTilesN()) *
                std::max(1.0, toDouble(layout.weightsPerLane() *
                                       layout.partBytes(bytes)) /
                                  kWidest);

  isStaged = plan.getStagedN(p, batchFirst, resultBytes) != 0;
  stagedRun = getStagedRun(p, plan, resultBytes);
  if (isStaged) {
    int64_t stored =
        plan.getAccumulators(batchFirst) * resultBytes * FragmentLayout::lanes;
    stores = toDouble(stored / kWidest / FragmentLayout::lanes);
    storeLines = toDouble(stored) / stagedRun;
  } else if (plan.stagesRows(p, batchFirst, resultBytes)) {
    // Single elements into shared memory, which takes two at least for what it
    // could take at a time, and 16 bytes from there and to memory.
    constexpr double kElement = 0.06, kElementLines = 0.35;
    double count = toDouble(plan.getAccumulators(batchFirst));
    stores = count * (toDouble(resultBytes) / kWidest + kElement);
    storeLines = count * (toDouble(FragmentLayout::lanes * resultBytes) /
                              toDouble(kLine) +
                          kElementLines);
  } else {
    std::tie(stores, storeLines) =
        countStores(p, plan, batchFirst, resultBytes);
  }
  stores /= toDouble(plan.splits);
  storeLines /= toDouble(plan.splits);
  partialBytes = toDouble(plan.getPartialBytes(batchFirst, bytes));
}

double ks::getActiveWeightBytes(const TileTraffic &tile, const Problem &problem,
                                const GPUPlan &plan, int64_t batchBlocks,
                                int64_t batch, double active) {
  if (plan.isResident)
    return 0;
  KSPattern p = getKernelPattern(problem, plan);
  double slabs = toDouble(plan.getSweepSlabs(p) * plan.splits);
  double sharing = toDouble(
      std::min(batchBlocks, std::max<int64_t>(1, plan.getNumTiles(batch))));
  // Those of a sweep; of more, where a sweep has fewer blocks.
  double together = std::max(std::min(slabs, active), active / sharing);
  double different =
      toDouble(plan.getNumSlabs(p) * plan.splits / (plan.tiedA ? p.a : 1));
  return std::min(together, different) * tile.weightBytes;
}

double ks::getL2Bytes(const TileTraffic &tile, const Problem &problem,
                      const GPUPlan &plan, int64_t batchBlocks, int64_t batch) {
  int64_t tiles = std::max<int64_t>(1, plan.getNumTiles(batch));
  double slabs =
      toDouble(plan.getNumSlabs(getKernelPattern(problem, plan)) * plan.splits);
  double times =
      toDouble(plan.isResident ? std::min(batchBlocks, tiles) : tiles);
  return toDouble(tiles) * slabs *
             (tile.inputBytes / toDouble(plan.cluster) + tile.outputBytes) +
         times * slabs * tile.weightBytes;
}

int64_t ks::getRunBytes(const Problem &problem, const GPUPlan &plan,
                        int64_t batch) {
  KSPattern p = getKernelPattern(problem, plan);
  int64_t bytes = problem.elementBytes();
  if (!problem.batchFirst)
    return std::min(plan.entries, std::max<int64_t>(batch, 1)) * bytes;
  if (plan.j >= p.d)
    return std::min(p.c, plan.k) * p.d * bytes;
  return plan.j * bytes;
}

Traffic ks::getTraffic(const Problem &problem, const GPUPlan &plan,
                       int64_t batch) {
  TileTraffic tile(problem, plan);
  KSPattern p = getKernelPattern(problem, plan);
  double slabs = toDouble(plan.getNumSlabs(p) * plan.splits);
  double tiles = toDouble(plan.getNumTiles(batch)) * slabs;
  Traffic traffic;
  traffic.dramBytes = getMinimumBytes(problem, batch);
  traffic.l2Bytes = getL2Bytes(tile, problem, plan, plan.batchBlocks, batch);
  double resident = plan.isResident ? toDouble(plan.getNumBatchBlocks(batch)) *
                                          slabs * tile.weightBytes
                                    : 0;
  traffic.sharedBytes = tiles * tile.getCopiedBytes(plan) + resident;
  traffic.flops = getFlops(problem, batch);
  traffic.paddedFlops = 2 * tiles * tile.products;
  traffic.blockBytes = plan.getSharedBytes(
      p, problem.batchFirst, problem.elementBytes(), problem.resultBytes());
  traffic.laneRegisters = plan.getRegisters(problem);
  return traffic;
}
