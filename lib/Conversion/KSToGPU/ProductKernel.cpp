//===- ProductKernel.cpp - The kernel of one product ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProductKernel.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>
#include <tuple>

using namespace mlir;
using namespace ks;

ProductKernel::ProductKernel(RewriterBase &b, ProductOpInterface op,
                             GPUPlanAttr attr)
    : KernelBuilder(b, op), attr(attr), plan(attr.getPlan(op.getLayout())),
      p(plan.getKernelPattern(op.getPatternList().front())),
      fragments(attr.getPacking().getFragments()) {}

/// Which slab the block computes, and which part of it the warp.
void ProductKernel::findSlab() {
  // Slabs are fastest; of several sweeps, those of one.
  Value block = gpu::BlockIdOp::create(b, loc, gpu::Dimension::x);
  Value blocks = gpu::GridDimOp::create(b, loc, gpu::Dimension::x);
  split = firstChunk = index.constant(0);
  if (plan.splits > 1) {
    split = index.rem(block, plan.splits);
    firstChunk = index.mul(split, plan.getBlockChunks(p));
    block = index.div(block, plan.splits);
    blocks = index.div(blocks, plan.splits);
  }
  Value batchBlocks = index.div(blocks, plan.getNumSlabs(p));
  Value batchBlock, number = block;
  if (plan.sweeps > 1) {
    int64_t together = plan.getSweepSlabs(p);
    Value rest = index.div(block, together);
    batchBlock = index.rem(rest, batchBlocks);
    number = index.add(index.mul(index.div(rest, batchBlocks), together),
                       index.rem(block, together));
  }
  SmallVector<Value> slab = index.delinearize(
      number, {1, p.a, plan.getNumBlocksJ(p), plan.getNumBlocksN(p)});
  if (plan.sweeps == 1)
    batchBlock = slab[0];
  firstM = index.mul(batchBlock, plan.entries);
  strideM = index.mul(batchBlocks, plan.entries);
  i = slab[1];
  blockJ = slab[2];
  blockN = slab[3];
  warp = index.div(gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x), 32);
  // Four neighbours that multiply together differ in the rows they hold: n, or
  // entries.
  if (plan.isWgmmaRS()) {
    SmallVector<Value> part =
        index.delinearize(warp, {plan.warpsN, plan.warpsJ, plan.warpsM});
    std::tie(partN, partJ, partM) = std::tuple(part[0], part[1], part[2]);
  } else {
    SmallVector<Value> part =
        index.delinearize(warp, {plan.warpsM, plan.warpsN, plan.warpsJ});
    std::tie(partM, partN, partJ) = std::tuple(part[0], part[1], part[2]);
  }
  warpM = index.mul(partM, plan.entries / plan.warpsM);
  warpTile = index.mul(partN, plan.getTilesN());
  warpJ = index.mul(partJ, batchFirst ? plan.vector : 0);
  if (batchFirst && plan.hasOverlappingWarps())
    warpJ = index.min(warpJ, plan.j - plan.vector);
}

Value ProductKernel::getWeightOffset(Value chunk) {
  // packed[i][j block][n block][chunk]
  SmallVector<int64_t> shape = getPackedShape();
  Value offset = plan.tiedA ? index.constant(0) : i;
  offset = index.mul(offset, shape[1]);
  if (!plan.tiedD)
    offset = index.add(offset, blockJ);
  offset = index.add(index.mul(offset, shape[2]), blockN);
  offset = index.add(index.mul(offset, shape[3]), getChunkOfSlab(chunk));
  return index.mul(offset, plan.getStageWeights() * parts);
}

