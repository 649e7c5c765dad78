//===- CPUPlanner.cpp - Plans for CPUs ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/CPUPlanner.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <tuple>

using namespace ks;

namespace {

/// How a vector is laid over (n, j), batch-first.
struct LaneShape {
  int64_t n, j, lanes;
};

/// Cost model of one factor.
class TileModel {
public:
  TileModel(const Problem &problem, unsigned index, const CPUTarget &target)
      : problem(problem), index(index), target(target),
        pattern(problem.factors[index].pattern),
        batch(problem.batch.value_or(kAssumedBatch)),
        reals(problem.isComplex ? 2 : 1),
        maxLanes(std::max<int64_t>(
            1, target.getLanes(problem.accumulatorBytes) / reals)) {}

  llvm::SmallVector<CPUTile> enumerate() const {
    llvm::SmallVector<CPUTile> tiles;
    if (problem.batchFirst) {
      for (LaneShape shape : getLaneShapes())
        for (int64_t vectors = 1;
             vectors <= std::min<int64_t>(8, pattern.b / shape.n); ++vectors)
          for (int64_t rows = 1; rows <= std::min<int64_t>(24, batch); ++rows)
            add(tiles, rows, vectors, shape);
      return tiles;
    }
    // Batch-last: rows run along n, vectors along the batch.
    int64_t lanes = std::min<int64_t>(maxLanes, llvm::PowerOf2Ceil(batch));
    for (int64_t vectors = 1;
         vectors <= std::min<int64_t>(8, llvm::divideCeil(batch, lanes));
         ++vectors)
      for (int64_t rows = 1; rows <= std::min<int64_t>(24, pattern.b); ++rows)
        add(tiles, rows, vectors, {rows, 1, lanes});
    return tiles;
  }

private:
  /// The (n, j) worth trying: j a whole vector, d itself, or a divisor of d;
  /// n fills the rest of the vector.
  llvm::SmallVector<LaneShape> getLaneShapes() const {
    llvm::SmallVector<LaneShape> shapes;
    for (int64_t j = 1; j <= std::min(pattern.d, maxLanes); ++j) {
      if (pattern.d % j != 0 && j != maxLanes)
        continue;
      int64_t n = std::min(pattern.b, maxLanes / j);
      shapes.push_back({n, j, static_cast<int64_t>(llvm::PowerOf2Ceil(n * j))});
    }
    return shapes;
  }

  void add(llvm::SmallVectorImpl<CPUTile> &tiles, int64_t rows, int64_t vectors,
           LaneShape shape) const {
    // Accumulators, the vectors of one row, and one more operand.
    if (rows * vectors + vectors + 1 > target.vectorRegisters)
      return;
    // Short sums do not pay for large tiles, which cost compile time.
    if (rows * vectors > std::max<int64_t>(8, 2 * pattern.c))
      return;
    CPUTile tile;
    tile.rows = rows;
    tile.vectors = vectors;
    tile.lanes = shape.lanes;
    tile.n = shape.n;
    tile.j = shape.j;
    tile.packVectors = problem.batchFirst ? vectors : 1;
    tile.packLanes = problem.batchFirst ? shape.lanes : rows;
    // Short loops are unrolled; longer ones a little where tiles are small.
    for (int64_t unroll : {2, 4, 8})
      if (pattern.c % unroll == 0 && rows * vectors * unroll <= 32)
        tile.unroll = unroll;
    if (!problem.batchFirst) {
      tile.cyclesPerEntry = batchLastCycles(tile);
      tiles.push_back(tile);
      return;
    }
    bool weightsInL1 =
        getWeightBytes() <= static_cast<double>(target.l1Bytes) / 2;
    for (bool keepActivations : {false, true}) {
      if (weightsInL1 && !keepActivations)
        continue; // the rows are then better read from end to end
      tile.keepActivations = keepActivations;
      tile.cyclesPerEntry = batchFirstCycles(tile);
      tiles.push_back(tile);
    }
  }

  /// Cycles of a tile from its first k to its stores.
  double tileCycles(const CPUTile &tile, int64_t rows, double activationLoad,
                    double weightLoad, double storesPerVector,
                    double bytesPerStep) const {
    double accumulators = static_cast<double>(rows * tile.vectors);
    double steps = static_cast<double>(pattern.c) * static_cast<double>(reals);
    double fmas = accumulators / target.fmaPerCycle;
    double loads = (activationLoad + weightLoad) / target.loadsPerCycle;
    // The front end issues at most about 5 instructions per cycle.
    double issue = (accumulators + activationLoad + weightLoad + 1) / 5;
    double step =
        std::max({fmas, loads, issue, static_cast<double>(target.fmaLatency)});
    // What L2 delivers while the tile runs.
    constexpr double kL2BytesPerCycle = 24;
    double l2 =
        static_cast<double>(pattern.c) * bytesPerStep / kL2BytesPerCycle;
    constexpr double kStartCycles = 20; // loop control, zeroing, addresses
    return kStartCycles + std::max(steps * step, l2) +
           accumulators * storesPerVector;
  }

