//===- SelectPlan.cpp - Choice of plans -----------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/CPUPlanner.h"
#include "ks/Analysis/GPUPlanner.h"
#include "ks/Analysis/LibraryCost.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace ks {
#define GEN_PASS_DEF_SELECTPLAN
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

/// A product with a plan is a kernel.
static void setPlan(ProductOpInterface op, PlanAttrInterface plan) {
  op.setPlanAttr(plan);
  op->removeAttr(kKernelAttr);
}

//===----------------------------------------------------------------------===//
// CPUs
//===----------------------------------------------------------------------===//

CPUPlanAttr ks::getPlanAttr(ProductOpInterface op, const CPUPlan &plan) {
  MLIRContext *context = op->getContext();
  Problem problem = getProblem(op);
  SmallVector<CPUTileAttr> tiles;
  for (auto [tile, factor] : llvm::zip_equal(plan.tiles, problem.factors)) {
    // A weight shared by all j is one vector wide, however wide d is, as long
    // as all j blocks look alike; so is one shared by all i.
    Ties ties = Ties::None;
    if (factor.tiedA)
      ties = ties | Ties::A;
    if (factor.tiedD)
      ties = ties | Ties::D;
    bool batchFirst = problem.batchFirst;
    auto packing = CPUPackingAttr::get(
        context, tile.packVectors, tile.packLanes,
        batchFirst ? tile.n : tile.rows, batchFirst ? tile.j : 1, ties);
    tiles.push_back(CPUTileAttr::get(
        context, tile.rows, tile.vectors, tile.lanes, tile.unroll,
        tile.keepActivations ? Stationary::Activations : Stationary::Weights,
        packing));
  }
  ParallelDims parallel = ParallelDims::None;
  if (plan.parallelBatch)
    parallel = parallel | ParallelDims::Batch;
  if (plan.parallelGroup)
    parallel = parallel | ParallelDims::Group;
  if (plan.parallelPanel)
    parallel = parallel | ParallelDims::Panel;
  return CPUPlanAttr::get(context, plan.batchBlock, parallel, plan.stageInput,
                          tiles);
}

/// "target sm_90, batch 4096 (assumed): "
static std::string getTargetText(const Problem &problem, bool isAssumed,
                                 StringRef target) {
  std::string text = ("target " + target).str();
  if (isAssumed)
    text += llvm::formatv(", batch {0} (assumed)", *problem.batch);
  return text + ": ";
}

/// "8x3 vectors of 16 lanes (n 16, j 1)"
static std::string describe(const CPUTile &tile) {
  std::string text;
  llvm::raw_string_ostream(text)
      << tile.rows << "x" << tile.vectors << " vectors of " << tile.lanes
      << " lanes (n " << tile.n << ", j " << tile.j << ")";
  return text;
}

/// Tells what was chosen and what lost, in the planner's own figures.
static void explain(ProductOpInterface op, const Problem &problem,
                    bool isAssumed, const CPUTarget &target,
                    const CPUPlan &plan) {
  auto name = remark::RemarkOpts::name("plan").category("ks-select-plan");
  int64_t batch = *problem.batch;
  remark::analysis(op->getLoc(), name)
      << llvm::formatv(
             "target {0}, batch {1}{2}: blocks of {3}, parallel over {4}; "
             "predicted {5:f1} us, floor {6:f0} bytes and {7:f0} flops",
             target.name, batch, isAssumed ? " (assumed)" : "", plan.batchBlock,
             plan.parallelBatch ? "batch" : "groups and panels",
             plan.seconds * 1e6, getMinimumBytes(problem, batch),
             getFlops(problem, batch))
             .str();
  for (auto [t, tile] : llvm::enumerate(plan.tiles)) {
    SmallVector<CPUTile> ranked = rankTiles(problem, t, target);
    std::string next =
        ranked.size() > 1
            ? llvm::formatv("next best {0}: {1:f1}", describe(ranked[1]),
                            ranked[1].cyclesPerEntry)
                  .str()
            : std::string("no alternative");
    remark::analysis(op->getLoc(), name)
        << llvm::formatv("factor {0}: {1}: {2:f1} cycles per batch entry; {3}",
                         t, describe(tile), tile.cyclesPerEntry, next)
               .str();
  }
}

//===----------------------------------------------------------------------===//
// GPUs
//===----------------------------------------------------------------------===//

