//===- GPUChainPlanes.cpp - Chains through planes -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUChainPlanes.h"

#include "PlanCheck.h"
#include "Rounding.h"

#include <cmath>
#include <numeric>

using namespace ks;

static double toDouble(int64_t value) { return static_cast<double>(value); }

/// k of 16-bit elements that are swizzled together: at most 128 bytes.
static int64_t getRow(int64_t c) { return std::min<int64_t>(64, c); }

ChainPlanes::ChainPlanes(const Problem &problem, const GPUChainPlan &plan)
    : first(plan.getPattern(problem, 0)), last(plan.getPattern(problem, 1)) {
  const GPUChainFactor &one = plan.factors[0], &two = plan.factors[1];
  int64_t bytes = problem.elementBytes();
  columns = last.d;
  int64_t redundancy = std::max<int64_t>(1, first.b / columns);
  inputRow = getRow(first.c);
  planeRow = getRow(last.c);

  groups = one.groups;
  constexpr int64_t kWidest = 8;
  set = std::lcm(groups, std::max<int64_t>(1, kWidest / redundancy));
  if (first.a % set != 0)
    set = groups;

  stageColumns = two.vector;
  rows = two.n;
  blocksN = divideUp(last.b, rows);
  firstStages = first.a / groups;
  numStages = firstStages + blocksN * (columns / stageColumns);

  inputBytes = groups * kEntries * first.c * bytes;
  groupBytes = one.n * first.c * bytes;
  lastBytes = (two.tiedD ? 1 : stageColumns) * rows * last.c * bytes;
  int64_t firstBytes = inputBytes + (one.tiedA ? 1 : groups) * groupBytes;
  stageBytes = roundUp(std::max(firstBytes, lastBytes), kBulkAlignment);
  planeBytes = columns * kPlaneRows * last.c * bytes;

  constexpr int64_t kLanesN = 4;
  stagedN = getStagedRows(rows / 2 / kLanesN, kLanesN * columns,
                          problem.resultBytes()) *
            kLanesN;
  stagedBytes = problem.resultBytes();
  for (int64_t size : getStagedShape(problem.resultBytes()))
    stagedBytes *= size;
}

std::array<int64_t, 4> ChainPlanes::getStagedShape(int64_t resultBytes) const {
  // Sixteen bytes more, so that rows begin in different banks.
  return {kWarps, 2, 2 * FragmentLayout::tileEntries,
          stagedN * columns + 16 / resultBytes};
}

int64_t ChainPlanes::getRegisters(const Problem &problem) const {
  constexpr int64_t kAddresses = 56, kLanes = 128;
  // Sums of a set; or results, and the sums of two columns.
  int64_t sums = set * first.b * kEntries / kLanes;
  int64_t ofColumn = rows / 2 * kEntries / kLanes;
  int64_t results = columns * ofColumn * problem.resultBytes() / 4;
  int64_t epilogue = getEpilogueRegisters(problem, 2 * ofColumn);
  return kAddresses + std::max(sums, results + 2 * ofColumn + epilogue);
}

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

static bool isProblem(const Problem &problem) {
  return problem.batchFirst && problem.realBytes == 2 && !problem.isComplex &&
         !problem.convertsInput() && problem.factors.size() == 2 &&
         problem.factors.front().pattern.d == 1 &&
         getRedundancy(problem.factors.back().pattern,
                       problem.factors.front().pattern);
}

/// Whether rows of c elements are what the copy engine swizzles, and wgmma
/// reads: 32, 64, or multiples of 128 bytes.
static bool isRow(int64_t c) { return c == 16 || c == 32 || c % 64 == 0; }

