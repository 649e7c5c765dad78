//===- ChainRing.cpp - Chains whose operands come through a ring ----------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   for each factor
//     for each set of groups and blocks of n
//       for each chunk of k
//         all threads wait for a stage, and start the copy of a later one
//         accumulator += Σ warp_mma(load_weights, load_activations)
//       rounding; behind the last factor, the epilogue first
//       store_intermediate, or store_fragment
//
// Stages are numbered from the first factor's to the last one's, so that copies
// of a factor's operands start while the one before is multiplied.
//
//===----------------------------------------------------------------------===//

#include "ChainKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

/// A stage of the selected factor: which groups, blocks of n and chunk of k,
/// and where it lies in shared memory.
struct ChainKernel::Stage {
  Value firstI, firstBlockN, chunk;
  Value input, weights; ///< In bytes.
};

ChainKernel::Stage ChainKernel::getStage(Value position) {
  std::array<int64_t, 3> sizes = plan.getStageCounts(problem, number);
  SmallVector<Value> at =
      index.delinearize(index.add(position, -firstStages[number]), sizes);
  Stage stage;
  stage.firstI = index.mul(at[0], getFactor().groups);
  stage.firstBlockN = index.mul(at[1], getFactor().blocksN);
  if (isLast())
    stage.firstBlockN =
        index.add(stage.firstBlockN,
                  index.mul(share, plan.countBlocksN(problem, number)));
  stage.chunk = at[2];
  stage.input =
      index.mul(index.rem(position, plan.stages), plan.getStageBytes(problem));
  stage.weights = stage.input;
  if (number == 0)
    stage.weights = index.add(stage.input, plan.getInputBytes(problem));
  return stage;
}

