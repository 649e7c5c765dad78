//===- GPUPlan.cpp - What follows from a plan -----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlanCheck.h"
#include "Rounding.h"

#include "ks/Analysis/GPUPlanner.h"

#include <array>
#include <numeric>
#include <tuple>

using namespace ks;

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// Phases of 128 bytes, each once per distinct word of the fullest of 32 banks.
int64_t ks::countWavefronts(const std::array<int64_t, 32> &addresses,
                            int64_t width) {
  int64_t lanesPerPhase = std::min<int64_t>(32, 128 / width), wavefronts = 0;
  int64_t words = std::max<int64_t>(1, width / 4);
  for (int64_t first = 0; first < 32; first += lanesPerPhase) {
    std::array<std::array<int64_t, 32>, 32> seen;
    std::array<int64_t, 32> counts{};
    int64_t most = 0;
    for (int64_t lane = first; lane < first + lanesPerPhase; ++lane)
      for (int64_t w = 0; w < words; ++w) {
        int64_t word = addresses[lane] / 4 + w, bank = word % 32;
        bool isNew = true;
        for (int64_t i = 0; i < counts[bank]; ++i)
          isNew &= seen[bank][i] != word;
        if (isNew && counts[bank] < 32)
          seen[bank][counts[bank]++] = word;
        most = std::max(most, counts[bank]);
      }
    wavefronts += most;
  }
  return wavefronts;
}

static int64_t findRowPitch(const GPUPlan &plan, bool batchFirst,
                            bool isShifted, int64_t elementBytes) {
  const FragmentLayout &fragments = plan.fragments;
  int64_t bytes = roundUp(plan.getRowElements(batchFirst) * elementBytes, 16) +
                  (isShifted ? 16 : 0);
  int64_t piece =
      isShifted ? elementBytes : fragments.runK * plan.vector * elementBytes;
  if (batchFirst &&
      plan.hasOverlappingWarps()) // Runs of k are that of a slab apart.
    piece = std::gcd(piece, fragments.runK * plan.j * elementBytes);
  int64_t width = std::min<int64_t>(16, piece & -piece);
  int64_t best = bytes, fewest = INT64_MAX;
  int64_t possible = std::max<int64_t>(1, 32 * width / 128);
  for (int64_t pitch = bytes; pitch < bytes + 128 && fewest > possible;
       pitch += 16) {
    if (pitch % elementBytes != 0)
      continue;
    std::array<int64_t, 32> addresses;
    for (int64_t lane = 0; lane < 32; ++lane) {
      int64_t k = fragments.runK * fragments.laneK(lane);
      int64_t m = fragments.laneM(lane);
      addresses[lane] = batchFirst ? m * pitch + k * plan.j * elementBytes
                                   : k * pitch + m * plan.vector * elementBytes;
    }
    int64_t wavefronts = countWavefronts(addresses, width);
    if (wavefronts < fewest) {
      fewest = wavefronts;
      best = pitch;
    }
  }
  return best / elementBytes;
}

int64_t GPUPlan::getRowPitch(const KSPattern &p, bool batchFirst,
                             int64_t elementBytes) const {
  // Planning asks for the same rows again and again.
  using Key = std::tuple<WarpInstruction, int64_t, int64_t, int64_t, int64_t,
                         bool, bool, int64_t>;
  thread_local Key last{};
  thread_local int64_t pitch = 0;
  bool isShifted = shiftsRows(p, batchFirst, elementBytes);
  Key key{fragments.instruction,      fragments.runK, vector,    j,
          getRowElements(batchFirst), batchFirst,     isShifted, elementBytes};
  if (pitch == 0 || key != last) {
    pitch = findRowPitch(*this, batchFirst, isShifted, elementBytes);
    last = key;
  }
  return pitch;
}

/// The largest power of two, of at most 16, that divides `size`.
static int64_t getAlignment(int64_t size) {
  return std::min<int64_t>(16, size & -size);
}

/// Pieces that are narrower are put together in shared memory: what lanes of a
/// warp do at a time is spread over too many lines otherwise.
constexpr int64_t kNarrowBytes = 8;

