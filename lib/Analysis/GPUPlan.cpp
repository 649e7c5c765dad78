//===- GPUPlan.cpp - What is legal, and what follows from a plan ----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/GPUPlanner.h"

#include "ks/Analysis/SplitFloat.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <array>
#include <numeric>
#include <tuple>

using namespace ks;

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

static int64_t roundUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// How often shared memory must be asked for a warp's loads of `width` bytes at
/// `addresses`: phases of 128 bytes, each once per distinct word of the fullest
/// of 32 banks.
static int64_t countWavefronts(const std::array<int64_t, 32> &addresses,
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
                         int64_t elementBytes) const {
  if (!batchFirst || isBulk || j != p.d)
    return false;
  // Few columns make wider pieces with those of neighbouring n.
  // Wider elements can be stored singly, but for those of different warps.
  bool isAligned = getAlignment(p.b * p.d * elementBytes) >= kNarrowBytes;
  if (isAligned && (p.d <= 8 || (elementBytes > 2 && !hasOverlappingWarps())))
    return false;
  int64_t piece = fragments.runN * vector * elementBytes;
  return std::min({getAlignment(p.b * p.d * elementBytes),
                   getAlignment(fragments.runN * p.d * elementBytes),
                   getAlignment(piece)}) < kNarrowBytes;
}

int64_t GPUPlan::getStagedRowPitch(const KSPattern &p,
                                   int64_t elementBytes) const {
  // An odd number of pieces: rows begin in different banks.
  int64_t pieces = (roundUp(n * p.d * elementBytes, 16) / 16 + 1) | 1;
  return pieces * 16 / elementBytes;
}

