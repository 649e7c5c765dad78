//===- GPUPlanner.cpp - Plans for GPUs ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUCost.h"
#include "ks/Analysis/SplitFloat.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"

#include <limits>
#include <numeric>
#include <queue>
#include <tuple>

using namespace ks;

namespace {
/// Enumerates the plans of one problem.
class Enumerator {
public:
  Enumerator(const Problem &problem, const GPUTarget &target, size_t count)
      : problem(problem), target(target),
        p(toKernelPattern(problem.factors.front().pattern, /*isFolded=*/false,
                          problem.getPlanes())),
        batch(problem.batch.value_or(kAssumedGPUBatch)), count(count) {}

  llvm::SmallVector<RankedGPUPlan> rank();

private:
  /// What a plan must cost less than to be among the best `count`.
  double getBound() const {
    return best.size() < count ? std::numeric_limits<double>::infinity()
                               : best.top();
  }
  /// A slab's columns, and how lanes read them.
  struct Columns {
    int64_t vector, warpsJ, runK;
    bool isFlat;
  };
  llvm::SmallVector<Columns> getColumns() const;
  void addPlans(bool hasWgmma);
  void addPlans(const Columns &columns, WarpInstruction instruction);
  void addTiles(GPUPlan plan, bool isFlat);
  void chooseRunN(GPUPlan &plan) const;
  void chooseSweeps(GPUPlan &plan) const;
  void addWgmmaPlans();
  void addWgmmaPlans(bool isFolded);
  void addWgmmaRSPlans();
  void addWgmmaRSPlans(const Columns &columns);
  void addPlanesPlans();
  void addPlanesPlans(int64_t vector, int64_t warpsJ);
  void add(GPUPlan plan);
  void addSplits(GPUPlan plan);
  /// Batch-last, whether the copy engine can read rows that follow each other:
  /// else one warp copies element by element, where others could help.
  bool hasAlignedRows() const {
    return !problem.batch || *problem.batch * problem.elementBytes() % 16 == 0;
  }
  bool isTF32() const {
    return problem.realBytes == 4 && problem.tf32 && !problem.isComplex;
  }
  llvm::SmallVector<WarpInstruction> getInstructions() const {
    if (problem.realBytes == 2)
      return {WarpInstruction::Mma16};
    if (isTF32())
      return {WarpInstruction::Mma8};
    if (problem.realBytes != 4 || problem.isComplex)
      return {WarpInstruction::Fma};
    bool pays = target.getSplitPerClock() > target.fma32PerClock;
    if (pays && p.c >= kMinSplitDepth)
      return {WarpInstruction::Fma, WarpInstruction::Mma16Split};
    return {WarpInstruction::Fma};
  }

  const Problem &problem;
  const GPUTarget &target;
  KSPattern p; ///< That kernels compute, unless they fold it.
  int64_t batch;
  size_t count;
  /// Those that were among the best `count` when they were found, and what the
  /// best `count` cost, the most expensive on top.
  llvm::SmallVector<RankedGPUPlan> plans;
  std::priority_queue<double> best;
};
} // namespace

/// Elements of 16 bytes.
static int64_t getWidest(const Problem &problem) {
  return std::max<int64_t>(1, 16 / problem.elementBytes());
}

