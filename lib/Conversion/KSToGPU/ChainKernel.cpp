//===- ChainKernel.cpp - The kernel of a chain ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A planned chain as one kernel. For the tile of the batch, and the slice of
// the chain, of a cluster:
//
//   rows of the input to shared memory
//   for each factor
//     the first weights to registers
//     all blocks of the cluster wait for each other
//     for each piece of work of the warp
//       accumulator = Σ warp_mma(load_weights, load_activations)
//       rounding; behind the last factor, the epilogue first
//       store_intermediate, to the block that reads it next
//   rows of the result from shared memory
//
// ChainRing.cpp has the way in which operands come through a ring.
// ks/Analysis/GPUChain.h says what lies where.
//
//===----------------------------------------------------------------------===//

#include "ChainKernel.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

/// What factor `t` reads, in shared memory; behind the last one, results.
Value ChainKernel::viewActivations(size_t t, Value offset) {
  const ChainBuffer &place = places[t];
  return viewShared(
      {place.getGroups(batchFirst), place.rows, place.pitch * parts},
      t < plan.factors.size() ? real : resultReal, offset);
}

/// Views of shared memory, of two parts in turns.
void ChainKernel::createBuffers() {
  std::array<int64_t, 3> bytes = plan.getBufferBytes(problem);
  for (size_t t = 0; t < plan.factors.size() + (plan.isStaged ? 1 : 0); ++t) {
    places.push_back(plan.getBuffer(problem, t));
    bool isInRing = plan.isStreamed() && t == 0;
    buffers.push_back(
        isInRing ? Value() : viewActivations(t, index.constant(bytes[t % 2])));
  }
}

/// Starts the copies of as many groups of the input as `destination` has, from
/// group `firstI` of the block and `k` on.
void ChainKernel::copyGroups(Value firstI, Value k, Value destination) {
  const ChainBuffer &place = places.front();
  int64_t slab = batchFirst ? place.slab : 1;
  int64_t width = (batchFirst ? place.depth * slab : plan.entries) * parts;
  auto loop = scf::ForOp::create(b, loc, index.constant(0),
                                 index.constant(place.getGroups(batchFirst)),
                                 index.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value group = loop.getInductionVar();
  int64_t columns = batchFirst ? 1 : place.ownD();
  Value i = index.div(group, columns), j = index.rem(group, columns);
  i = index.add(i, firstI);
  if (place.isAlongJ)
    j = index.add(j, index.mul(rank, place.ownD()));
  else
    i = index.add(i, index.mul(rank, place.ownA()));
  CopyActivationsOp::create(
      b, loc, getPatternAttr(), input, firstM, index.add(getFirstI(), i), k,
      index.add(getFirstJ(), j), destination, group, getInteger(place.depth),
      getInteger(slab), getInteger(place.rows), getInteger(width),
      getInteger(plan.getThreads()), getInteger(parts), getLayout(),
      /*shifted=*/UnitAttr());
}

/// Starts the copies of what this block has of the input.
void ChainKernel::copyInput() {
  selectFactor(0);
  copyGroups(index.constant(0), index.constant(0), buffers.front());
  NVVM::CpAsyncCommitGroupOp::create(b, loc);
}

/// Writes the zeros behind the last k of a buffer that no copy fills.
void ChainKernel::clearDepth(size_t t) {
  const ChainBuffer &place = places[t];
  if (place.depth == place.c)
    return;
  int64_t first = place.c * (batchFirst ? place.slab * parts : 1);
  int64_t end = place.depth * (batchFirst ? place.slab * parts : 1);
  // Of each group a rectangle: batch-first of all rows, else of all entries.
  SmallVector<int64_t> sizes{place.getGroups(batchFirst), place.rows,
                             end - first};
  if (!batchFirst)
    sizes = {sizes[0], end - first, plan.entries * parts};
  Value thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
  auto loop = scf::ForOp::create(b, loc, thread,
                                 index.constant(sizes[0] * sizes[1] * sizes[2]),
                                 index.constant(plan.getThreads()));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> at = index.delinearize(loop.getInductionVar(), sizes);
  Value &moved = at[batchFirst ? 2 : 1];
  moved = index.add(moved, first);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(real));
  memref::StoreOp::create(b, loc, zero, buffers[t], at);
}