void ks::checkPlanes(Check &check, const Problem &problem,
                     const GPUChainPlan &plan) {
  check.require(isProblem(problem),
                "factors have instruction wgmma16_rs; expected that for two "
                "chainable factors only, the first one with d = 1, in f16 or "
                "bf16 and layout batch_first, without load_as");
  check.require(plan.entries == ChainPlanes::kEntries &&
                    plan.warps == ChainPlanes::kWarps,
                "entries is {0} and warps is {1}; expected {2} and {3} with "
                "wgmma16_rs",
                plan.entries, plan.warps, ChainPlanes::kEntries,
                ChainPlanes::kWarps);
  check.require(plan.cluster == 1 && plan.shares == 1 && !plan.isStaged,
                "a plan with wgmma16_rs has cluster, shares or staged; "
                "expected none of them");
  check.require(plan.stages >= 2 && plan.stages <= 16,
                "stages is {0}; expected 2 to 16 with wgmma16_rs", plan.stages);
  check.require(plan.batchBlocks >= 1,
                "batch_blocks is {0}; expected at least 1 with wgmma16_rs",
                plan.batchBlocks);
  if (!check.isGood())
    return;
  for (size_t number : {0, 1}) {
    const GPUChainFactor &factor = plan.factors[number];
    const Problem::Factor &stated = problem.factors[number];
    const FragmentLayout &fragments = factor.fragments;
    check.require(
        fragments.instruction == WarpInstruction::WgmmaRS16 &&
            fragments.runK == 2 && fragments.runN == 1,
        "factor {0} has other fragments; expected <wgmma16_rs, run_k = 2, "
        "run_n = 1> for both",
        number);
    check.require(factor.entries == plan.entries && factor.blocksN == 1,
                  "factor {0} has entries = {1} and blocks_n = {2}; expected "
                  "{3} and 1",
                  number, factor.entries, factor.blocksN, plan.entries);
    check.require(factor.k == stated.pattern.c && isRow(factor.k),
                  "k of factor {0} is {1}; expected c = {2}, which is 16, 32, "
                  "or a multiple of 64",
                  number, factor.k, stated.pattern.c);
    check.require(factor.tiedA == stated.tiedA && factor.tiedD == stated.tiedD,
                  "packed weights of factor {0} are not tied as the weight is",
                  number);
  }
  if (!check.isGood())
    return;
  const GPUChainFactor &one = plan.factors[0], &two = plan.factors[1];
  KSPattern first = plan.getPattern(problem, 0),
            last = plan.getPattern(problem, 1);
  check.require(last.a == 1 && (last.d == 8 || last.d % 16 == 0),
                "a slice has {0} groups and {1} columns j of the last factor; "
                "expected one, and 8 or a multiple of 16",
                last.a, last.d);
  check.require(one.vector == 1 && one.groups >= 1 &&
                    first.a % one.groups == 0 && one.groups <= 64,
                "factor 0 has vector = {0} and groups = {1}; expected 1, and a "
                "divisor of its {2} groups, at most 64",
                one.vector, one.groups, first.a);
  check.require(one.n == first.b && one.n % 8 == 0,
                "n of factor 0 is {0}; expected the {1} rows of a slice, a "
                "multiple of 8",
                one.n, first.b);
  check.require(two.vector % 2 == 0 && last.d % two.vector == 0 &&
                    two.groups == 1,
                "factor 1 has vector = {0} and groups = {1}; expected an even "
                "divisor of the slice's {2} columns j, and 1",
                two.vector, two.groups, last.d);
  check.require(two.n % 16 == 0 && two.n >= 16 && two.n <= 512,
                "n of factor 1 is {0}; expected a multiple of 16, at most 512",
                two.n);
  if (!check.isGood())
    return;
  ChainPlanes planes(problem, plan);
  int64_t registers = planes.getRegisters(problem);
  check.require(registers <= kWgmmaRegisters,
                "a lane needs about {0} registers; expected at most {1}",
                registers, kWgmmaRegisters);
}

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

std::vector<GPUChainPlan> ks::listChainPlanes(const Problem &problem,
                                              const GPUTarget &target) {
  std::vector<GPUChainPlan> plans;
  if (target.wgmma16PerClock == 0 || !isProblem(problem))
    return plans;
  const KSPattern &left = problem.factors.back().pattern;
  auto setUp = [&](GPUChainFactor &factor, const Problem::Factor &stated) {
    factor.fragments = {WarpInstruction::WgmmaRS16, 2, 1};
    factor.entries = ChainPlanes::kEntries;
    factor.k = stated.pattern.c;
    factor.tiedA = stated.tiedA;
    factor.tiedD = stated.tiedD;
  };
  for (int64_t columns : {8, 16, 32}) {
    // Whole sectors are stored.
    bool isWhole = columns == left.d || columns >= 16;
    if (left.d % columns != 0 || !isWhole)
      continue;
    for (int64_t rows : {16, 32, 48, 64, 96, 128})
      for (int64_t stageKB : {16, 24, 48}) {
        GPUChainPlan plan;
        plan.entries = ChainPlanes::kEntries;
        plan.warps = ChainPlanes::kWarps;
        plan.slices = left.a * (left.d / columns);
        plan.batchBlocks =
            std::max<int64_t>(1, target.multiprocessors / plan.slices);
        plan.factors.resize(2);
        GPUChainFactor &one = plan.factors[0], &two = plan.factors[1];
        setUp(one, problem.factors[0]);
        setUp(two, problem.factors[1]);
        // Rows that are not there count as others.
        if (rows >= roundUp(left.b, 16) + 16)
          continue;
        KSPattern first = plan.getPattern(problem, 0);
        int64_t bytes = problem.elementBytes();
        one.n = first.b;
        one.groups = getLargestDivisor(
            first.a, std::min<int64_t>(
                         64, stageKB * 1024 /
                                 (ChainPlanes::kEntries * first.c * bytes)));
        two.n = rows;
        two.vector =
            2 * getLargestDivisor(columns / 2,
                                  stageKB * 1024 / (2 * rows * left.c * bytes));
        ChainPlanes planes(problem, plan);
        int64_t room = target.sharedPerBlock - kBulkAlignment -
                       planes.getSharedBytes(/*stages=*/0);
        plan.stages = std::min<int64_t>(8, room / planes.stageBytes);
        plans.push_back(plan);
      }
  }
  return plans;
}