llvm::SmallVector<Enumerator::Columns> Enumerator::getColumns() const {
  int64_t widest = getWidest(problem);
  llvm::SmallVector<Columns> all;
  if (!problem.batchFirst) {
    for (int64_t vector = widest; vector >= 1; vector /= 2)
      if (vector == widest || vector * 4 >= batch)
        all.push_back({vector, 1, 1, false});
    return all;
  }
  bool isPower = (p.d & (p.d - 1)) == 0;
  // A flat slab: a run of k with all its columns is one piece of memory.
  if (p.d <= 8) {
    int64_t run =
        isPower ? std::max<int64_t>(1, std::min<int64_t>(4, widest / p.d)) : 4;
    all.push_back({p.d, 1, run, true});
    if (run != 1)
      all.push_back({p.d, 1, 1, true});
  }
  // All of them, by several warps where they are too many for one: rows of an
  // odd number of columns are in one piece only together.
  constexpr int64_t kWidestVector = 16;
  for (int64_t warps : {1, 2, 3, 4}) {
    int64_t vector = p.d / warps;
    if (p.d > 8 && !isPower && p.d % warps == 0 && vector <= kWidestVector &&
        vector > 4) {
      // Runs of k make rows of which the copy engine can have a part.
      if (warps == 1)
        all.push_back({vector, warps, 4, true});
      all.push_back({vector, warps, 1, true});
    }
  }
  // All of them where rows of them are not whole pieces: the last of the warps
  // begins earlier, so any number of columns is one slab.
  constexpr int64_t kMostWarps = 10, kWays = 3;
  int64_t fewest = (p.d + kWidestVector - 1) / kWidestVector;
  bool isWhole = p.d * problem.elementBytes() % 16 == 0;
  // One warp can have up to 16 columns; of wider elements that is better where
  // groups are aligned.
  bool isAligned = p.c * p.d * problem.elementBytes() % 16 == 0;
  int64_t few = isAligned && problem.elementBytes() > 2 ? kWidestVector : 8;
  if (p.d > few && !isWhole && !problem.factors.front().tiedD)
    for (int64_t warps = std::max<int64_t>(2, fewest), ways = 0;
         warps <= kMostWarps && ways < kWays; ++warps) {
      int64_t vector = (p.d + warps - 1) / warps;
      bool isNew = llvm::none_of(all, [&](const Columns &columns) {
        return columns.vector == vector && columns.warpsJ == warps;
      });
      if (vector * (warps - 1) < p.d && vector > 2 && isNew) {
        all.push_back({vector, warps, 1, true});
        ++ways;
      }
    }
  // Part of the columns: whole pieces, of several warps where there are more.
  for (int64_t vector = widest; vector >= 1; vector /= 2)
    for (int64_t warps : {1, 2, 4, 8}) {
      bool divides = p.d % (vector * warps) == 0;
      bool covers = vector * warps < (p.d > widest ? 2 * p.d : p.d + 1);
      bool isNew = llvm::none_of(all, [&](const Columns &columns) {
        return columns.vector == vector && columns.warpsJ == warps &&
               columns.runK == 1;
      });
      if (p.d > 4 && covers && isNew &&
          (divides || vector == widest || vector == 1))
        all.push_back({vector, warps, 1, vector * warps == p.d});
    }
  return all;
}

/// As few sweeps as keep the weights of one in L2: by groups, or by columns j
/// that make up lines of memory, or half lines.
void Enumerator::chooseSweeps(GPUPlan &plan) const {
  constexpr int64_t kLine = 128, kMaxSweeps = 1024;
  plan.sweeps = 1;
  if (plan.isResident || !plan.fragments.isMma())
    return;
  KSPattern kernel = plan.getKernelPattern(p);
  int64_t bytes = problem.elementBytes();
  int64_t blocksJ = plan.getNumBlocksJ(kernel),
          slabs = plan.getNumSlabs(kernel);
  int64_t slabBytes =
      plan.getNumChunks(kernel) * plan.getStageWeightBytes(bytes);
  int64_t lineBlocks =
      problem.batchFirst ? std::max<int64_t>(1, kLine / (plan.j * bytes)) : 1;
  for (int64_t together : {blocksJ * kernel.a, blocksJ, lineBlocks,
                           std::max<int64_t>(1, lineBlocks / 2)}) {
    bool isPart = together <= blocksJ && blocksJ % together == 0;
    int64_t sweeps = blocksJ * kernel.a / together;
    if ((!isPart && together != blocksJ * kernel.a) || sweeps > kMaxSweeps)
      continue;
    plan.sweeps = sweeps;
    if (slabs / plan.sweeps * slabBytes <= target.l2Bytes / 4)
      return;
  }
}

void Enumerator::add(GPUPlan plan) {
  chooseSweeps(plan);
  if (!isLegalGPUPlan(problem, plan, target))
    return;
  GPUCost cost;
  plan.batchBlocks = GPUCostModel(problem, plan, target)
                         .chooseBatchBlocks(batch, cost, getBound());
  if (plan.batchBlocks == 0)
    return;
  plans.push_back({plan, cost});
  best.push(cost.seconds);
  if (best.size() > count)
    best.pop();
}

/// The plan, and the same with blocks that share k where there would be too
/// few.
void Enumerator::addSplits(GPUPlan plan) {
  add(plan);
  KSPattern kernel = plan.getKernelPattern(p);
  if (target.capability < 90 ||
      plan.getNumSlabs(kernel) * plan.getNumTiles(batch) >=
          target.multiprocessors)
    return;
  for (int64_t splits : {2, 3, 4, 6, 8})
    if (plan.getNumChunks(kernel) % splits == 0 &&
        plan.getTilesN() % splits == 0) {
      plan.splits = splits;
      // A lane's share has to be whole pieces.
      if (plan.getStoredTilesN() * plan.fragments.slotsN() %
              plan.fragments.runN ==
          0)
        add(plan);
    }
}

