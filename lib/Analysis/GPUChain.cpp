//===- GPUChain.cpp - What is legal, and what follows from a chain's plan -===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUChainPlanes.h"

#include "PlanCheck.h"
#include "Rounding.h"

#include "llvm/Support/MathExtras.h"

#include <map>
#include <numeric>
#include <tuple>

using namespace ks;

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// Elements of 16 bytes: what copies move at a time.
static int64_t getWidest(int64_t elementBytes) {
  return std::max<int64_t>(1, 16 / elementBytes);
}

/// How often shared memory must be asked for one of the factor's loads.
static int64_t countWavefronts(const ChainBuffer &buffer,
                               const GPUChainFactor &factor, bool batchFirst,
                               int64_t elementBytes) {
  const FragmentLayout &fragments = factor.fragments;
  int64_t piece = fragments.runK * factor.vector * elementBytes;
  std::array<int64_t, 32> addresses;
  for (int64_t lane = 0; lane < 32; ++lane) {
    int64_t k = fragments.runK * fragments.laneK(lane);
    int64_t m = fragments.laneM(lane);
    addresses[lane] = batchFirst ? m * buffer.pitch + k * buffer.slab
                                 : k * buffer.pitch + m * factor.vector;
    addresses[lane] *= elementBytes;
  }
  return countWavefronts(addresses, std::min<int64_t>(16, piece & -piece));
}

/// The distances of k and of rows for which lanes' loads meet in the fewest
/// banks, and of those the shortest.
static void chooseDistances(ChainBuffer &buffer, const GPUChainFactor &factor,
                            bool batchFirst, int64_t elementBytes,
                            bool isPartCopied) {
  constexpr int64_t kBankBytes = 128;
  int64_t widest = getWidest(elementBytes);
  int64_t shortest = batchFirst ? roundUp(buffer.ownD(), factor.vector) : 1;
  bool isFixed =
      !batchFirst || buffer.ownD() == 1 || factor.fragments.runK != 1;
  // Copies of 16 bytes stay possible where they are.
  int64_t unit = shortest % widest == 0 ? widest : factor.vector;
  int64_t longest = isFixed ? shortest : shortest + kBankBytes / elementBytes;
  ChainBuffer best = buffer;
  int64_t fewest = INT64_MAX;
  // Copies of a part of the columns begin at a multiple of their number only.
  int64_t mostTogether =
      isPartCopied ? buffer.ownD() & -buffer.ownD() : INT64_MAX;
  for (int64_t slab = shortest; slab <= longest; slab += unit) {
    if (std::min(slab & -slab, widest) > mostTogether)
      continue;
    int64_t row = batchFirst ? buffer.depth * slab : factor.entries;
    for (int64_t pad = 0; pad < kBankBytes / elementBytes; pad += widest) {
      ChainBuffer candidate = buffer;
      candidate.slab = slab;
      candidate.pitch = roundUp(batchFirst ? row : buffer.pitch, widest) + pad;
      int64_t wavefronts =
          countWavefronts(candidate, factor, batchFirst, elementBytes);
      if (std::pair(wavefronts, candidate.pitch) <
          std::pair(fewest, best.pitch)) {
        fewest = wavefronts;
        best = candidate;
      }
    }
  }
  buffer = best;
}

/// The same; planning asks for a few buffers again and again.
static void setDistances(ChainBuffer &buffer, const GPUChainFactor &factor,
                         bool batchFirst, int64_t elementBytes,
                         bool isPartCopied) {
  using Key = std::tuple<WarpInstruction, int64_t, int64_t, int64_t, int64_t,
                         bool, int64_t, bool, int64_t>;
  constexpr size_t kMostKnown = 4096;
  thread_local std::map<Key, std::pair<int64_t, int64_t>> known;
  Key key{factor.fragments.instruction,
          factor.fragments.runK,
          factor.vector,
          buffer.ownD(),
          buffer.depth,
          isPartCopied,
          batchFirst ? 0 : buffer.pitch,
          batchFirst,
          elementBytes};
  auto found = known.find(key);
  if (found == known.end()) {
    chooseDistances(buffer, factor, batchFirst, elementBytes, isPartCopied);
    if (known.size() >= kMostKnown)
      known.clear();
    found = known.insert({key, {buffer.slab, buffer.pitch}}).first;
  }
  buffer.slab = found->second.first;
  buffer.pitch = found->second.second;
}