bool GPUPlan::shiftsRows(const KSPattern &p, bool batchFirst,
                         int64_t elementBytes) const {
  // Wider elements can be copied asynchronously wherever they are, and lanes
  // load whole pieces of them.
  return batchFirst && !isBulk && j == p.d && elementBytes == 2 &&
         getAlignment(p.c * p.d * elementBytes) < kNarrowBytes;
}

bool GPUPlan::stagesRows(const KSPattern &p, bool batchFirst,
                         int64_t resultBytes) const {
  if (!batchFirst || isBulk || j != p.d)
    return false;
  // Few columns make wider pieces with those of neighbouring n.
  // Wider elements can be stored singly, but for those of different warps.
  bool isAligned = getAlignment(p.b * p.d * resultBytes) >= kNarrowBytes;
  if (isAligned && (p.d <= 8 || (resultBytes > 2 && !hasOverlappingWarps())))
    return false;
  int64_t piece = fragments.runN * vector * resultBytes;
  return std::min({getAlignment(p.b * p.d * resultBytes),
                   getAlignment(fragments.runN * p.d * resultBytes),
                   getAlignment(piece)}) < kNarrowBytes;
}

int64_t GPUPlan::getStagedRowPitch(const KSPattern &p,
                                   int64_t resultBytes) const {
  // An odd number of pieces: rows begin in different banks.
  int64_t pieces = (roundUp(n * p.d * resultBytes, 16) / 16 + 1) | 1;
  return pieces * 16 / resultBytes;
}

int64_t GPUPlan::getSwizzleBytes(const KSPattern &p, bool batchFirst,
                                 int64_t elementBytes) const {
  if (isWgmmaSS() || !batchFirst)
    return kWgmmaRowBytes;
  if (planes != 0)
    return getAtomDepth() * elementBytes;
  if (!isBulk || fragments.runK != 1)
    return 0;
  if (isFlatCopy(p, elementBytes)) // Shorter rows are one piece of memory.
    return getAtomWidth() * elementBytes == kSwizzledBytes ? kSwizzledBytes : 0;
  int64_t row = j * elementBytes;
  return canSwizzle(row) ? row : 0;
}

int64_t GPUPlan::getInputBytes(const KSPattern &p, bool batchFirst,
                               int64_t elementBytes) const {
  if (isBulk) // and room to align it
    return kBulkAlignment + stages * entries * k * j * elementBytes;
  return roundUp(stages * getNumRows(batchFirst) *
                     getRowPitch(p, batchFirst, elementBytes) * elementBytes,
                 128);
}

int64_t ks::getStagedRows(int64_t times, int64_t elements,
                          int64_t resultBytes) {
  constexpr int64_t kLine = 128, kWidest = 16;
  for (int64_t count = 1; count <= times; ++count) {
    int64_t bytes = count * elements * resultBytes;
    if (times % count == 0 && bytes % kWidest == 0 &&
        (bytes >= kLine || count == times))
      return count;
  }
  return 0;
}

int64_t GPUPlan::getStagedN(const KSPattern &p, bool batchFirst,
                            int64_t resultBytes) const {
  constexpr int64_t kSector = 32, kWidest = 16;
  int64_t width = kWidest / resultBytes;
  if (!isWgmmaRS() || !batchFirst)
    return 0;
  bool isFlat = j == p.d;
  if (isFlat ? p.b * p.d % width != 0
             : j * resultBytes < kSector || j % width != 0 || p.d % width != 0)
    return 0;
  // Lanes of a row hold `unit` neighbours, this many times.
  int64_t unit = fragments.lanesN() * fragments.runN;
  int64_t times = getStoredTilesN() * fragments.tileN() / unit;
  return getStagedRows(times, unit * j, resultBytes) * unit;
}

std::array<int64_t, 4> GPUPlan::getStagedShape(const KSPattern &p,
                                               bool batchFirst,
                                               int64_t resultBytes) const {
  // Sixteen bytes more, so that rows begin in different banks.
  return {warpsM * warpsN, 2, 2 * FragmentLayout::tileEntries,
          getStagedN(p, batchFirst, resultBytes) * j + 16 / resultBytes};
}