/// All depths and numbers of stages, by both ways of copying.
void Enumerator::addTiles(GPUPlan plan, bool isFlat) {
  if (isFlat && plan.vector == p.d && problem.batchFirst)
    chooseRunN(plan);
  bool canBeBulk = target.capability >= 90 && problem.batchFirst &&
                   plan.fragments.isMma() && !problem.convertsInput();
  int64_t step = plan.fragments.stepK();
  for (int64_t k = step; k <= 128; k *= 2) {
    if (k > step && k / 2 >= p.c)
      break;
    plan.k = k;
    // The other decisions take no fewer registers. Most plans end here.
    plan.isBulk = false;
    plan.sweeps = 1;
    if (plan.getRegisters(problem) > plan.getAvailableRegisters())
      continue;
    int64_t chunks = plan.getNumChunks(p);
    for (bool isBulk : {false, true}) {
      if (isBulk && !canBeBulk)
        continue;
      for (bool isResident : {false, true})
        for (int64_t stages : {1, 2, 3, 4, 6, 8}) {
          if (stages == 1 && (chunks > 1 || isResident || isBulk))
            continue;
          if (stages > 6 && plan.getNumTiles(batch) > 1)
            continue; // Other tiles hide what the ring does not.
          plan.isBulk = isBulk;
          plan.isResident = isResident;
          plan.stages = stages;
          addSplits(plan);
        }
    }
  }
}

void Enumerator::addPlans(const Columns &columns, WarpInstruction instruction) {
  GPUPlan plan;
  plan.fragments.instruction = instruction;
  plan.fragments.runK = columns.runK;
  plan.vector = columns.vector;
  plan.warpsJ = columns.warpsJ;
  plan.j = columns.isFlat       ? p.d
           : problem.batchFirst ? columns.vector * columns.warpsJ
                                : 1;
  plan.tiedA = problem.factors.front().tiedA;
  plan.tiedD = problem.factors.front().tiedD;
  int64_t tileN = plan.fragments.tileN();
  int64_t tileM = plan.getTileEntries(problem.batchFirst);
  for (int64_t tilesN : {1, 2, 3, 4, 6, 8})
    for (int64_t warpsN : {1, 2, 4, 8}) {
      plan.n = tileN * tilesN * warpsN;
      // No more than one tile too many.
      if (plan.n >= p.b + tileN * warpsN && plan.n > tileN)
        continue;
      plan.warpsN = warpsN;
      for (int64_t tilesM : {1, 2, 4, 8, 16})
        for (int64_t warpsM : {1, 2, 4, 8}) {
          plan.entries = tileM * tilesM * warpsM;
          if (plan.entries >= 2 * batch && plan.entries > tileM)
            continue;
          plan.warpsM = warpsM;
          int64_t warps = plan.getWarps();
          if (warps > 16 || plan.entries > 512)
            continue;
          // Few warps only where there is little to do.
          if (warps < 4 && plan.entries * 2 <= batch && plan.n < p.b)
            continue;
          addTiles(plan, columns.isFlat);
        }
    }
}

/// Plans whose warps multiply four at a time.
void Enumerator::addWgmmaPlans(bool isFolded) {
  GPUPlan plan;
  plan.isFolded = isFolded;
  plan.fragments.instruction = WarpInstruction::Wgmma16;
  plan.isBulk = true;
  plan.vector = problem.batchFirst ? 1 : 8;
  plan.tiedA = problem.factors.front().tiedA;
  plan.tiedD = problem.factors.front().tiedD && !isFolded;
  plan.warpsN = FragmentLayout::wgmmaWarps;
  KSPattern kernel = plan.getKernelPattern(p);
  constexpr int64_t kRows = 64; // Of the instruction.
  for (int64_t n : {1, 2, 3, 4}) {
    plan.n = n * kRows;
    if (plan.n >= kernel.b + kRows)
      continue;
    // Neighbouring n make a piece of the result.
    if (problem.batchFirst)
      plan.fragments.runN = std::gcd<int64_t>(8, 2 * n);
    for (int64_t warps : {1, 2})
      for (int64_t entries : {64, 128, 192, 256}) {
        plan.warpsM = warps;
        plan.entries = warps * entries;
        if (plan.entries >= 2 * batch && plan.entries > kRows)
          continue;
        for (int64_t k : {48, 64, 96, 128}) {
          if (k >= kernel.c + kRows)
            continue;
          plan.k = k;
          for (bool isResident : {false, true})
            for (int64_t stages : {2, 3, 4, 6}) {
              plan.isResident = isResident;
              plan.stages = stages;
              add(plan);
            }
        }
      }
  }
}