int64_t ks::getStoreRun(const KSPattern &p, const FragmentLayout &layout,
                        int64_t vector, const ChainBuffer &buffer,
                        bool batchFirst, int64_t limit) {
  int64_t together = buffer.pitch;
  auto mustDivide = [&](int64_t size) { together = std::gcd(together, size); };
  if (!batchFirst) {
    // Of 2t and 2t + 1, which are neighbours, or half a tile apart.
    bool isSplit = layout.isWeightsFirst() && vector >= limit;
    mustDivide(isSplit ? vector : vector * layout.slotsM());
  } else {
    mustDivide(p.b * p.d);
    mustDivide(layout.runN * std::gcd(p.d, vector));
    if (vector != p.d)
      mustDivide(vector);
    // A group is one piece where all columns are there, without a gap.
    if (buffer.slab == buffer.d && buffer.ownD() == buffer.d) {
      mustDivide(buffer.c * buffer.d);
    } else {
      mustDivide(buffer.ownD());
      mustDivide(buffer.slab);
    }
  }
  int64_t run = 1;
  while (run * 2 <= limit && together % (run * 2) == 0)
    run *= 2;
  return run;
}

ChainBuffer GPUChainPlan::getBuffer(const Problem &problem,
                                    size_t number) const {
  ChainBuffer buffer;
  buffer.blocks = cluster;
  buffer.rows = entries;
  if (number == factors.size()) {
    // Each block stores a part of a row from end to end.
    int64_t features = problem.factors.back().pattern.outFeatures();
    int64_t widest = getWidest(problem.resultBytes());
    buffer.a = cluster;
    buffer.c = buffer.depth = features / cluster;
    buffer.pitch = roundUp(buffer.depth, widest) + widest;
    return buffer;
  }
  ChainSlice slice = getSlice(problem, number);
  const KSPattern &p = slice.pattern;
  const GPUChainFactor &factor = factors[number];
  buffer.a = p.a;
  buffer.c = p.c;
  buffer.d = p.d;
  buffer.isAlongJ = p.a % cluster != 0;
  buffer.depth = getDepth(problem, number);
  if (isStreamed() && number == 0) {
    buffer.a = factor.groups;
    buffer.c = buffer.depth = factor.k;
  }
  if (!problem.batchFirst)
    buffer.rows = buffer.depth;
  buffer.pitch = entries;
  bool isPart = buffer.ownD() != problem.factors[number].pattern.d;
  setDistances(buffer, factor, problem.batchFirst, problem.elementBytes(),
               number == 0 && isPart);
  return buffer;
}

std::array<int64_t, 3>
GPUChainPlan::getBufferBytes(const Problem &problem) const {
  std::array<int64_t, 2> bytes{};
  for (size_t number = isStreamed() ? 1 : 0;
       number < factors.size() + (isStaged ? 1 : 0); ++number) {
    ChainBuffer buffer = getBuffer(problem, number);
    int64_t size = buffer.getElements(problem.batchFirst) *
                   (number == factors.size() ? problem.resultBytes()
                                             : problem.elementBytes());
    bytes[number % 2] = std::max(bytes[number % 2], getRoomBytes(size));
  }
  int64_t ring = isStreamed() ? stages * getStageBytes(problem) : 0;
  return {ring, ring + bytes[0], ring + bytes[0] + bytes[1]};
}

//===----------------------------------------------------------------------===//
// Work of a warp
//===----------------------------------------------------------------------===//

std::array<int64_t, 4> GPUChainPlan::getTasks(const Problem &problem,
                                              size_t number) const {
  KSPattern p = getPattern(problem, number);
  const GPUChainFactor &factor = factors[number];
  bool isAlongJ = p.a % cluster != 0;
  int64_t ownA = isAlongJ ? p.a : p.a / cluster;
  int64_t ownD = isAlongJ ? p.d / cluster : p.d;
  int64_t blocksJ = divideUp(ownD, factor.getColumns(problem.batchFirst));
  if (isStreamed())
    return {factor.groups, blocksJ, factor.blocksN, entries / factor.entries};
  return {ownA, blocksJ, countBlocksN(problem, number),
          entries / factor.entries};
}

