//===- GPUPlanCheck.cpp - Which plans are legal ---------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlanCheck.h"

#include "ks/Analysis/GPUPlanner.h"
#include "ks/Analysis/SplitFloat.h"

#include "llvm/Support/MathExtras.h"

using namespace ks;

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
  if (!problem.batchFirst || plan.planes != 0)
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
  check.multiple("entries", plan.entries,
                 plan.warpsM * 2 * plan.getTileEntries(problem.batchFirst));
  check.require(plan.stages >= 2, "stages is {0} with {1}; expected at least 2",
                plan.stages, name);
  KSPattern p = plan.getKernelPattern(problem.factors.front().pattern);
  bool isSize = plan.cluster == 1 || plan.cluster == 2 || plan.cluster == 4 ||
                plan.cluster == 8;
  check.require(isSize, "cluster is {0}; expected 1, 2, 4 or 8", plan.cluster);
  if (isSize) {
    check.require(plan.getNumBlocksN(p) % plan.cluster == 0,
                  "cluster is {0} with {1} blocks along n; expected a divisor",
                  plan.cluster, plan.getNumBlocksN(p));
    // What a block copies begins where swizzling does.
    check.multiple("entries", plan.entries, 8 * plan.cluster);
  }
  check.require(
      plan.n <= 256 * plan.warpsN,
      "n is {0} with {1}; expected at most 256 for each of {2} warps along n",
      plan.n, name, plan.warpsN);
}

/// What planes are for, and how they lie.
static void checkPlanes(Check &check, const Problem &problem,
                        const GPUPlan &plan) {
  int64_t planes = problem.getPlanes();
  check.require(plan.planes == planes,
                "planes is {0}; expected {1}, which the order of features {2}",
                plan.planes, planes, planes == 0 ? "does not ask for" : "says");
  if (plan.planes == 0 || !check.isGood())
    return;
  int64_t bytes = problem.elementBytes();
  KSPattern p = plan.getKernelPattern(problem.factors.front().pattern);
  check.require(problem.batchFirst && plan.isWgmmaRS() && bytes == 2,
                "instruction is {0} with planes; expected wgmma16_rs, f16 or "
                "bf16, and layout batch_first",
                getName(plan.fragments.instruction));
  check.require(plan.fragments.runK == 2,
                "run_k is {0} with planes; expected 2, the order of memory",
                plan.fragments.runK);
  check.require(plan.k == 16 || plan.k == 32 || plan.k % 64 == 0,
                "k is {0} with planes; expected 16, 32 or a multiple of 64, "
                "rows that can be swizzled",
                plan.k);
  check.require(plan.entries == 16 * plan.warpsM,
                "entries is {0} with planes and {1} warps along the batch; "
                "expected {2}, 64 for four of them",
                plan.entries, plan.warpsM, 16 * plan.warpsM);
  check.require(plan.j % plan.cluster == 0,
                "cluster is {0} with {1} planes; expected a divisor",
                plan.cluster, plan.j);
  check.require(p.c * bytes % 16 == 0,
                "bulk copies are of planes of {0} bytes; expected a multiple "
                "of 16",
                p.c * bytes);
  check.require(!problem.writes || !problem.hasEpilogue,
                "there is an epilogue where features are written in an order; "
                "expected none");
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

/// What blocks that share k can do.
static void checkSplits(Check &check, const Problem &problem,
                        const GPUPlan &plan) {
  constexpr int64_t kMaxBlocks = 8; // Of a cluster that all devices have.
  if (plan.splits == 1)
    return;
  check.require(plan.splits >= 1 && plan.splits <= kMaxBlocks,
                "splits is {0}; expected 1 to {1}", plan.splits, kMaxBlocks);
  check.require(plan.cluster == 1, "cluster is {0} with {1} splits; expected 1",
                plan.cluster, plan.splits);
  if (!check.isGood())
    return;
  KSPattern p = plan.getKernelPattern(problem.factors.front().pattern);
  check.require(plan.getNumChunks(p) % plan.splits == 0,
                "splits is {0} with {1} chunks of k; expected a divisor",
                plan.splits, plan.getNumChunks(p));
  check.require(plan.getTilesN() % plan.splits == 0,
                "splits is {0} with {1} tiles of a warp along n; expected a "
                "divisor",
                plan.splits, plan.getTilesN());
  if (check.isGood())
    check.multiple("number of n that a lane stores",
                   plan.getStoredTilesN() * plan.fragments.slotsN(),
                   plan.fragments.runN);
}

void ks::checkInstruction(Check &check, const Problem &problem,
                          WarpInstruction instruction, int64_t c) {
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
    check.require(c >= kMinSplitDepth,
                  "instruction is mma16_split with c = {0}; expected fma below "
                  "{1}, where it is not as exact",
                  c, kMinSplitDepth);
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
  checkInstruction(check, problem, layout.instruction,
                   problem.factors.front().pattern.c);
  check.multiple("n", plan.n, plan.warpsN * layout.tileN());
  check.multiple("entries", plan.entries,
                 plan.warpsM * plan.getTileEntries(batchFirst));
  check.multiple("k", plan.k, layout.stepK());
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
    check.require(plan.splits == 1 ||
                      !plan.stagesRows(p, batchFirst, problem.resultBytes()),
                  "splits is {0} where results are put together as rows; "
                  "expected 1",
                  plan.splits);
    check.require(layout.runK == 1 || plan.j == plan.vector || plan.planes != 0,
                  "run_k is {0} with several warps along j; expected 1",
                  layout.runK);
    check.require(layout.runN == 1 ||
                      (plan.j == plan.vector && plan.vector == p.d),
                  "run_n is {0} with vector = {1}; expected 1, or vector = d = "
                  "{2}",
                  layout.runN, plan.vector, p.d);
    check.multiple("number of n of a lane", plan.getTilesN() * layout.slotsN(),
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
  checkPlanes(check, problem, plan);
  if (plan.isWgmmaRS())
    checkWgmmaRS(check, problem, plan);
  else if (plan.isWgmma())
    checkWgmmaSS(check, problem, plan);
  check.require(plan.isBulk || plan.cluster == 1,
                "cluster is {0} with cp_async; expected 1", plan.cluster);
  check.require(!plan.isBulk || !problem.convertsInput(),
                "copies are bulk with an input that is converted; expected "
                "cp_async");
  checkSplits(check, problem, plan);
  int64_t slabs = plan.getNumSlabs(p);
  check.require(slabs % (plan.sweeps * plan.cluster) == 0,
                "sweeps is {0} with {1} slabs in clusters of {2}; expected a "
                "divisor of {3}",
                plan.sweeps, slabs, plan.cluster, slabs / plan.cluster);
  if (plan.isBulk)
    checkBulk(check, problem, plan);
  const Problem::Factor &factor = problem.factors.front();
  check.require(plan.tiedA == factor.tiedA &&
                    plan.tiedD == (problem.sharesColumns() && !plan.isFolded),
                "packed weights are {0}tied along a and {1}tied along d; "
                "expected what the weight is",
                plan.tiedA ? "" : "not ", plan.tiedD ? "" : "not ");
  int64_t available = plan.getAvailableRegisters();
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
  check.require(plan.splits == 1 || target.capability >= 90,
                "splits is {0}; expected 1 on {1}", plan.splits, target.name);
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
      problem.batchFirst, problem.elementBytes(), problem.resultBytes());
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