//===----------------------------------------------------------------------===//
// One factor
//===----------------------------------------------------------------------===//

/// The weights of as many steps as a warp holds, from `step` on; there are none
/// behind the last ones, which are loaded again.
ChainKernel::Window ChainKernel::loadWindow(Value step, Value weightBlock) {
  const GPUChainFactor &factor = getFactor();
  bool isShared = factor.tiedD || !batchFirst;
  auto type = VectorType::get({isShared ? 1 : factor.vector, factor.getTilesN(),
                               factor.fragments.weightsPerLane() * parts},
                              getElementTypeOrSelf(weightBlocks.getType()));
  int64_t ahead = plan.getStepsAhead(problem, number);
  Window window;
  Value zero = index.constant(0);
  for (int64_t u = 0; u < ahead; ++u)
    window.push_back(LoadWeightsOp::create(b, loc, type, weightBlocks,
                                           weightBlock, index.add(step, u),
                                           zero, zero));
  return window;
}

Value ChainKernel::multiplyWindow(const Window &window, Value step,
                                  const Task &task, Value activationBuffer,
                                  Value accumulator) {
  const GPUChainFactor &factor = getFactor();
  const ChainBuffer &place = places[number];
  auto type = VectorType::get({factor.vector, factor.getTilesM(batchFirst),
                               FragmentLayout::slotsK * parts},
                              real);
  int64_t slab = batchFirst ? place.slab : 1;
  for (auto [u, loaded] : llvm::enumerate(window)) {
    Value k = index.mul(index.add(step, static_cast<int64_t>(u)),
                        factor.fragments.stepK());
    Value activations = LoadActivationsOp::create(
        b, loc, type, getFragments(), activationBuffer, task.group,
        batchFirst ? task.row : k,
        batchFirst ? index.add(index.mul(k, slab), task.column) : task.row,
        getInteger(slab), getLayout(),
        /*shift=*/ValueRange());
    accumulator =
        WarpMmaOp::create(b, loc, accumulator.getType(), getFragments(), loaded,
                          activations, accumulator);
  }
  return accumulator;
}

Value ChainKernel::getZeroAccumulator() {
  const GPUChainFactor &factor = getFactor();
  const FragmentLayout &layout = factor.fragments;
  auto type = VectorType::get(
      {factor.vector, factor.getTilesN(), factor.getTilesM(batchFirst),
       layout.slotsN() * layout.slotsM() * layout.numSums() * parts},
      accumulatorReal);
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
}

/// The product of a piece of work, whose first weights are in `window`; these
/// become those of the piece that is next, if there is one. While steps are
/// multiplied the weights of the next ones are under way.
Value ChainKernel::multiply(const Task &task, Window &window,
                            Value nextWeightBlock) {
  int64_t steps =
      plan.getDepth(problem, number) / getFactor().fragments.stepK();
  int64_t ahead = plan.getStepsAhead(problem, number);
  Value accumulator = getZeroAccumulator(), first = index.constant(0);
  if (steps > ahead) {
    SmallVector<Value> carried{accumulator};
    llvm::append_range(carried, window);
    auto loop = scf::ForOp::create(b, loc, first, index.constant(steps - ahead),
                                   index.constant(ahead), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value step = loop.getInductionVar();
      Window current(loop.getRegionIterArgs().drop_front());
      Window next = loadWindow(index.add(step, ahead), task.weightBlock);
      SmallVector<Value> yielded{
          multiplyWindow(current, step, task, buffers[number],
                         loop.getRegionIterArgs().front())};
      llvm::append_range(yielded, next);
      scf::YieldOp::create(b, loc, yielded);
    }
    accumulator = loop.getResult(0);
    window.assign(loop.result_begin() + 1, loop.result_end());
    first = index.constant(steps - ahead);
  }
  Window last = window;
  if (nextWeightBlock)
    window = loadWindow(index.constant(0), nextWeightBlock);
  return multiplyWindow(last, first, task, buffers[number], accumulator);
}