int64_t GPUChainPlan::countTasks(const Problem &problem, size_t number) const {
  int64_t count = 1;
  for (int64_t size : getTasks(problem, number))
    count *= size;
  return count;
}

int64_t GPUChainPlan::countBlocksN(const Problem &problem,
                                   size_t number) const {
  int64_t blocks = divideUp(getPattern(problem, number).b, factors[number].n);
  return number + 1 == factors.size() ? blocks / shares : blocks;
}

int64_t GPUChainPlan::getDepth(const Problem &problem, size_t number) const {
  const GPUChainFactor &factor = factors[number];
  int64_t unit = isStreamed() ? factor.k : factor.fragments.stepK();
  return roundUp(problem.factors[number].pattern.c, unit);
}

int64_t GPUChainPlan::getChunk(const Problem &problem, size_t number) const {
  return isStreamed() ? factors[number].k : getDepth(problem, number);
}

/// Registers of the weights of a step.
static int64_t getWeightRegisters(const Problem &problem,
                                  const GPUChainFactor &factor) {
  bool isShared = factor.tiedD || !problem.batchFirst;
  return (isShared ? 1 : factor.vector) * factor.getTilesN() *
         factor.fragments.weightsPerLane() *
         factor.fragments.partBytes(problem.elementBytes()) / 4;
}

int64_t GPUChainPlan::getStepsAhead(const Problem &problem,
                                    size_t number) const {
  constexpr int64_t kMostSteps = 4, kMostRegisters = 32;
  const GPUChainFactor &factor = factors[number];
  int64_t steps = getChunk(problem, number) / factor.fragments.stepK();
  int64_t ahead = kMostSteps;
  while (ahead > 1 &&
         (steps % ahead != 0 ||
          ahead * getWeightRegisters(problem, factor) > kMostRegisters))
    ahead /= 2;
  return ahead;
}

int64_t GPUChainPlan::getRegisters(const Problem &problem,
                                   size_t number) const {
  // Found by looking at what the assembler takes, as for one factor.
  constexpr int64_t kAddresses = 40, kAddressesOfFactor = 4,
                    kSplitTemporaries = 72, kFmaTemporaries = 28;
  const GPUChainFactor &factor = factors[number];
  const FragmentLayout &fragments = factor.fragments;
  bool batchFirst = problem.batchFirst;
  int64_t parts = problem.isComplex ? 2 : 1;
  int64_t tilesM = factor.getTilesM(batchFirst);
  int64_t results = factor.vector * factor.getTilesN() * tilesM *
                    fragments.slotsN() * fragments.slotsM() * parts *
                    problem.accumulatorBytes / 4;
  int64_t activations = factor.vector * tilesM * FragmentLayout::slotsK *
                        problem.elementBytes() / 4;
  // In a loop FMAs wait for the activations of all steps whose weights are
  // there.
  int64_t ahead = getStepsAhead(problem, number);
  bool isLoop = getChunk(problem, number) / fragments.stepK() > ahead;
  if (!fragments.isMma() && isLoop)
    activations *= ahead;
  if (fragments.isSplit())
    activations += activations / 2 + kSplitTemporaries;
  else if (!fragments.isMma())
    activations += kFmaTemporaries;
  bool isLast = number + 1 == factors.size();
  int64_t epilogue = isLast ? getEpilogueRegisters(problem, results) : 0;
  // With a ring they need not be loaded far ahead.
  int64_t steps = isStreamed() ? (ahead + 1) / 2 : ahead;
  // Those that are multiplied, and those under way; FMAs take a copy.
  int64_t windows = fragments.isMma() ? 2 : 3;
  int64_t weights = windows * steps * getWeightRegisters(problem, factor);
  int64_t addresses =
      kAddresses + kAddressesOfFactor * static_cast<int64_t>(factors.size());
  return results * fragments.numSums() + activations + weights + addresses +
         epilogue;
}