/// Neighbouring n make a piece of the result, where columns leave room.
void Enumerator::chooseRunN(GPUPlan &plan) const {
  int64_t slots = plan.getTilesN() * plan.fragments.slotsN();
  int64_t widest = getWidest(problem);
  plan.fragments.runN = std::gcd(widest / std::gcd(widest, p.d), slots);
}

/// Both operands from shared memory, where k or entries are contiguous.
void Enumerator::addWgmmaPlans() {
  constexpr int64_t kMaxFolded = 8; // Times as many products.
  if (!problem.batchFirst ? hasAlignedRows() : p.d == 1)
    addWgmmaPlans(/*isFolded=*/false);
  else if (problem.batchFirst && p.d <= kMaxFolded)
    addWgmmaPlans(/*isFolded=*/true);
}

/// Activations from registers, where they cannot, or, of tf32, not all.
void Enumerator::addWgmmaRSPlans() {
  if (!problem.batchFirst && isTF32() && hasAlignedRows())
    addWgmmaRSPlans({getWidest(problem), 1, /*runK=*/2, false});
  if (problem.batchFirst && (p.d > 1 || isTF32()))
    for (const Columns &columns : getColumns())
      if (columns.vector == p.d ||
          (columns.vector == getWidest(problem) &&
           (!columns.isFlat || columns.vector * columns.warpsJ == p.d)))
        addWgmmaRSPlans(columns);
}

void Enumerator::addWgmmaRSPlans(const Columns &columns) {
  GPUPlan plan;
  plan.fragments.instruction =
      isTF32() ? WarpInstruction::WgmmaRS8 : WarpInstruction::WgmmaRS16;
  plan.fragments.runK = columns.runK;
  plan.isBulk = true;
  plan.vector = columns.vector;
  plan.warpsJ = columns.warpsJ;
  plan.j = problem.batchFirst ? columns.vector * columns.warpsJ : 1;
  plan.tiedA = problem.factors.front().tiedA;
  plan.tiedD = problem.factors.front().tiedD;
  constexpr int64_t kGroup = FragmentLayout::wgmmaWarps;
  const int64_t kRows = 2 * kGroup * plan.getTileEntries(problem.batchFirst);
  int64_t tileN = plan.fragments.tileN();
  for (int64_t tilesN : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16})
    for (auto [groupsM, warpsN] :
         {std::pair<int64_t, int64_t>{1, 1}, {2, 1}, {1, 2}}) {
      if (groupsM * warpsN * columns.warpsJ > 2)
        continue;
      plan.warpsM = kGroup * groupsM;
      plan.warpsN = warpsN;
      plan.n = tileN * tilesN * warpsN;
      if (plan.n >= p.b + tileN * warpsN)
        continue;
      if (columns.isFlat && plan.vector == p.d)
        chooseRunN(plan);
      for (int64_t rows : {kRows, 2 * kRows}) {
        plan.entries = rows * groupsM;
        if (plan.entries >= 2 * batch && plan.entries > kRows)
          continue;
        if (plan.entries > 4 * batch && batch > 0)
          continue; // Most of it would be empty.
        for (int64_t k = plan.fragments.stepK(); k <= 64; k *= 2) {
          if (k > plan.fragments.stepK() && k / 2 >= p.c)
            break;
          plan.k = k;
          for (int64_t cluster : {1, 2, 4, 8})
            for (bool isResident : {false, true})
              for (int64_t stages : {2, 3, 4, 6}) {
                plan.cluster = cluster;
                plan.isResident = isResident;
                plan.stages = stages;
                if (cluster == 1)
                  addSplits(plan);
                else
                  add(plan);
              }
        }
      }
    }
}

/// Columns whose k are together. Those of a warp are next to each other in the
/// result, so that there are as many as a piece of memory takes, or more if n
/// are few.
void Enumerator::addPlanesPlans() {
  for (int64_t vector : {1, 2, 4, 8, 16})
    for (int64_t warpsJ : {1, 2})
      if (vector * warpsJ < 2 * p.d)
        addPlanesPlans(std::min(vector, p.d), warpsJ);
}