  double batchFirstCycles(const CPUTile &tile) const {
    // Loading an X vector: one instruction if it is a plain load or a
    // broadcast, a few more if it takes a shuffle or a conversion.
    int64_t piece = tile.j * reals;
    bool isPlain = tile.n == 1 || llvm::isPowerOf2_64(piece);
    double load = isPlain ? 1 : 2;
    if (problem.realBytes != problem.accumulatorBytes)
      load += 2;
    bool isContiguous = tile.j == pattern.d || tile.n == 1;
    double stores = isContiguous ? 1.5 : 1.5 * static_cast<double>(tile.n);
    auto cycles = [&](int64_t rows) {
      return tileCycles(tile, rows, load * static_cast<double>(rows),
                        static_cast<double>(tile.vectors), stores,
                        getBytesFromL2(tile, rows)) +
             getMissCycles(tile);
    };
    double perEntry =
        problem.batch
            ? (static_cast<double>(batch / tile.rows) * cycles(tile.rows) +
               static_cast<double>(batch % tile.rows) * cycles(1)) /
                  std::max(1.0, static_cast<double>(batch))
            : cycles(tile.rows) / static_cast<double>(tile.rows);
    return perEntry * static_cast<double>(pattern.a) *
           static_cast<double>(llvm::divideCeil(pattern.d, tile.j)) *
           static_cast<double>(
               llvm::divideCeil(pattern.b, tile.n * tile.vectors));
  }

  /// Of the packed weight, without padding.
  double getWeightBytes() const {
    return static_cast<double>(problem.factors[index].storedWeights() * reals *
                               reals * problem.accumulatorBytes);
  }

  /// Bytes that come from L2 (or, counted several times, from further away)
  /// per step of k of a batch-first tile.
  double getBytesFromL2(const CPUTile &tile, int64_t rows) const {
    constexpr int64_t kLine = 64;
    double l1 = static_cast<double>(target.l1Bytes) / 2;
    double l2 = static_cast<double>(target.l2Bytes) / 2;
    // X: j elements are wanted, but whole lines move where neighbouring k are
    // a line or more apart.
    int64_t step = pattern.d * problem.elementBytes();
    auto moved = static_cast<double>(std::min<int64_t>(
        llvm::alignTo(tile.j * problem.elementBytes(), kLine), step));
    // W: a panel, or all of it.
    auto row = static_cast<double>(tile.vectors * tile.lanes * reals * reals *
                                   problem.accumulatorBytes);
    double panel = row * static_cast<double>(pattern.c);
    double all = getWeightBytes();
    double activations = moved * static_cast<double>(rows);
    double depth = static_cast<double>(pattern.c);
    if (tile.keepActivations) {
      // Weights are read again for each tile of the batch.
      constexpr double kL3 = 3, kMemory = 8, kL3Bytes = 4 << 20;
      double weights = all <= l1         ? 0
                       : all <= l2       ? row
                       : all <= kL3Bytes ? row * kL3
                                         : row * kMemory;
      return weights + (activations * depth <= l1 ? 0 : activations);
    }
    return activations + (panel <= l1 ? 0 : row);
  }

  /// Cycles that a tile waits for memory, on average. Where weights are
  /// stationary, the first panel reads the input in short pieces of rows that
  /// are far apart, which no prefetcher foresees: all rows of the tile miss
  /// together, once per cache line.
  double getMissCycles(const CPUTile &tile) const {
    constexpr int64_t kLine = 64, kLongRun = 2048;
    constexpr double kLatency = 300; // cycles, to memory
    int64_t run = pattern.c * pattern.d * problem.elementBytes();
    if (index != 0 || tile.keepActivations || run > kLongRun)
      return 0;
    auto panels =
        static_cast<double>(llvm::divideCeil(pattern.d, tile.j) *
                            llvm::divideCeil(pattern.b, tile.n * tile.vectors));
    return static_cast<double>(llvm::divideCeil(run, kLine)) * kLatency /
           panels;
  }

  double batchLastCycles(const CPUTile &tile) const {
    double load = problem.realBytes == problem.accumulatorBytes ? 1 : 2;
    double cycles =
        tileCycles(tile, tile.rows, load * static_cast<double>(tile.vectors),
                   static_cast<double>(tile.rows), 1.5,
                   static_cast<double>(tile.vectors * tile.lanes *
                                       problem.elementBytes()));
    int64_t entries = tile.lanes * tile.vectors;
    // The rest of the batch runs vector by vector, masked.
    int64_t rest = llvm::divideCeil(batch % entries, tile.lanes);
    double blocks = static_cast<double>(batch / entries) +
                    static_cast<double>(rest) * 1.2 /
                        std::sqrt(static_cast<double>(tile.vectors));
    return cycles * blocks / std::max(1.0, static_cast<double>(batch)) *
           static_cast<double>(pattern.a) * static_cast<double>(pattern.d) *
           static_cast<double>(llvm::divideCeil(pattern.b, tile.rows));
  }

  const Problem &problem;
  const unsigned index;
  const CPUTarget &target;
  const KSPattern pattern;
  const int64_t batch, reals, maxLanes;
};

} // namespace