int64_t GPUChainPlan::getSharedBytes(const Problem &problem) const {
  if (isPlanes())
    return ChainPlanes(problem, *this).getSharedBytes(stages);
  return getBufferBytes(problem).back();
}

int64_t GPUChainPlan::getRegisters(const Problem &problem) const {
  if (isPlanes())
    return ChainPlanes(problem, *this).getRegisters(problem);
  int64_t most = 0;
  for (size_t number = 0; number < factors.size(); ++number)
    most = std::max(most, getRegisters(problem, number));
  return most;
}

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

static void checkFactor(Check &check, const Problem &problem,
                        const GPUChainPlan &plan, size_t number) {
  const GPUChainFactor &factor = plan.factors[number];
  const Problem::Factor &stated = problem.factors[number];
  KSPattern p = plan.getPattern(problem, number);
  const FragmentLayout &layout = factor.fragments;
  bool batchFirst = problem.batchFirst;
  check.require(!layout.isWgmma(),
                "factor {0} has instruction {1}; expected mma16, mma8, "
                "mma16_split or fma",
                number, getName(layout.instruction));
  checkInstruction(check, problem, layout.instruction, p.c);
  check.require(factor.vector >= 1 && factor.vector <= 16,
                "vector of factor {0} is {1}; expected 1 to 16", number,
                factor.vector);
  if (!check.isGood())
    return;
  check.multiple("n of a factor", factor.n, layout.tileN());
  int64_t tile = factor.getTileEntries(batchFirst);
  check.require(factor.entries % tile == 0 &&
                    plan.entries % factor.entries == 0,
                "factor {0} has entries = {1}; expected a multiple of {2} that "
                "divides {3}",
                number, factor.entries, tile, plan.entries);
  bool isAlongJ = p.a % plan.cluster != 0;
  check.require(!isAlongJ || p.d % plan.cluster == 0,
                "cluster is {0} with factor {1}, <{2}, {3}, {4}, {5}>; "
                "expected a divisor of its a or d",
                plan.cluster, number, p.a, p.b, p.c, p.d);
  if (!check.isGood())
    return;
  if (batchFirst) {
    int64_t ownD = isAlongJ ? p.d / plan.cluster : p.d;
    check.require(factor.vector <= ownD,
                  "vector of factor {0} is {1}; expected at most the {2} "
                  "columns j of a block",
                  number, factor.vector, ownD);
    check.require(!isAlongJ || ownD % factor.vector == 0,
                  "vector of factor {0} is {1}; expected a divisor of the {2} "
                  "columns j of a block",
                  number, factor.vector, ownD);
    check.require(layout.runK == 1 || factor.vector == ownD,
                  "run_k of factor {0} is {1} with vector = {2}; expected 1, "
                  "or vector = {3}",
                  number, layout.runK, factor.vector, ownD);
    // Of results in memory, the columns that are there.
    bool isIntermediate = number + 1 < plan.factors.size();
    int64_t allD = isIntermediate ? p.d : stated.pattern.d;
    check.require(layout.runN == 1 || factor.vector == allD,
                  "run_n of factor {0} is {1} with vector = {2}; expected 1, "
                  "or vector = {3}",
                  number, layout.runN, factor.vector, allD);
    check.multiple("number of n of a lane",
                   factor.getTilesN() * layout.slotsN(), layout.runN);
  } else {
    check.require(layout.runK == 1 && layout.runN == 1,
                  "run_k and run_n of factor {0} are {1} and {2}; expected 1 "
                  "with layout batch_last",
                  number, layout.runK, layout.runN);
  }
  check.require(factor.tiedA == stated.tiedA && factor.tiedD == stated.tiedD,
                "packed weights of factor {0} are {1}tied along a and {2}tied "
                "along d; expected what the weight is",
                number, factor.tiedA ? "" : "not ", factor.tiedD ? "" : "not ");
}

/// Clusters that compute the same slice have as many blocks of rows n each.
static void checkShares(Check &check, const Problem &problem,
                        const GPUChainPlan &plan) {
  KSPattern p = plan.getPattern(problem, plan.factors.size() - 1);
  int64_t blocks = divideUp(p.b, plan.factors.back().n);
  check.require(blocks % plan.shares == 0,
                "shares is {0}; expected a divisor of the last factor's {1} "
                "blocks of n",
                plan.shares, blocks);
}