/// Stores a piece of work, to memory or to the block that reads it next.
void ChainKernel::finishTask(const Task &task, Value accumulator) {
  Value result = joinParts(accumulator, getFactor().fragments);
  Place place{index.add(firstM, task.row), index.add(getFirstI(), task.i),
              task.n, index.add(getFirstJ(), task.j)};
  if (isLast())
    result = applyEpilogue(result, getPatternAttr(), getFragments(), place);
  result = convert(result, isLast() ? resultReal : real);
  if (isLast() && !plan.isStaged) {
    StoreFragmentOp::create(b, loc, getPatternAttr(), getFragments(), result,
                            output, place.m, place.i, place.n, place.j,
                            getLayout(), getMultiplied(resultReal));
    return;
  }
  StoreIntermediateOp::create(
      b, loc, PatternAttr::get(b.getContext(), slice.pattern), getFragments(),
      result, buffers[number + 1], task.row, task.i, task.n, task.j,
      ChainBufferAttr::get(b.getContext(), places[number + 1]), getLayout());
}

/// What piece number `number` of the block's work is.
ChainKernel::Task ChainKernel::getTask(Value number) {
  const GPUChainFactor &factor = getFactor();
  const ChainBuffer &place = places[this->number];
  std::array<int64_t, 4> sizes = plan.getTasks(problem, this->number);
  SmallVector<Value> at = index.delinearize(number, sizes);
  Value ownI = at[0];
  Value ownJ = index.mul(at[1], factor.getColumns(batchFirst));
  Task task;
  task.i = ownI;
  task.j = ownJ;
  if (place.isAlongJ)
    task.j = index.add(ownJ, index.mul(rank, place.ownD()));
  else
    task.i = index.add(ownI, index.mul(rank, place.ownA()));
  Value blockN = at[2];
  if (isLast())
    blockN = index.add(blockN, index.mul(share, sizes[2]));
  task.n = index.mul(blockN, factor.n);
  task.row = index.mul(at[3], factor.entries);
  task.group = ownI;
  task.column = ownJ;
  if (!batchFirst) {
    task.group = index.add(index.mul(ownI, place.ownD()), ownJ);
    task.column = index.constant(0);
  }
  task.weightBlock = getWeightBlock(task.i, task.j, blockN);
  return task;
}

/// The first block of packed weights, [i][j block][part of n][n block][chunk],
/// of the slice's group, column and block of n.
Value ChainKernel::getWeightBlock(Value i, Value j, Value blockN) {
  const GPUChainFactor &factor = getFactor();
  int64_t columns = factor.getColumns(batchFirst);
  int64_t allD = problem.factors[number].pattern.d;
  int64_t blocksJ = factor.tiedD ? 1 : (allD + columns - 1) / columns;
  int64_t blocksN = (slice.pattern.b + factor.n - 1) / factor.n;
  Value block = index.constant(0);
  if (!factor.tiedA)
    block = index.mul(index.add(getFirstI(), i), blocksJ);
  if (!factor.tiedD)
    block = index.add(block, index.div(index.add(getFirstJ(), j), columns));
  block = index.add(index.mul(block, slice.parts),
                    index.div(sliceJ, slice.slicesOfPart));
  block = index.add(index.mul(block, blocksN), blockN);
  return index.mul(block, plan.getDepth(problem, number) /
                              plan.getChunk(problem, number));
}

/// All pieces of the warp. The weights of the next one are under way while one
/// is finished.
void ChainKernel::emitTasks(Window window) {
  Value end = index.constant(count);
  bool hasNext = count > plan.warps;
  auto loop = scf::ForOp::create(b, loc, warp, end, index.constant(plan.warps),
                                 hasNext ? ValueRange(window) : ValueRange());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar(), nextWeightBlock;
  if (hasNext) {
    window.assign(loop.getRegionIterArgs().begin(),
                  loop.getRegionIterArgs().end());
    // Behind the last one there is none; it is loaded again.
    nextWeightBlock =
        getTask(index.min(index.add(number, plan.warps), count - 1))
            .weightBlock;
  }
  Task task = getTask(number);
  finishTask(task, multiply(task, window, nextWeightBlock));
  if (hasNext)
    scf::YieldOp::create(b, loc, window);
}