Value ChainKernel::viewWeights(const Stage &stage, ArrayRef<int64_t> shape) {
  return viewShared(shape, getElementTypeOrSelf(weights[number].getType()),
                    stage.weights);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Starts the copies of a stage's weights: blocks of n and of k follow each
/// other in memory, those of other groups and columns lie elsewhere.
void ChainKernel::copyWeights(const Stage &stage) {
  std::array<int64_t, 3> blocks = plan.getStageBlocks(problem, number);
  bool isTogether = plan.getStageCounts(problem, number)[2] == 1;
  int64_t elements = plan.getBlockElements(problem, number) * parts;
  std::array<int64_t, 3> pieces{blocks[0], blocks[1],
                                isTogether ? 1 : blocks[2]};
  int64_t piece = elements * (isTogether ? blocks[2] : 1);
  int64_t numPieces = pieces[0] * pieces[1] * pieces[2];
  Value view = viewWeights(stage, {numPieces, piece});
  auto loop = scf::ForOp::create(b, loc, index.constant(0),
                                 index.constant(numPieces), index.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> at = index.delinearize(loop.getInductionVar(), pieces);
  Value block =
      getWeightBlock(index.add(stage.firstI, at[0]),
                     index.mul(at[1], getFactor().getColumns(batchFirst)),
                     index.add(stage.firstBlockN, at[2]));
  CopyWeightsOp::create(b, loc, weights[number],
                        index.mul(index.add(block, stage.chunk), elements),
                        view, loop.getInductionVar(),
                        getInteger(plan.getThreads()));
}

/// Starts the copies of stage `position`, which is one of the selected factor.
void ChainKernel::copyStageOf(Value position) {
  Stage stage = getStage(position);
  if (number == 0)
    copyGroups(stage.firstI, index.mul(stage.chunk, getFactor().k),
               viewActivations(0, stage.input));
  copyWeights(stage);
}

/// Starts the copies of stage `position`, which is one of factor `from` or a
/// later one, or behind the last.
void ChainKernel::copyStage(Value position, size_t from) {
  if (from == plan.factors.size())
    return;
  auto isOfFactor = scf::IfOp::create(
      b, loc, index.less(position, firstStages[from + 1]), /*else=*/true);
  OpBuilder::InsertionGuard guard(b);
  size_t selected = number;
  b.setInsertionPointToStart(isOfFactor.thenBlock());
  selectFactor(from);
  copyStageOf(position);
  selectFactor(selected);
  b.setInsertionPointToStart(isOfFactor.elseBlock());
  copyStage(position, from + 1);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The warp's piece of a stage. Where warps are more than pieces the last ones
/// compute the last piece, too.
ChainKernel::Task ChainKernel::getStagedTask(const Stage &stage) {
  const GPUChainFactor &factor = getFactor();
  std::array<int64_t, 3> blocks = plan.getStageBlocks(problem, number);
  SmallVector<Value> at = index.delinearize(index.min(warp, count - 1),
                                            plan.getTasks(problem, number));
  Task task;
  task.i = index.add(stage.firstI, at[0]);
  task.j = index.mul(at[1], factor.getColumns(batchFirst));
  task.n = index.mul(index.add(stage.firstBlockN, at[2]), factor.n);
  task.row = index.mul(at[3], factor.entries);
  // The input is that of the stage, an intermediate is there as a whole.
  task.group = number == 0 ? at[0] : task.i;
  task.column = task.j;
  if (!batchFirst) {
    task.group =
        index.add(index.mul(task.group, places[number].ownD()), task.j);
    task.column = index.constant(0);
  }
  Value zero = index.constant(0);
  Value block = index.mul(factor.tiedA ? zero : at[0], blocks[1]);
  block = index.add(block, factor.tiedD ? zero : at[1]);
  task.weightBlock = index.add(index.mul(block, blocks[2]), at[2]);
  return task;
}

/// Waits for a stage of the selected factor, starts the copy of a later one,
/// and multiplies.
Value ChainKernel::emitStage(Value position, Value accumulator) {
  int64_t ahead = plan.stages - 1;
  // Behind the barrier all have read the stage that is written next, and what
  // the factor before has stored is there.
  NVVM::CpAsyncWaitGroupOp::create(
      b, loc, b.getI32IntegerAttr(static_cast<int32_t>(ahead - 1)));
  gpu::BarrierOp::create(b, loc);
  copyStage(index.add(position, ahead), number);
  NVVM::CpAsyncCommitGroupOp::create(b, loc);

  Stage stage = getStage(position);
  const GPUChainFactor &factor = getFactor();
  const FragmentLayout &layout = factor.fragments;
  int64_t columns = factor.tiedD ? 1 : factor.getColumns(batchFirst);
  std::array<int64_t, 3> blocks = plan.getStageBlocks(problem, number);
  int64_t steps = factor.k / layout.stepK();
  weightBlocks =
      viewWeights(stage, {blocks[0] * blocks[1] * blocks[2], steps, columns,
                          factor.getTilesN(), layout.weightLanes(),
                          layout.weightsPerLane() * parts});
  Value activations =
      number == 0 ? viewActivations(0, stage.input) : buffers[number];
  Task task = getStagedTask(stage);
  auto loop = scf::ForOp::create(
      b, loc, index.constant(0), index.constant(steps),
      index.constant(plan.getStepsAhead(problem, number)), accumulator);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value step = loop.getInductionVar();
  Window window = loadWindow(step, task.weightBlock);
  // An intermediate is there as a whole.
  if (number > 0)
    step = index.add(step, index.mul(stage.chunk, steps));
  Value sum = multiplyWindow(window, step, task, activations,
                             loop.getRegionIterArgs().front());
  scf::YieldOp::create(b, loc, sum);
  return loop.getResult(0);
}

/// Stores what the warps have computed of a set, of which `position` is a
/// stage.
void ChainKernel::finishSet(Value position, Value accumulator) {
  Task task = getStagedTask(getStage(position));
  if (count == plan.warps)
    return finishTask(task, accumulator);
  auto hasPiece =
      scf::IfOp::create(b, loc, index.less(warp, count), /*else=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(hasPiece.thenBlock());
  finishTask(task, accumulator);
}

void ChainKernel::emitStreamedFactor(size_t t) {
  selectFactor(t);
  if (t + 1 < plan.factors.size()) {
    // Zeros may take the place of what the factor before has read.
    if (t >= 2 && places[t + 1].depth != places[t + 1].c)
      gpu::BarrierOp::create(b, loc);
    clearDepth(t + 1);
  }
  auto [setsI, setsN, chunks] = plan.getStageCounts(problem, t);
  Value zero = index.constant(0), one = index.constant(1);
  auto sets =
      scf::ForOp::create(b, loc, zero, index.constant(setsI * setsN), one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(sets.getBody());
  Value first =
      index.add(index.mul(sets.getInductionVar(), chunks), firstStages[t]);
  auto loop = scf::ForOp::create(b, loc, zero, index.constant(chunks), one,
                                 getZeroAccumulator());
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(loop.getBody());
    Value sum = emitStage(index.add(first, loop.getInductionVar()),
                          loop.getRegionIterArgs().front());
    scf::YieldOp::create(b, loc, sum);
  }
  finishSet(first, loop.getResult(0));
}

void ChainKernel::emitStreamedFactors() {
  firstStages = {0};
  for (size_t t = 0; t < plan.factors.size(); ++t) {
    auto [setsI, setsN, chunks] = plan.getStageCounts(problem, t);
    firstStages.push_back(firstStages.back() + setsI * setsN * chunks);
  }
  auto fill =
      scf::ForOp::create(b, loc, index.constant(0),
                         index.constant(plan.stages - 1), index.constant(1));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(fill.getBody());
    copyStage(fill.getInductionVar(), 0);
    NVVM::CpAsyncCommitGroupOp::create(b, loc);
  }
  for (size_t t = 0; t < plan.factors.size(); ++t)
    emitStreamedFactor(t);
}