int64_t GPUPlan::getSwizzleBytes(const KSPattern &p, bool batchFirst,
                                 int64_t elementBytes) const {
  if (isWgmmaSS() || !batchFirst)
    return kWgmmaRowBytes;
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

int64_t GPUPlan::getStagedN(const KSPattern &p, bool batchFirst,
                            int64_t elementBytes) const {
  constexpr int64_t kLine = 128, kSector = 32, kWidest = 16;
  int64_t width = kWidest / elementBytes;
  if (!isWgmmaRS() || !batchFirst)
    return 0;
  bool isFlat = j == p.d;
  if (isFlat ? p.b * p.d % width != 0
             : j * elementBytes < kSector || j % width != 0 || p.d % width != 0)
    return 0;
  // Lanes of a row hold `unit` neighbours, this many times.
  int64_t unit = fragments.lanesN() * fragments.runN;
  int64_t times = getTilesN() * fragments.tileN() / unit;
  for (int64_t count = 1; count <= times; ++count) {
    int64_t row = count * unit * j;
    if (times % count == 0 && row % width == 0 &&
        (row * elementBytes >= kLine || count == times))
      return count * unit;
  }
  return 0;
}

std::array<int64_t, 4> GPUPlan::getStagedShape(const KSPattern &p,
                                               bool batchFirst,
                                               int64_t elementBytes) const {
  // Sixteen bytes more, so that rows begin in different banks.
  return {warpsM * warpsN, 2, 2 * FragmentLayout::tileEntries,
          getStagedN(p, batchFirst, elementBytes) * j + 16 / elementBytes};
}

int64_t GPUPlan::getOperandBytes(const KSPattern &p, bool batchFirst,
                                 int64_t elementBytes) const {
  return getInputBytes(p, batchFirst, elementBytes) +
         getWeightStages(p) * getStageWeightBytes(elementBytes);
}

int64_t GPUPlan::getSharedBytes(const KSPattern &p, bool batchFirst,
                                int64_t elementBytes) const {
  int64_t bytes = getOperandBytes(p, batchFirst, elementBytes);
  if (stagesRows(p, batchFirst, elementBytes))
    return bytes + entries * getStagedRowPitch(p, elementBytes) * elementBytes;
  if (getStagedN(p, batchFirst, elementBytes) == 0)
    return bytes;
  for (int64_t size : getStagedShape(p, batchFirst, elementBytes))
    elementBytes *= size;
  return bytes + elementBytes;
}

int64_t GPUPlan::getRegisters(const Problem &problem) const {
  bool batchFirst = problem.batchFirst;
  // In registers of 32 bits. What is left is for addresses and copies, found by
  // looking at what the assembler takes; epilogues hold temporaries as well.
  int64_t parts = problem.isComplex ? 2 : 1;
  int64_t accumulators =
      getAccumulators(batchFirst) * parts * problem.accumulatorBytes / 4;
  int64_t epilogue =
      problem.hasEpilogue ? std::max<int64_t>(24, accumulators / 2) : 0;
  accumulators *= fragments.numSums();
  if (isWgmmaSS())
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

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

namespace {
/// Collects the first complaint, if one is wanted.
class Check {
public:
  explicit Check(bool explains) : explains(explains) {}
  template <typename... Args>
  void require(bool condition, const char *format, Args &&...args) {
    if (!condition && good && explains)
      message = llvm::formatv(format, std::forward<Args>(args)...).str();
    good &= condition;
  }
  bool isGood() const { return good; }
  std::string message;

private:
  bool explains, good = true;
};
} // namespace

static void multiple(Check &check, const char *name, int64_t size,
                     int64_t unit) {
  check.require(size % unit == 0, "{0} is {1}; expected a multiple of {2}",
                name, size, unit);
}

/// What the copy engine can do (PTX ISA, "Tensors"; cuTensorMapEncodeTiled).
static void checkBulk(Check &check, const Problem &problem,
                      const GPUPlan &plan) {
  KSPattern p = plan.getKernelPattern(problem.factors.front().pattern);
  int64_t bytes = problem.elementBytes();
  check.require((problem.batchFirst && plan.fragments.isMma()) ||
                    plan.isWgmma(),
                "copies are bulk; expected cp_async but for batch_first with "
                "mma, and wgmma");
  int64_t rows = plan.getNumRows(problem.batchFirst);
  check.require(plan.cluster == 1 || plan.isWgmmaRS(),
                "cluster is {0}; expected 1 but for wgmma16_rs and wgmma8_rs",
                plan.cluster);
  check.require(rows <= 256,
                "{0} is {1} with bulk copies; expected at most 256",
                problem.batchFirst ? "entries" : "k", rows);
  if (!problem.batchFirst)
    return;
  // Rows of the tensors that a group is for the engine, and of its boxes.
  bool isFlat = plan.isFlatCopy(p, bytes);
  int64_t row = (isFlat ? p.c * p.d : p.d) * bytes;
  int64_t box = (isFlat ? plan.getAtomWidth() : plan.j) * bytes;
  check.require(row % 16 == 0 && box % 16 == 0,
                "bulk copies are of {0} of {1} bytes; expected multiples of 16",
                box, row);
  check.require(box <= 256 * bytes,
                "bulk copies are of {0} bytes; expected at most 256 elements",
                box);
  check.require(isFlat || plan.fragments.runK == 1,
                "run_k is {0} with bulk copies of some j; expected 1",
                plan.fragments.runK);
}

/// What wgmma can do with activations in registers, and its kernel.
static void checkWgmmaRS(Check &check, const Problem &problem,
                         const GPUPlan &plan) {
  const char *name = getName(plan.fragments.instruction);
  check.require(plan.isBulk, "copies are cp_async with {0}; expected bulk",
                name);
  check.require(problem.batchFirst || problem.realBytes == 4,
                "layout is batch_last with {0}; expected wgmma16", name);
  int64_t vector = kSwizzledBytes / 8 / problem.elementBytes();
  check.require(
      problem.batchFirst || (plan.vector == vector && plan.cluster == 1),
      "vector is {0}, in clusters of {1}; expected {2}, and 1, with {3} "
      "and layout batch_last",
      plan.vector, plan.cluster, vector, name);
  int64_t groups = plan.getWarps() / FragmentLayout::wgmmaWarps;
  check.require(
      plan.warpsM % FragmentLayout::wgmmaWarps == 0 && groups <= 2,
      "warps are [{0}, {1}, {2}] with {3}; expected a multiple of 4 along the "
      "batch, and 4 or 8 in all",
      plan.warpsM, plan.warpsN, plan.warpsJ, name);
  multiple(check, "entries", plan.entries,
           plan.warpsM * 2 * plan.getTileEntries(problem.batchFirst));
  check.require(plan.stages >= 2, "stages is {0} with {1}; expected at least 2",
                plan.stages, name);
  KSPattern p = problem.factors.front().pattern;
  bool isSize = plan.cluster == 1 || plan.cluster == 2 || plan.cluster == 4 ||
                plan.cluster == 8;
  check.require(isSize, "cluster is {0}; expected 1, 2, 4 or 8", plan.cluster);
  if (isSize) {
    check.require(plan.getNumBlocksN(p) % plan.cluster == 0,
                  "cluster is {0} with {1} blocks along n; expected a divisor",
                  plan.cluster, plan.getNumBlocksN(p));
    // What a block copies begins where swizzling does.
    multiple(check, "entries", plan.entries, 8 * plan.cluster);
  }
  check.require(
      plan.n <= 256 * plan.warpsN,
      "n is {0} with {1}; expected at most 256 for each of {2} warps along n",
      plan.n, name, plan.warpsN);
}

/// What wgmma can do (PTX ISA, "wgmma.mma_async"), and its kernel.
static void checkWgmmaSS(Check &check, const Problem &problem,
                         const GPUPlan &plan) {
  KSPattern p = plan.getKernelPattern(problem.factors.front().pattern);
  bool batchFirst = problem.batchFirst;
  check.require(plan.isBulk, "copies are cp_async with wgmma16; expected bulk");
  check.require(plan.warpsN == FragmentLayout::wgmmaWarps && plan.warpsJ == 1 &&
                    plan.warpsM <= 2,
                "warps are [{0}, {1}, {2}] with wgmma16; expected [1, 4, 1] or "
                "[2, 4, 1]",
                plan.warpsM, plan.warpsN, plan.warpsJ);
  check.require(!batchFirst || p.d == 1,
                "d is {0} with wgmma16; expected 1 with layout batch_first, or "
                "a folded packing",
                p.d);
  check.require(plan.stages >= 2,
                "stages is {0} with wgmma16; expected at least 2", plan.stages);
  int64_t vector = batchFirst ? 1 : 8;
  check.require(plan.vector == vector,
                "vector is {0} with wgmma16; expected {1}", plan.vector,
                vector);
  check.require(plan.fragments.runK == 1,
                "run_k is {0} with wgmma16; expected 1", plan.fragments.runK);
  check.require(plan.entries <= 256 * plan.warpsM,
                "entries is {0} with wgmma16; expected at most 256 for each of "
                "{1} times 4 warps",
                plan.entries, plan.warpsM);
  int64_t row = kWgmmaRowBytes / problem.elementBytes();
  check.require(!batchFirst || plan.k % row == 0,
                "k is {0} with wgmma16; expected a multiple of {1} with layout "
                "batch_first",
                plan.k, row);
}

static void checkInstruction(Check &check, const Problem &problem,
                             WarpInstruction instruction) {
  switch (instruction) {
  case WarpInstruction::Mma16:
  case WarpInstruction::Wgmma16:
  case WarpInstruction::WgmmaRS16:
    check.require(problem.realBytes == 2 && !problem.isComplex,
                  "instruction is {0} for elements of another type; expected "
                  "f16 or bf16",
                  getName(instruction));
    return;
  case WarpInstruction::Mma8:
  case WarpInstruction::WgmmaRS8:
    check.require(problem.realBytes == 4 && !problem.isComplex && problem.tf32,
                  "instruction is {0} for another type or precision; expected "
                  "f32 with precision(tf32)",
                  getName(instruction));
    return;
  case WarpInstruction::Mma16Split:
    check.require(problem.realBytes == 4 && !problem.isComplex && !problem.tf32,
                  "instruction is mma16_split for another type or precision; "
                  "expected f32 with precision(ieee)");
    check.require(problem.factors.front().pattern.c >= kMinSplitDepth,
                  "instruction is mma16_split with c = {0}; expected fma below "
                  "{1}, where it is not as exact",
                  problem.factors.front().pattern.c, kMinSplitDepth);
    return;
  case WarpInstruction::Fma:
    check.require(problem.realBytes >= 4,
                  "instruction is fma for a 16-bit type; expected mma16");
    return;
  }
}

static void checkPlan(Check &check, const Problem &problem,
                      const GPUPlan &plan) {
  check.require(problem.factors.size() == 1,
                "there are {0} factors; expected one", problem.factors.size());
  for (auto [name, size] : {std::pair{"entries", plan.entries},
                            {"batch_blocks", plan.batchBlocks},
                            {"n", plan.n},
                            {"k", plan.k},
                            {"j", plan.j},
                            {"sweeps", plan.sweeps},
                            {"warps along the batch", plan.warpsM},
                            {"warps along n", plan.warpsN},
                            {"warps along j", plan.warpsJ}})
    check.require(size >= 1 && size <= (1 << 20),
                  "{0} is {1}; expected 1 to 2^20", name, size);
  check.require(plan.vector >= 1 && plan.vector <= 16,
                "vector is {0}; expected 1 to 16", plan.vector);
  check.require(plan.stages >= 1 && plan.stages <= 8,
                "stages is {0}; expected 1 to 8", plan.stages);
  if (!check.isGood())
    return;

  const FragmentLayout &layout = plan.fragments;
  bool batchFirst = problem.batchFirst;
  checkInstruction(check, problem, layout.instruction);
  multiple(check, "n", plan.n, plan.warpsN * layout.tileN());
  multiple(check, "entries", plan.entries,
           plan.warpsM * plan.getTileEntries(batchFirst));
  multiple(check, "k", plan.k, layout.stepK());
  check.require(layout.runK == 1 || layout.runK == 2 || layout.runK == 4,
                "run_k is {0}; expected 1, 2 or 4", layout.runK);
  check.require(layout.runN >= 1, "run_n is {0}; expected at least 1",
                layout.runN);
  if (!check.isGood())
    return;

  KSPattern p = plan.getKernelPattern(problem.factors.front().pattern);
  check.require(!plan.isFolded || (batchFirst && plan.isWgmmaSS()),
                "packing is folded; expected wgmma16 and layout batch_first");
  if (batchFirst) {
    bool overlaps = plan.j == p.d && plan.j < plan.vector * plan.warpsJ &&
                    plan.j > plan.vector * (plan.warpsJ - 1) && plan.warpsJ > 1;
    check.require(plan.j == plan.vector * plan.warpsJ || overlaps,
                  "j is {0}; expected vector * warps along j = {1}", plan.j,
                  plan.vector * plan.warpsJ);
    check.require(!overlaps || (!plan.isBulk && !plan.isWgmma()),
                  "j is {0} with {1} warps of {2} along j, which overlap; "
                  "expected cp_async",
                  plan.j, plan.warpsJ, plan.vector);
    check.require(layout.runK == 1 || plan.j == plan.vector,
                  "run_k is {0} with several warps along j; expected 1",
                  layout.runK);
    check.require(layout.runN == 1 ||
                      (plan.j == plan.vector && plan.vector == p.d),
                  "run_n is {0} with vector = {1}; expected 1, or vector = d = "
                  "{2}",
                  layout.runN, plan.vector, p.d);
    multiple(check, "number of n of a lane", plan.getTilesN() * layout.slotsN(),
             layout.runN);
  } else {
    check.require(plan.j == 1 && plan.warpsJ == 1 && layout.runN == 1,
                  "j, warps along j and run_n are {0}, {1} and {2}; expected 1 "
                  "with layout batch_last",
                  plan.j, plan.warpsJ, layout.runN);
    // Swizzled rows k of a warp's lanes lie in different banks then.
    int64_t runK = plan.isWgmmaRS() ? 2 : 1;
    check.require(layout.runK == runK,
                  "run_k is {0}; expected {1} with {2} and layout batch_last",
                  layout.runK, runK, getName(layout.instruction));
  }
  if (plan.isWgmmaRS())
    checkWgmmaRS(check, problem, plan);
  else if (plan.isWgmma())
    checkWgmmaSS(check, problem, plan);
  check.require(plan.isBulk || plan.cluster == 1,
                "cluster is {0} with cp_async; expected 1", plan.cluster);
  int64_t slabs = plan.getNumSlabs(p);
  check.require(slabs % (plan.sweeps * plan.cluster) == 0,
                "sweeps is {0} with {1} slabs in clusters of {2}; expected a "
                "divisor of {3}",
                plan.sweeps, slabs, plan.cluster, slabs / plan.cluster);
  if (plan.isBulk)
    checkBulk(check, problem, plan);
  const Problem::Factor &factor = problem.factors.front();
  check.require(plan.tiedA == factor.tiedA &&
                    plan.tiedD == (factor.tiedD && !plan.isFolded),
                "packed weights are {0}tied along a and {1}tied along d; "
                "expected what the weight is",
                plan.tiedA ? "" : "not ", plan.tiedD ? "" : "not ");
  // The warps of a block are spread over the four parts of an SM.
  int64_t available =
      std::min<int64_t>(255, 65536 / roundUp(plan.getThreads(), 128) / 8 * 8);
  // Those that copy leave registers to the others.
  if (plan.handsOverRegisters())
    available = kWgmmaRegisters;
  int64_t registers = plan.getRegisters(problem);
  check.require(registers <= available,
                "a lane needs about {0} registers; expected at most {1} with "
                "{2} threads",
                registers, available, plan.getThreads());
  check.require(plan.getThreads() <= 512,
                "a block has {0} threads; expected at most 512",
                plan.getThreads());
}

static void checkPlan(Check &check, const Problem &problem, const GPUPlan &plan,
                      const GPUTarget &target) {
  checkPlan(check, problem, plan);
  if (!check.isGood())
    return;
  check.require(!plan.isBulk || target.capability >= 90,
                "copies are bulk; expected cp_async on {0}", target.name);
  check.require(!plan.isWgmma() || target.capability == 90,
                "instruction is {0} on {1}; expected mma16 or mma8",
                getName(plan.fragments.instruction), target.name);
  // The assembler takes more of them than the guess says for later ones, and
  // for split operands for earlier ones.
  constexpr int64_t kLaterRegisters = 216, kSplitRegisters = 208;
  int64_t registers = plan.getRegisters(problem), most = registers;
  if (target.capability >= 100)
    most = kLaterRegisters;
  else if (target.capability < 90 && plan.fragments.isSplit())
    most = kSplitRegisters;
  check.require(registers <= most,
                "a lane needs about {0} registers; expected at most {1} on {2}",
                registers, most, target.name);
  int64_t bytes = plan.getSharedBytes(
      plan.getKernelPattern(problem.factors.front().pattern),
      problem.batchFirst, problem.elementBytes());
  // Barriers come before, in a piece as aligned as the ring; without, a driver
  // may have that piece for itself.
  bytes += kBulkAlignment;
  check.require(bytes <= target.sharedPerBlock,
                "a block takes {0} bytes of shared memory; expected at most "
                "{1} on {2}",
                bytes, target.sharedPerBlock, target.name);
}

std::string ks::checkGPUPlan(const Problem &problem, const GPUPlan &plan) {
  Check check(/*explains=*/true);
  checkPlan(check, problem, plan);
  return check.message;
}

std::string ks::checkGPUPlan(const Problem &problem, const GPUPlan &plan,
                             const GPUTarget &target) {
  Check check(/*explains=*/true);
  checkPlan(check, problem, plan, target);
  return check.message;
}

bool ks::isLegalGPUPlan(const Problem &problem, const GPUPlan &plan,
                        const GPUTarget &target) {
  Check check(/*explains=*/false);
  checkPlan(check, problem, plan, target);
  return check.isGood();
}