static Ties makeTies(bool tiedA, bool tiedD) {
  Ties tied = Ties::None;
  if (tiedA)
    tied = tied | Ties::A;
  if (tiedD)
    tied = tied | Ties::D;
  return tied;
}

static FragmentsAttr getFragmentsAttr(MLIRContext *context,
                                      const FragmentLayout &layout) {
  return FragmentsAttr::get(context,
                            static_cast<GPUInstruction>(layout.instruction),
                            layout.runK, layout.runN);
}

GPUPlanAttr ks::getPlanAttr(ProductOpInterface op, const GPUPlan &plan) {
  MLIRContext *context = op->getContext();
  auto packing = GPUPackingAttr::get(
      context, getFragmentsAttr(context, plan.fragments), plan.n, plan.k,
      plan.tiedD ? 1 : plan.j, makeTies(plan.tiedA, plan.tiedD), plan.isFolded,
      /*parts=*/1, /*run=*/1, plan.planes, getProblem(op).getRedundancy());
  return GPUPlanAttr::get(context, plan.entries, plan.batchBlocks, plan.vector,
                          {plan.warpsM, plan.warpsN, plan.warpsJ}, plan.stages,
                          plan.cluster, plan.splits, plan.sweeps,
                          plan.isBulk ? CopyEngine::Bulk : CopyEngine::CpAsync,
                          plan.isResident ? WeightPlacement::Resident
                                          : WeightPlacement::Streamed,
                          packing);
}

/// "128 entries x 64 n x 4 j, at most 33 blocks along the batch, 3 stages of k
/// 32 by cp.async, resident weights, 8 warps"
static std::string describe(const GPUPlan &plan) {
  std::string text =
      llvm::formatv("{0} entries x {1} n x {2} j, at most {3} blocks along "
                    "the batch, {4} stages of k {5} by {6}, {7} weights, {8} "
                    "warps",
                    plan.entries, plan.n, plan.j, plan.batchBlocks, plan.stages,
                    plan.k, plan.isBulk ? "bulk copies" : "cp.async",
                    plan.isResident ? "resident" : "streamed", plan.getWarps());
  if (plan.planes != 0)
    text += ", columns in planes";
  if (plan.cluster > 1)
    text += llvm::formatv(", clusters of {0} blocks", plan.cluster);
  if (plan.splits > 1)
    text += llvm::formatv(", k shared by {0} blocks", plan.splits);
  if (plan.sweeps > 1)
    text += llvm::formatv(", {0} sweeps over the batch", plan.sweeps);
  return text;
}

static void explain(ProductOpInterface op, const Problem &problem,
                    bool isAssumed, const GPUTarget &target,
                    ArrayRef<RankedGPUPlan> ranked) {
  auto name = remark::RemarkOpts::name("plan").category("ks-select-plan");
  const auto &[plan, cost] = ranked.front();
  remark::analysis(op->getLoc(), name)
      << llvm::formatv(
             "{0}{1}; predicted {2:f1} us, limited by {3}: {4:f0} bytes of "
             "DRAM, {5:f0} bytes into SMs",
             getTargetText(problem, isAssumed, target.name), describe(plan),
             cost.seconds * 1e6, cost.limit, cost.dramBytes, cost.l2Bytes)
             .str();
  for (const auto &[other, otherCost] : ranked.drop_front())
    remark::analysis(op->getLoc(), name)
        << llvm::formatv("rejected {0}: {1:f1} us, limited by {2}",
                         describe(other), otherCost.seconds * 1e6,
                         otherCost.limit)
               .str();
}

GPUChainPlanAttr ks::getPlanAttr(ProductOpInterface op,
                                 const GPUChainPlan &plan) {
  MLIRContext *context = op->getContext();
  Problem problem = getProblem(op);
  SmallVector<GPUChainFactorAttr> factors;
  for (auto [number, factor] : llvm::enumerate(plan.factors)) {
    ChainSlice slice = plan.getSlice(problem, number);
    auto packing = GPUPackingAttr::get(
        context, getFragmentsAttr(context, factor.fragments), factor.n,
        plan.getChunk(problem, number),
        factor.tiedD ? 1 : factor.getColumns(problem.batchFirst),
        makeTies(factor.tiedA, factor.tiedD), /*folded=*/false, slice.parts,
        slice.run, /*planes=*/0, /*redundancy=*/1);
    factors.push_back(GPUChainFactorAttr::get(context, factor.entries,
                                              factor.vector, factor.groups,
                                              factor.blocksN, packing));
  }
  return GPUChainPlanAttr::get(context, plan.entries, plan.slices, plan.shares,
                               plan.cluster, plan.warps, plan.stages,
                               plan.batchBlocks, plan.isStaged, factors);
}