llvm::SmallVector<CPUTile> ks::rankTiles(const Problem &problem, unsigned index,
                                         const CPUTarget &target) {
  Problem assumed = problem;
  if (assumed.batch == 0) // nothing to compute; any plan will do
    assumed.batch = 1;
  llvm::SmallVector<CPUTile> tiles =
      TileModel(assumed, index, target).enumerate();
  // Equal costs are ordered by shape, so that plans do not depend on the host.
  llvm::sort(tiles, [](const CPUTile &x, const CPUTile &y) {
    return std::tie(x.cyclesPerEntry, x.keepActivations, x.rows, x.vectors,
                    x.j) < std::tie(y.cyclesPerEntry, y.keepActivations, y.rows,
                                    y.vectors, y.j);
  });
  return tiles;
}

/// The batch block: input, intermediates and result in half of L2, unless that
/// streams the weights too often; whole tiles; enough blocks for all threads.
/// (Larger blocks are slower even for one factor: rows are pages apart, and
/// each group reads a short piece of every row of the block.)
static int64_t getBatchBlock(const Problem &problem, const CPUTarget &target,
                             llvm::ArrayRef<CPUTile> tiles, int64_t batch) {
  int64_t width = 0, step = 1;
  double weightBytes = 0, cycles = 0;
  for (auto [factor, tile] : llvm::zip_equal(problem.factors, tiles)) {
    width = std::max(width, factor.pattern.inFeatures() +
                                factor.pattern.outFeatures());
    step = std::max(step,
                    problem.batchFirst ? tile.rows : tile.lanes * tile.vectors);
    weightBytes +=
        static_cast<double>(factor.storedWeights() * problem.accumulatorBytes);
    cycles += tile.cyclesPerEntry;
  }
  constexpr int64_t kBlocksPerThread = 4;
  int64_t inCache = target.l2Bytes / 2 / (width * problem.elementBytes());
  int64_t share = llvm::divideCeil(batch, target.threads * kBlocksPerThread);
  // Weights that L2 does not hold come from L3 for each block; that may take
  // a fourth of the time.
  constexpr double kL3BytesPerCycle = 10, kShareOfTime = 0.25;
  int64_t amortized =
      weightBytes <= static_cast<double>(target.l2Bytes) / 2
          ? 1
          : static_cast<int64_t>(weightBytes / kL3BytesPerCycle /
                                 (kShareOfTime * cycles)) +
                1;
  int64_t block = std::max(std::min(inCache, share), amortized);
  return llvm::divideCeil(std::max<int64_t>(block, 1), step) * step;
}

/// Whether rows of the input, if they lie one behind the other, compete for
/// the same sets of a cache while panels read them again and again.
static bool shouldStageInput(const Problem &problem, const CPUTile &tile) {
  constexpr int64_t kAliasing = 4096, kReads = 4;
  const KSPattern &p = problem.factors.front().pattern;
  int64_t pitch = p.inFeatures() * problem.elementBytes();
  int64_t reads = llvm::divideCeil(p.b, tile.n * tile.vectors);
  return problem.batchFirst && pitch % kAliasing == 0 && reads >= kReads;
}

double ks::predictCPU(const Problem &problem, const CPUTarget &target,
                      double cycles) {
  int64_t batch = problem.batch.value_or(kAssumedBatch);
  double compute =
      cycles * static_cast<double>(batch) /
      (target.gigahertz * 1e9 * static_cast<double>(target.threads));
  return std::max(compute,
                  getMinimumBytes(problem, batch) / target.memoryBandwidth);
}

llvm::SmallVector<CPUPlan> ks::planForCPU(const Problem &problem,
                                          const CPUTarget &target,
                                          unsigned count) {
  int64_t batch = problem.batch.value_or(kAssumedBatch);
  llvm::SmallVector<llvm::SmallVector<CPUTile>> ranked;
  for (unsigned index = 0; index < problem.factors.size(); ++index)
    ranked.push_back(rankTiles(problem, index, target));

  llvm::SmallVector<CPUPlan> plans;
  for (unsigned rank = 0; rank < count; ++rank) {
    CPUPlan plan;
    bool isNew = rank == 0;
    double cycles = 0;
    for (const auto &tiles : ranked) {
      isNew |= rank < tiles.size();
      plan.tiles.push_back(tiles[std::min<size_t>(rank, tiles.size() - 1)]);
      cycles += plan.tiles.back().cyclesPerEntry;
    }
    if (!isNew)
      break;
    plan.batchBlock = getBatchBlock(problem, target, plan.tiles, batch);
    int64_t blocks = llvm::divideCeil(batch, plan.batchBlock);
    plan.parallelBatch = blocks >= target.threads;
    plan.parallelGroup = plan.parallelPanel = !plan.parallelBatch;
    for (CPUTile &tile : plan.tiles)
      tile.keepActivations &= plan.parallelBatch;
    plan.stageInput =
        plan.parallelBatch && shouldStageInput(problem, plan.tiles.front());
    plan.seconds = predictCPU(problem, target, cycles);
    plans.push_back(std::move(plan));
  }
  return plans;
}