GPUCost ks::predictChainPlanes(const Problem &problem, const GPUChainPlan &plan,
                               const GPUTarget &target, int64_t batch) {
  // Fitted to Monarch matrices of 1024 and 4096 features on an H100.
  constexpr double kLaunch = 3.5e-6, kIngest = 1.17, kStored = 0.3,
                   kLatency = 0.72e-6; // Of a stage, from L2.
  ChainPlanes planes(problem, plan);
  const GPUChainFactor &one = plan.factors[0], &two = plan.factors[1];
  int64_t tiles = divideUp(std::max<int64_t>(1, batch), plan.entries);
  int64_t blocks = std::min(tiles, plan.batchBlocks) * plan.slices;
  double perBlock = toDouble(divideUp(tiles, plan.batchBlocks)) *
                    toDouble(divideUp(blocks, target.multiprocessors));
  int64_t columnStages =
      planes.blocksN * (planes.columns / planes.stageColumns);
  int64_t inputBytes = planes.firstStages * planes.inputBytes;
  int64_t bytesIn =
      inputBytes +
      planes.first.a / (one.tiedA ? planes.groups : 1) * planes.groupBytes +
      columnStages * planes.lastBytes;
  int64_t bytesOut =
      plan.entries * planes.last.b * planes.columns * problem.resultBytes();
  // The engine and stores write, the tensor cores read: each plane twice, for
  // both halves of the rows n.
  int64_t bytesShared = 2 * bytesIn +
                        (1 + 2 * planes.blocksN) * planes.planeBytes +
                        columnStages * planes.lastBytes *
                            (two.tiedD ? planes.stageColumns - 1 : 0) +
                        2 * bytesOut;
  double clock = target.gigahertz * 1e9;
  double perSM = target.l2Bandwidth / toDouble(target.multiprocessors);
  int64_t products =
      plan.entries *
      (planes.first.a * planes.first.b * planes.first.c +
       planes.columns * planes.blocksN * planes.rows * planes.last.c);

  GPUCost cost;
  cost.blocksPerSM = 1;
  cost.launch = kLaunch;
  cost.dramBytes = getMinimumBytes(problem, batch);
  cost.l2Bytes = toDouble(tiles * plan.slices * bytesIn);
  cost.dram = cost.dramBytes / target.dramBandwidth;
  double underWay = toDouble((plan.stages - 1) * bytesIn / planes.numStages);
  cost.l2 = perBlock * toDouble(bytesIn) /
            std::min(kIngest * perSM, underWay / kLatency);
  cost.shared = perBlock * toDouble(bytesShared) / (128 * clock);
  cost.units = perBlock * toDouble(products) / (target.wgmma16PerClock * clock);
  // Nothing is multiplied while a tile is stored.
  double stored = perBlock * toDouble(bytesOut) / (kStored * perSM);
  double most = 0;
  const std::pair<double, const char *> limits[] = {
      {cost.l2 + stored, "L2"},
      {cost.shared + stored, "shared memory"},
      {cost.units + stored, "multiplications"},
      {cost.dram, "DRAM"}};
  for (auto [seconds, name] : limits)
    if (seconds > most) {
      most = seconds;
      cost.limit = name;
    }
  cost.seconds = cost.launch + most;
  return cost;
}