static void checkPlan(Check &check, const Problem &problem,
                      const GPUChainPlan &plan) {
  check.require(plan.factors.size() == problem.factors.size(),
                "it has {0} factors; expected one for each of {1}",
                plan.factors.size(), problem.factors.size());
  check.require(plan.cluster == 1 || plan.cluster == 2 || plan.cluster == 4 ||
                    plan.cluster == 8,
                "cluster is {0}; expected 1, 2, 4 or 8", plan.cluster);
  check.require(plan.warps >= 1 && plan.warps <= 16,
                "warps is {0}; expected 1 to 16", plan.warps);
  check.require(plan.entries >= 1 && plan.entries <= 512,
                "entries is {0}; expected 1 to 512", plan.entries);
  check.require(plan.shares >= 1, "shares is {0}; expected at least 1",
                plan.shares);
  check.require(plan.stages == 0 || (plan.stages >= 2 && plan.stages <= 16),
                "stages is {0}; expected 0, or 2 to 16", plan.stages);
  check.require(plan.stages == 0 || plan.cluster == 1,
                "stages is {0} with cluster = {1}; expected one of them only",
                plan.stages, plan.cluster);
  if (!check.isGood())
    return;
  checkSlices(check, problem, plan);
  if (check.isGood() && plan.isPlanes())
    return checkPlanes(check, problem, plan);
  check.require(plan.batchBlocks == 0,
                "batch_blocks is {0}; expected none without wgmma16_rs",
                plan.batchBlocks);
  for (size_t number = 0; check.isGood() && number < plan.factors.size();
       ++number)
    checkFactor(check, problem, plan, number);
  if (!check.isGood())
    return;
  checkShares(check, problem, plan);
  for (size_t number = 0; check.isGood() && number < plan.factors.size();
       ++number)
    checkStages(check, problem, plan, number);
  if (!check.isGood())
    return;
  int64_t features = problem.factors.back().pattern.outFeatures();
  check.require(!plan.isStaged || problem.batchFirst,
                "results are staged; expected not with layout batch_last");
  check.require(!plan.isStaged || plan.slices * plan.shares == 1,
                "results are staged with slices = {0} and shares = {1}; "
                "expected 1, as rows are stored as wholes",
                plan.slices, plan.shares);
  check.require(!plan.isStaged || features % plan.cluster == 0,
                "results are staged with cluster = {0}; expected a divisor of "
                "the {1} output features",
                plan.cluster, features);
  int64_t available = getAvailableRegisters(plan.getThreads());
  int64_t registers = plan.getRegisters(problem);
  check.require(registers <= available,
                "a lane needs about {0} registers; expected at most {1} with "
                "{2} threads",
                registers, available, plan.getThreads());
}

static void checkPlan(Check &check, const Problem &problem,
                      const GPUChainPlan &plan, const GPUTarget &target) {
  checkPlan(check, problem, plan);
  if (!check.isGood())
    return;
  check.require(!plan.isPlanes() || target.wgmma16PerClock > 0,
                "factors have instruction wgmma16_rs; expected mma16 on {0}, "
                "which has no wgmma",
                target.name);
  check.require(plan.cluster == 1 || target.capability >= 90,
                "cluster is {0}; expected 1 on {1}", plan.cluster, target.name);
  int64_t bytes = plan.getSharedBytes(problem) + kBulkAlignment;
  check.require(bytes <= target.sharedPerBlock,
                "a block takes {0} bytes of shared memory; expected at most "
                "{1} on {2}",
                bytes, target.sharedPerBlock, target.name);
}

std::string ks::checkGPUChainPlan(const Problem &problem,
                                  const GPUChainPlan &plan) {
  Check check(/*explains=*/true);
  checkPlan(check, problem, plan);
  return check.message;
}

std::string ks::checkGPUChainPlan(const Problem &problem,
                                  const GPUChainPlan &plan,
                                  const GPUTarget &target) {
  Check check(/*explains=*/true);
  checkPlan(check, problem, plan, target);
  return check.message;
}