void Enumerator::addPlanesPlans(int64_t vector, int64_t warpsJ) {
  GPUPlan plan;
  plan.fragments.instruction = WarpInstruction::WgmmaRS16;
  plan.fragments.runK = 2;
  plan.planes = problem.getPlanes();
  plan.isBulk = true;
  plan.vector = vector;
  plan.warpsJ = warpsJ;
  plan.j = vector * warpsJ;
  plan.tiedA = problem.factors.front().tiedA;
  plan.tiedD = problem.sharesColumns();
  constexpr int64_t kGroup = FragmentLayout::wgmmaWarps;
  int64_t tileN = plan.fragments.tileN();
  for (int64_t tilesN : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32})
    for (auto [groupsM, warpsN] :
         {std::pair<int64_t, int64_t>{1, 1}, {2, 1}, {1, 2}}) {
      if (groupsM * warpsN * warpsJ > 2)
        continue;
      plan.warpsM = kGroup * groupsM;
      plan.warpsN = warpsN;
      plan.entries = 16 * plan.warpsM;
      plan.n = tileN * tilesN * warpsN;
      if (plan.n >= p.b + tileN * warpsN ||
          (plan.entries >= 2 * batch && groupsM > 1))
        continue;
      plan.fragments.runN = 1;
      if (plan.vector == p.d && warpsJ == 1)
        chooseRunN(plan);
      for (int64_t k : {16, 32, 64, 128}) {
        if (k > 16 && k / 2 >= p.c)
          break;
        plan.k = k;
        for (int64_t cluster : {1, 2, 4, 8})
          for (bool isResident : {false, true})
            for (int64_t stages : {2, 3, 4, 6, 8}) {
              plan.cluster = cluster;
              plan.isResident = isResident;
              plan.stages = stages;
              add(plan);
            }
      }
    }
}

void Enumerator::addPlans(bool hasWgmma) {
  for (WarpInstruction instruction : getInstructions())
    for (const Columns &columns : getColumns())
      addPlans(columns, instruction);
  if (hasWgmma && problem.realBytes == 2)
    addWgmmaPlans();
  if (hasWgmma && (problem.realBytes == 2 || isTF32()))
    addWgmmaRSPlans();
}

llvm::SmallVector<RankedGPUPlan> Enumerator::rank() {
  bool hasWgmma = target.wgmma16PerClock > 0 && !problem.convertsInput();
  if (problem.getPlanes() != 0) {
    // Packings of one plane would not say whether it is read or written.
    if (hasWgmma && problem.realBytes == 2 && problem.getPlanes() > 1)
      addPlanesPlans();
  } else {
    addPlans(hasWgmma);
  }
  // Ties are broken by the order of enumeration.
  llvm::SmallVector<unsigned> order(plans.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](unsigned x, unsigned y) {
    return std::pair(plans[x].cost.seconds, x) <
           std::pair(plans[y].cost.seconds, y);
  });
  llvm::SmallVector<RankedGPUPlan> ranked;
  for (unsigned index : llvm::ArrayRef(order).take_front(count))
    ranked.push_back(plans[index]);
  return ranked;
}

llvm::SmallVector<RankedGPUPlan> ks::planForGPU(const Problem &problem,
                                                const GPUTarget &target,
                                                unsigned count) {
  return Enumerator(problem, target, std::max(1u, count)).rank();
}

bool ks::sharesPacking(const GPUPlan &x, const GPUPlan &y) {
  auto getPacking = [](const GPUPlan &plan) {
    const FragmentLayout &layout = plan.fragments;
    return std::tuple(layout.instruction, layout.runK, layout.runN, plan.n,
                      plan.k, plan.tiedD ? 1 : plan.j, plan.tiedA, plan.tiedD,
                      plan.isFolded);
  };
  return getPacking(x) == getPacking(y);
}

RankedGPUPlan ks::planForGPUBeside(const Problem &problem,
                                   const GPUTarget &target,
                                   const GPUPlan &main) {
  // A second kernel, and a second copy of the weights, have to pay.
  constexpr double kSameKernel = 1.1;
  llvm::SmallVector<RankedGPUPlan> ranked =
      planForGPU(problem, target, std::numeric_limits<unsigned>::max());
  double best = ranked.front().cost.seconds;
  int64_t batch = problem.batch.value_or(kAssumedGPUBatch);
  if (isLegalGPUPlan(problem, main, target)) {
    GPUCost cost = predictGPU(problem, main, target, batch);
    if (cost.seconds <= kSameKernel * best)
      return {main, cost};
  }
  auto *shares = llvm::find_if(ranked, [&](const RankedGPUPlan &candidate) {
    return sharesPacking(candidate.plan, main);
  });
  bool pays =
      shares != ranked.end() && shares->cost.seconds <= kSecondPacking * best;
  return pays ? *shares : ranked.front();
}