/// What follows is about factor `t`.
void ChainKernel::selectFactor(size_t t) {
  number = t;
  slice = plan.getSlice(problem, t);
  count = plan.countTasks(problem, t);
}

/// The same, and its weights go from memory to registers.
void ChainKernel::bindFactor(size_t t) {
  selectFactor(t);
  // [i][j block][n block][chunk][step][j][tile][lane][position]
  SmallVector<int64_t> shape = attr.getFactors()[t].getPacking().getPackedShape(
      problem.factors[t].pattern);
  shape[3] *= shape[0] * shape[1] * shape[2];
  shape.erase(shape.begin(), shape.begin() + 3);
  shape.back() *= parts;
  auto type =
      MemRefType::get(shape, getElementTypeOrSelf(weights[t].getType()));
  weightBlocks = memref::ReinterpretCastOp::create(
      b, loc, type, weights[t], /*offset=*/0, shape, computeStrides(shape));
}

void ChainKernel::emitFactor(size_t t) {
  bindFactor(t);
  // The first weights come while activations do.
  Window window = loadWindow(index.constant(0),
                             getTask(index.min(warp, count - 1)).weightBlock);
  if (t == 0)
    NVVM::CpAsyncWaitGroupOp::create(b, loc, b.getI32IntegerAttr(0));
  synchronize(plan.cluster);
  if (t + 1 < plan.factors.size())
    clearDepth(t + 1);
  emitTasks(window);
}

//===----------------------------------------------------------------------===//
// The kernel and its launch
//===----------------------------------------------------------------------===//

/// Blocks that have the same input are neighbours.
void ChainKernel::placeBlock() {
  warp = index.div(gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x), 32);
  Value block = gpu::BlockIdOp::create(b, loc, gpu::Dimension::x);
  int64_t columnSlices = plan.getSlice(problem, 0).columnSlices;
  SmallVector<Value> at =
      index.delinearize(block, {1, plan.slices / columnSlices, columnSlices,
                                plan.shares, plan.cluster});
  firstM = index.mul(at[0], plan.entries);
  sliceI = at[1];
  sliceJ = at[2];
  share = at[3];
  rank = at[4];
}

void ChainKernel::emitBody(ValueRange arguments) {
  bindArguments(arguments);
  placeBlock();
  createBuffers();
  waitForEarlierKernels();
  if (plan.isStreamed()) {
    emitStreamedFactors();
  } else {
    copyInput();
    for (size_t t = 0; t < plan.factors.size(); ++t)
      emitFactor(t);
  }
  if (!plan.isStaged)
    return;
  synchronize(plan.cluster);
  int64_t width = places.back().c * parts;
  CopyRowsOp::create(b, loc, buffers.back(), output, firstM,
                     index.mul(rank, width), getInteger(width),
                     getInteger(plan.getThreads()));
}

void ChainKernel::lower(KernelModule &kernels, StringRef name) {
  overlapsLaunches = kernels.overlapsLaunches;
  SmallVector<Value> operands = getOperands();
  gpu::GPUFuncOp kernel =
      kernels.createKernel(loc, name, TypeRange(ValueRange(operands)),
                           plan.getThreads(), plan.cluster);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&kernel.getBody().front());
    emitBody(kernel.getArguments());
  }
  b.setInsertionPoint(op);
  Value entries = memref::DimOp::create(b, loc, op.getInit(), op.getBatchDim());
  Value blocks = affine::AffineApplyOp::create(
      b, loc,
      AffineMap::get(0, 1,
                     b.getAffineSymbolExpr(0).ceilDiv(plan.entries) *
                         (plan.slices * plan.shares * plan.cluster),
                     b.getContext()),
      ValueRange{entries});
  createLaunch(b, kernel, blocks, plan.getThreads(),
               plan.getSharedBytes(problem), operands);
  b.eraseOp(op);
}

void ks::lowerChainToGPU(RewriterBase &b, ProductOpInterface op,
                         GPUChainPlanAttr attr, KernelModule &kernels,
                         StringRef name) {
  if (attr.getPlan().isPlanes())
    return lowerChainPlanesToGPU(b, op, attr, kernels, name);
  ChainKernel(b, op, attr).lower(kernels, name);
}