ProductKernel::Chunk ProductKernel::getLater(const Chunk &chunk,
                                             Value distance) {
  int64_t chunks = plan.getBlockChunks(p);
  Value k = index.add(chunk.k, distance);
  return {index.add(chunk.m, index.mul(strideM, index.div(k, chunks))),
          index.rem(k, chunks)};
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// The operands of one step of a chunk, which lies in `stage`.
ProductKernel::Operands ProductKernel::loadStep(Value chunk, Value stage,
                                                Value step) {
  int64_t columns = plan.vector;
  // Columns that are entries of the batch share their weights.
  bool isShared = plan.tiedD || !batchFirst;
  auto weightType = VectorType::get({isShared ? 1 : columns, plan.getTilesN(),
                                     plan.fragments.weightsPerLane() * parts},
                                    getElementTypeOrSelf(weight.getType()));
  auto inputType = VectorType::get(
      {columns, plan.getTilesM(batchFirst), FragmentLayout::slotsK * parts},
      real);
  Value weights = LoadWeightsOp::create(
      b, loc, weightType, weightStages, plan.isResident ? chunk : stage, step,
      plan.tiedD ? index.constant(0) : warpJ, warpTile);
  return {weights, loadActivations(stage, step, inputType)};
}

/// `count` steps from `first` on, of which each is loaded before the one before
/// is multiplied.
Value ProductKernel::multiplySteps(Value chunk, Value stage, Value first,
                                   int64_t count, Value accumulator) {
  Operands operands = loadStep(chunk, stage, first);
  for (int64_t step = 1; step <= count; ++step) {
    Operands next;
    if (step < count)
      next = loadStep(chunk, stage, index.add(first, step));
    accumulator =
        WarpMmaOp::create(b, loc, accumulator.getType(), fragments,
                          operands.weights, operands.activations, accumulator);
    operands = next;
  }
  return accumulator;
}

Value ProductKernel::multiplyChunk(Value chunk, Value stage,
                                   Value accumulator) {
  // A step of split operands is long by itself, and has many weights if those
  // of all columns differ.
  int64_t maxUnrolled = !plan.fragments.isSplit() ? 4 : batchFirst ? 1 : 2;
  int64_t steps = plan.k / plan.fragments.stepK();
  int64_t unrolled = std::gcd(steps, maxUnrolled);
  if (steps == unrolled)
    return multiplySteps(chunk, stage, index.constant(0), steps, accumulator);
  auto loop = scf::ForOp::create(
      b, loc, index.constant(0), index.constant(steps),
      index.constant(unrolled), accumulator,
      [&](OpBuilder &, Location, Value step, ValueRange carried) {
        scf::YieldOp::create(
            b, loc,
            multiplySteps(chunk, stage, step, unrolled, carried.front()));
      });
  return loop.getResult(0);
}

SmallVector<int64_t> ProductKernel::getAccumulatorShape() {
  return {plan.vector, plan.getTilesN(), plan.getTilesM(batchFirst),
          plan.fragments.slotsN() * plan.fragments.slotsM() *
              plan.fragments.numSums() * parts};
}

Value ProductKernel::finishProduct(const Ring & /*ring*/, Value accumulator) {
  return joinParts(accumulator, plan.fragments);
}

/// The product of one tile of the batch, before the epilogue.
Value ProductKernel::emitProduct(Value m, Ring &ring) {
  auto type = VectorType::get(getAccumulatorShape(), accumulatorReal);
  Value accumulator = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value zero = index.constant(0);
  int64_t chunks = plan.getBlockChunks(p);
  if (chunks == 1) {
    accumulator = emitChunk({m, zero}, ring, accumulator);
    return finishProduct(ring, accumulator);
  }
  SmallVector<Value> carried{accumulator};
  llvm::append_range(carried, ring);
  auto loop = scf::ForOp::create(b, loc, zero, index.constant(chunks),
                                 index.constant(1), carried);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Ring inner(loop.getRegionIterArgs().drop_front());
    SmallVector<Value> yielded{emitChunk({m, loop.getInductionVar()}, inner,
                                         loop.getRegionIterArgs().front())};
    llvm::append_range(yielded, inner);
    scf::YieldOp::create(b, loc, yielded);
  }
  ring.assign(loop.result_begin() + 1, loop.result_end());
  return finishProduct(ring, loop.getResult(0));
}