int64_t GPUPlan::getOperandBytes(const KSPattern &p, bool batchFirst,
                                 int64_t elementBytes) const {
  return getInputBytes(p, batchFirst, elementBytes) +
         getWeightStages(p) * getStageWeightBytes(elementBytes);
}

int64_t GPUPlan::getStagedBytes(const KSPattern &p, bool batchFirst,
                                int64_t elementBytes,
                                int64_t resultBytes) const {
  int64_t bytes = getOperandBytes(p, batchFirst, elementBytes);
  if (stagesRows(p, batchFirst, resultBytes))
    return bytes + entries * getStagedRowPitch(p, resultBytes) * resultBytes;
  if (getStagedN(p, batchFirst, resultBytes) == 0)
    return bytes;
  int64_t staged = resultBytes;
  for (int64_t size : getStagedShape(p, batchFirst, resultBytes))
    staged *= size;
  return bytes + staged;
}

int64_t GPUPlan::getSharedBytes(const KSPattern &p, bool batchFirst,
                                int64_t elementBytes,
                                int64_t resultBytes) const {
  return getStagedBytes(p, batchFirst, elementBytes, resultBytes) +
         getPartialBytes(batchFirst, elementBytes);
}

int64_t ks::getAvailableRegisters(int64_t threads) {
  // The warps of a block are spread over the four parts of an SM.
  return std::min<int64_t>(255, 65536 / roundUp(threads, 128) / 8 * 8);
}

int64_t GPUPlan::getAvailableRegisters() const {
  // Warps that copy leave registers to the others.
  return handsOverRegisters() ? kWgmmaRegisters
                              : ks::getAvailableRegisters(getThreads());
}

int64_t ks::getEpilogueRegisters(const Problem &problem, int64_t sums) {
  constexpr int64_t kLeast = 24;
  if (problem.widensResult()) // All results may be there before one is stored.
    return std::max(kLeast, sums);
  return problem.hasEpilogue ? std::max(kLeast, sums / 2) : 0;
}

int64_t GPUPlan::getRegisters(const Problem &problem) const {
  bool batchFirst = problem.batchFirst;
  // In registers of 32 bits. What is left is for addresses and copies, found by
  // looking at what the assembler takes; epilogues hold temporaries as well.
  int64_t parts = problem.isComplex ? 2 : 1;
  int64_t accumulators =
      getAccumulators(batchFirst) * parts * problem.accumulatorBytes / 4;
  int64_t epilogue = getEpilogueRegisters(problem, accumulators);
  accumulators *= fragments.numSums();
  if (isWgmmaSS() || planes != 0)
    return accumulators + 58 + epilogue;
  int64_t activations = vector * getTilesM(batchFirst) *
                        FragmentLayout::slotsK * problem.elementBytes() / 4;
  if (fragments.isSplit()) // Three halves of registers.
    activations += activations / 2;
  // Those of the next step are loaded while the tensor cores read these.
  // f32 is rounded into registers of its own.
  if (isWgmmaRS())
    return accumulators +
           ((k > fragments.stepK() ? 2 : 1) + (fragments.isTF32() ? 1 : 0)) *
               activations +
           44 + epilogue;
  int64_t weights = getTilesN() * fragments.weightsPerLane() *
                    fragments.partBytes(problem.elementBytes()) / 4;
  // Loads of the next step are under way meanwhile; narrow ones need addresses,
  // and columns that may not be there conditions.
  KSPattern p = getKernelPattern(problem.factors.front().pattern);
  bool isRagged = batchFirst && j != p.d && p.d % vector != 0;
  bool isUnrolled =
      k > fragments.stepK() && !(fragments.isSplit() && batchFirst);
  bool isNarrow =
      batchFirst && (fragments.runK * vector * problem.elementBytes() < 16 ||
                     shiftsRows(p, batchFirst, problem.elementBytes()));
  constexpr int64_t kSplitTemporaries = 40; // Sums that begin anew, parts.
  return accumulators + activations + activations / 8 + weights + 58 +
         (isUnrolled ? (activations + weights) / 2 : 0) + (isNarrow ? 12 : 0) +
         (isBulk ? 8 : 0) + (isRagged ? 48 : 0) + (sweeps > 1 ? 4 : 0) +
         (fragments.isSplit() ? kSplitTemporaries : 0) + epilogue;
}
