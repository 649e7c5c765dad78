//===- SelectPlan.cpp - Choice of plans -----------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/CPUPlanner.h"
#include "ks/Dialect/KS/IR/KS.h"
#include "ks/Dialect/KS/Transforms/Passes.h"
#include "ks/Dialect/KS/Transforms/Transforms.h"

#include "mlir/IR/Remarks.h"

namespace ks {
#define GEN_PASS_DEF_SELECTPLAN
#include "ks/Dialect/KS/Transforms/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

Problem ks::getProblem(ProductOpInterface op) {
  Problem problem;
  for (auto [pattern, weight] :
       llvm::zip_equal(op.getPatternList(), op.getWeightOperands())) {
    auto shape = cast<ShapedType>(weight.getType()).getShape();
    Ties ties = shape.size() == 4 ? getTies(pattern, shape) : Ties::None;
    problem.factors.push_back({pattern, bitEnumContainsAny(ties, Ties::A),
                               bitEnumContainsAny(ties, Ties::D)});
  }
  if (!ShapedType::isDynamic(op.getBatch()))
    problem.batch = op.getBatch();
  problem.batchFirst = op.getLayout() == Layout::BatchFirst;
  problem.isComplex = isa<ComplexType>(op.getElementType());
  problem.realBytes =
      getRealType(op.getElementType()).getIntOrFloatBitWidth() / 8;
  problem.accumulatorBytes =
      getRealType(op.getAccumulatorType()).getIntOrFloatBitWidth() / 8;
  return problem;
}

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
                    const CPUTarget &target, const CPUPlan &plan) {
  auto name = remark::RemarkOpts::name("plan").category("ks-select-plan");
  int64_t batch = problem.batch.value_or(kAssumedBatch);
  remark::analysis(op->getLoc(), name)
      << llvm::formatv(
             "target {0}, batch {1}{2}: blocks of {3}, parallel over {4}; "
             "predicted {5:f1} us, floor {6:f0} bytes and {7:f0} flops",
             target.name, batch, problem.batch ? "" : " (assumed)",
             plan.batchBlock,
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

namespace {
struct SelectPlanPass : ks::impl::SelectPlanBase<SelectPlanPass> {
  using SelectPlanBase::SelectPlanBase;

  void runOnOperation() override {
    std::optional<CPUTarget> cpu = getCPUTarget(target);
    if (!cpu) {
      getOperation()->emitError("unknown target '")
          << target << "'; expected one of " << getCPUTargetNames();
      return signalPassFailure();
    }
    if (threads < 0) {
      getOperation()->emitError("got threads = ")
          << threads.getValue() << "; expected 0 (those of the target) or more";
      return signalPassFailure();
    }
    if (threads != 0)
      cpu->threads = threads;
    getOperation()->walk([&](ProductOpInterface op) {
      if (op.getPlanAttr())
        return;
      Problem problem = getProblem(op);
      CPUPlan plan = planForCPU(problem, *cpu).front();
      op.setPlanAttr(getPlanAttr(op, plan));
      explain(op, problem, *cpu, plan);
    });
  }
};
} // namespace