/// The sums of all blocks that share k, of this one's share of the rows n,
/// which `place` moves on to. Others may read this block's until the next
/// waitForCluster.
Value ProductKernel::addPartials(Value partial, Place &place) {
  auto type = cast<VectorType>(partial.getType());
  SmallVector<int64_t> shape(type.getShape());
  int64_t size = shape.back(), count = type.getNumElements() / size;
  Value partials = viewShared(
      {plan.getWarps(), count, FragmentLayout::lanes, size},
      type.getElementType(),
      plan.getStagedBytes(p, batchFirst, getElementBytes(), getResultBytes()));
  StorePartialsOp::create(b, loc, partial, partials, warp);
  arriveInCluster();
  waitForCluster();
  shape[1] = plan.getStoredTilesN();
  Value sum = AddPartialsOp::create(
      b, loc, VectorType::get(shape, type.getElementType()), partials, warp,
      split, getInteger(plan.splits));
  arriveInCluster();
  int64_t rows = plan.getStoredTilesN() * plan.fragments.tileN();
  place.n = index.add(place.n, index.mul(split, rows));
  return sum;
}

void ProductKernel::emitTile(Value m, Ring &ring) {
  Value accumulator = emitProduct(m, ring);
  int64_t tileN = plan.fragments.tileN();
  Place place{index.add(m, warpM), i,
              index.add(index.mul(blockN, plan.n), index.mul(warpTile, tileN)),
              index.add(index.mul(blockJ, plan.j), warpJ)};
  if (plan.splits > 1)
    accumulator = addPartials(accumulator, place);
  Value result = applyEpilogue(accumulator, getPattern(), fragments, place);
  store(arrange(convert(result, resultReal)), place);
  if (plan.splits > 1)
    waitForCluster();
}

void ProductKernel::store(Value fragment, const Place &place) {
  StoreFragmentOp::create(b, loc, getPattern(), fragments, fragment, output,
                          place.m, place.i, place.n, place.j, getLayout(),
                          getMultiplied(resultReal));
}

void ProductKernel::forEachTile(Ring ring,
                                function_ref<void(Value, Ring &)> body) {
  auto loop = scf::ForOp::create(b, loc, firstM, batch, strideM, ring);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Ring inner(loop.getRegionIterArgs());
  body(loop.getInductionVar(), inner);
  scf::YieldOp::create(b, loc, inner);
}

//===----------------------------------------------------------------------===//
// The kernel and its launch
//===----------------------------------------------------------------------===//

void ProductKernel::emitBody(Block &block) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&block);
  ValueRange rest = bindArguments(block.getArguments());
  weight = weights.front();
  findSlab();
  inputStages = createInputStages();
  // [stage][step][j][tile][lane][position]
  SmallVector<int64_t> shape = getPackedShape();
  shape.erase(shape.begin(), shape.begin() + 3);
  shape.front() = plan.getWeightStages(p);
  shape.back() *= parts;
  weightStages =
      viewShared(shape, getElementTypeOrSelf(weight.getType()),
                 plan.getInputBytes(p, batchFirst, getElementBytes()));
  emitBlock(rest);
}

void ProductKernel::lower(KernelModule &kernels, StringRef name) {
  overlapsLaunches = kernels.overlapsLaunches;
  SmallVector<Value> operands = getOperands();
  b.setInsertionPoint(op);
  llvm::append_range(operands, createOperands());
  gpu::GPUFuncOp kernel =
      kernels.createKernel(loc, name, TypeRange(ValueRange(operands)),
                           plan.getThreads(), plan.getClusterBlocks());
  emitBody(kernel.getBody().front());

  b.setInsertionPoint(op);
  Value blocks = countBlocks(plan.entries, plan.batchBlocks,
                             plan.getNumSlabs(p) * plan.splits);
  createLaunch(b, kernel, blocks, plan.getThreads(), getSharedBytes(),
               operands);
  b.eraseOp(op);
}