/// "32 entries in clusters of 4 blocks of 8 warps, whole rows stored"
static std::string describe(const GPUChainPlan &plan) {
  std::string text =
      llvm::formatv("{0} entries in clusters of {1} blocks of {2} warps",
                    plan.entries, plan.cluster, plan.warps);
  if (plan.slices > 1)
    text += llvm::formatv(", {0} slices", plan.slices);
  if (plan.shares > 1)
    text += llvm::formatv(", n shared by {0}", plan.shares);
  if (plan.isStreamed())
    text += llvm::formatv(", {0} stages", plan.stages);
  if (plan.isPlanes())
    text += ", planes by wgmma";
  return text + (plan.isStaged ? ", whole rows stored" : "");
}

static LogicalResult selectChainPlan(ProductOpInterface op,
                                     const Problem &problem, bool isAssumed,
                                     const GPUTarget &target, size_t rank) {
  std::vector<RankedGPUChainPlan> ranked =
      planChainForGPU(problem, target, static_cast<unsigned>(rank + 2));
  ranked.erase(ranked.begin(), ranked.begin() + std::min(rank, ranked.size()));
  if (ranked.empty())
    return op->emitOpError("has ")
           << problem.factors.size()
           << " factors, which do not fit one kernel on " << target.name
           << "; expected fewer, or smaller ones (run ks-split-chains first)";
  setPlan(op, getPlanAttr(op, ranked.front().plan));
  auto name = remark::RemarkOpts::name("plan").category("ks-select-plan");
  for (auto [number, candidate] : llvm::enumerate(ranked)) {
    const GPUCost &cost = candidate.cost;
    remark::analysis(op->getLoc(), name)
        << llvm::formatv(
               "{0}{1}: {2:f1} us, limited by {3}: {4:f0} bytes of DRAM, "
               "{5:f0} bytes into SMs",
               number == 0 ? getTargetText(problem, isAssumed, target.name)
                           : "rejected ",
               describe(candidate.plan), cost.seconds * 1e6, cost.limit,
               cost.dramBytes, cost.l2Bytes)
               .str();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Libraries
//===----------------------------------------------------------------------===//

LibraryPlanAttr ks::getLibraryPlanAttr(ProductOpInterface op,
                                       const GPUPlan &fallback) {
  return LibraryPlanAttr::get(
      op->getContext(), Library::CublasLt,
      cast<PlanAttrInterface>(Attribute(getPlanAttr(op, fallback))));
}

LibraryPlanAttr ks::getLibraryPlanAttr(ProductOpInterface op,
                                       const CPUPlan &fallback) {
  return LibraryPlanAttr::get(
      op->getContext(), Library::Blas,
      cast<PlanAttrInterface>(Attribute(getPlanAttr(op, fallback))));
}

/// Whether `weight` is made of constants alone.
static bool isConstantWeight(Value weight) {
  auto merge = weight.getDefiningOp<MergeWeightsOp>();
  if (!merge)
    return matchPattern(weight, m_Constant());
  return isConstantWeight(merge.getRightWeight()) &&
         isConstantWeight(merge.getLeftWeight());
}

std::optional<double> ks::predictLibrary(ProductOpInterface op,
                                         const Problem &problem,
                                         const GPUTarget &target) {
  if (llvm::any_of(op.getWeightOperands(), isConstantWeight))
    return std::nullopt;
  return predictLibrary(problem, target);
}

std::optional<double> ks::predictLibrary(ProductOpInterface op,
                                         const Problem &problem,
                                         const CPUTarget &target) {
  if (llvm::any_of(op.getWeightOperands(), isConstantWeight))
    return std::nullopt;
  return predictLibrary(problem, target);
}

/// Tells that a library computes `op`, and what would where it is missing.
static void explainLibrary(ProductOpInterface op, const Twine &library,
                           double seconds, const Twine &kernel,
                           double kernelSeconds) {
  remark::analysis(op->getLoc(),
                   remark::RemarkOpts::name("plan").category("ks-select-plan"))
      << llvm::formatv("{0}; predicted {1:f1} us; where it cannot be opened "
                       "{2}, {3:f1} us",
                       library.str(), seconds * 1e6, kernel.str(),
                       kernelSeconds * 1e6)
             .str();
}

/// Has the library of `target` compute `op`, if it is faster than the kernel of
/// `plan`, and explains that.
static bool selectLibrary(ProductOpInterface op, const Problem &problem,
                          bool isAssumed, const CPUTarget &target,
                          const CPUPlan &plan) {
  std::optional<double> library = predictLibrary(op, problem, target);
  if (!library)
    return false;
  double kernel = plan.seconds * getSlowdown(problem, 0, target);
  bool isFaster = *library < kernel;
  if (!isFaster) {
    remark::analysis(op->getLoc(), remark::RemarkOpts::name("plan").category(
                                       "ks-select-plan"))
        << llvm::formatv("rejected library BLAS: {0:f1} us, and {1:f1} us "
                         "beside it",
                         *library * 1e6, kernel * 1e6)
               .str();
    return false;
  }
  setPlan(op, getLibraryPlanAttr(op, plan));
  explainLibrary(
      op, getTargetText(problem, isAssumed, target.name) + "library BLAS",
      *library, describe(plan.tiles.front()), kernel);
  return true;
}

/// How a product of one factor may run: by the library, if it is there and
/// `isLibrary`, and by the first of the plans.
struct Choice {
  SmallVector<RankedGPUPlan> ranked;    ///< None for some orders of features.
  std::optional<double> librarySeconds; ///< None if it cannot.
  bool isLibrary = false;
};

/// Chooses the fastest way; beside `main`, a plan for another batch, only what
/// makes up for a second copy of the weights.
static Choice chooseAlone(ProductOpInterface op, const Problem &problem,
                          const GPUTarget &target, PlanAttrInterface main,
                          size_t rank) {
  Choice choice;
  auto mainLibrary = dyn_cast_if_present<LibraryPlanAttr>(main);
  auto mainKernel = mainLibrary ? mainLibrary.getGPUPlan()
                                : dyn_cast_if_present<GPUPlanAttr>(main);
  if (mainKernel)
    choice.ranked.push_back(
        planForGPUBeside(problem, target, mainKernel.getPlan(op.getLayout())));
  else
    choice.ranked =
        planForGPU(problem, target, static_cast<unsigned>(rank + 2));
  if (choice.ranked.empty())
    return choice;
  rank = std::min(rank, choice.ranked.size() - 1);
  choice.ranked.erase(choice.ranked.begin(), choice.ranked.begin() + rank);
  choice.librarySeconds = predictLibrary(op, problem, target);
  if (!choice.librarySeconds || rank != 0)
    return choice;
  double kernel = choice.ranked.front().cost.seconds * getSlowdown(problem);
  double allowance = mainLibrary  ? kSecondPacking
                     : mainKernel ? 1 / kSecondPacking
                                  : 1;
  choice.isLibrary = *choice.librarySeconds < allowance * kernel;
  return choice;
}

//===----------------------------------------------------------------------===//
// One product
//===----------------------------------------------------------------------===//

/// Whether `target` can realize the plan that `op` has.
static LogicalResult checkPinned(ProductOpInterface op, const Problem &problem,
                                 const GPUTarget &target) {
  PlanAttrInterface pinned = op.getPlanAttr();
  std::string complaint;
  auto library = dyn_cast<LibraryPlanAttr>(pinned);
  if (library && failed(library.verifyPlan(op)))
    return failure();
  if (auto plan =
          library ? library.getGPUPlan() : dyn_cast<GPUPlanAttr>(pinned))
    complaint = checkGPUPlan(problem, plan.getPlan(op.getLayout()), target);
  else if (auto chain = dyn_cast<GPUChainPlanAttr>(pinned))
    complaint = checkGPUChainPlan(problem, chain.getPlan(), target);
  else
    return op->emitOpError("has plan ")
           << pinned << ", which is not for " << target.name
           << "; expected a #ks.gpu_plan, #ks.gpu_chain_plan or "
              "#ks.library_plan<cublaslt, ...>";
  if (!complaint.empty())
    return op->emitOpError("has a plan that does not fit ")
           << target.name << ": " << complaint;
  return success();
}

/// Gives `op` a plan for `target`, or checks the one it has. `main`, if any, is
/// its plan for other batches.
static LogicalResult selectPlan(ProductOpInterface op, const GPUTarget &target,
                                int64_t assumedBatch, PlanAttrInterface main,
                                size_t rank) {
  Problem problem = getProblem(op);
  if (op.getPlanAttr())
    return checkPinned(op, problem, target);
  bool isAssumed = !problem.batch;
  if (isAssumed)
    problem.batch = assumedBatch;
  if (problem.factors.size() != 1)
    return selectChainPlan(op, problem, isAssumed, target, rank);
  Choice choice = chooseAlone(op, problem, target, main, rank);
  if (choice.ranked.empty())
    return op->emitOpError("has features in another order, for which there is "
                           "no plan on ")
           << target.name
           << "; expected f16 or bf16 in two or more planes of multiples of 16 "
              "bytes on a target with wgmma, or no reads and writes";
  const GPUPlan &plan = choice.ranked.front().plan;
  if (choice.isLibrary) {
    setPlan(op, getLibraryPlanAttr(op, plan));
    explainLibrary(
        op, getTargetText(problem, isAssumed, target.name) + "library cublasLt",
        *choice.librarySeconds, describe(plan),
        choice.ranked.front().cost.seconds);
    return success();
  }
  setPlan(op, getPlanAttr(op, plan));
  explain(op, problem, isAssumed, target, choice.ranked);
  if (choice.librarySeconds)
    remark::analysis(op->getLoc(), remark::RemarkOpts::name("plan").category(
                                       "ks-select-plan"))
        << llvm::formatv("rejected library cublasLt: {0:f1} us",
                         *choice.librarySeconds * 1e6)
               .str();
  return success();
}

namespace {
struct SelectPlanPass : ks::impl::SelectPlanBase<SelectPlanPass> {
  using SelectPlanBase::SelectPlanBase;

  LogicalResult selectForCPU(CPUTarget cpu) {
    if (threads != 0)
      cpu.threads = threads;
    WalkResult result = getOperation()->walk([&](ProductOpInterface op) {
      if (op.getPlanAttr())
        return WalkResult::advance();
      if (failed(ks::detail::verifyNaturalOrder(op)))
        return WalkResult::interrupt();
      Problem problem = getProblem(op);
      bool isAssumed = !problem.batch;
      if (isAssumed)
        problem.batch = batch ? batch : kAssumedBatch;
      CPUPlan plan = planForCPU(problem, cpu).front();
      if (selectLibrary(op, problem, isAssumed, cpu, plan))
        return WalkResult::advance();
      setPlan(op, getPlanAttr(op, plan));
      explain(op, problem, isAssumed, cpu, plan);
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  void runOnOperation() override {
    if (batch < 0) {
      getOperation()->emitError("got batch = ")
          << batch.getValue() << "; expected 0 (the planner's) or more";
      return signalPassFailure();
    }
    if (rank < 0) {
      getOperation()->emitError("got rank = ")
          << rank.getValue() << "; expected 0 (the best plan) or more";
      return signalPassFailure();
    }
    if (threads < 0) {
      getOperation()->emitError("got threads = ")
          << threads.getValue() << "; expected 0 (those of the target) or more";
      return signalPassFailure();
    }
    if (std::optional<CPUTarget> cpu = getCPUTarget(target)) {
      if (failed(selectForCPU(*cpu)))
        signalPassFailure();
      return;
    }
    std::optional<GPUTarget> gpu = getGPUTarget(target);
    if (!gpu) {
      getOperation()->emitError("unknown target '")
          << target << "'; expected one of " << getCPUTargetNames() << ", "
          << getGPUTargetNames();
      return signalPassFailure();
    }
    DenseMap<Operation *, size_t> numbers; // Of products, per function.
    WalkResult result = getOperation()->walk([&](ProductOpInterface op) {
      Operation *func = op->getParentOfType<FunctionOpInterface>();
      ArrayAttr mains;
      if (func)
        mains = func->getAttrOfType<ArrayAttr>(kMainPlansAttr);
      size_t number = numbers[func]++;
      PlanAttrInterface main;
      if (mains && number < mains.size())
        main = dyn_cast<PlanAttrInterface>(mains[number]);
      return WalkResult(selectPlan(op, *gpu, batch ? batch : kAssumedGPUBatch,
                                   main, static_cast<size_t>(rank.getValue())));
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
