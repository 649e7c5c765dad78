//===- ChainKernel.cpp - The kernel of a chain ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A planned chain as one kernel. For the tile of the batch of a cluster:
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
// ks/Analysis/GPUChain.h says what lies where.
//
//===----------------------------------------------------------------------===//

#include "ChainKernel.h"

#include "KernelBuilder.h"

#include "ks/Analysis/GPUChain.h"

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

namespace {
class ChainKernel : KernelBuilder {
public:
  ChainKernel(RewriterBase &b, ProductOpInterface op, GPUChainPlanAttr attr)
      : KernelBuilder(b, op), problem(getProblem(op)), attr(attr),
        plan(attr.getPlan()) {}

  void lower(KernelModule &kernels, StringRef name);

private:
  /// A piece of work: what is computed, where its activations lie, and which
  /// block of weights it takes.
  struct Task {
    Value i, n, j, row; ///< First of it; entries are counted in the tile.
    Value group, column;
    Value weightBlock;
  };
  /// The weights of some steps, as loops carry them.
  using Window = SmallVector<Value>;

  void emitBody(ValueRange arguments);
  void createBuffers();
  void copyInput();
  void clearDepth(size_t number);
  void emitFactor(size_t number);
  Task getTask(Value number);
  void emitTasks(int64_t count, Window window);
  void emitTask(const Task &task, Window &window, Value nextWeightBlock);
  Value multiply(const Task &task, Window &window, Value nextWeightBlock);
  Value multiplyWindow(const Window &window, Value step, const Task &task,
                       Value accumulator);
  Window loadWindow(Value step, Value weightBlock);
  void store(Value fragment, const Place &place, Value row);

  bool isLast() const { return number + 1 == plan.factors.size(); }
  const GPUChainFactor &getFactor() const { return plan.factors[number]; }
  const KSPattern &getPattern() const {
    return problem.factors[number].pattern;
  }
  PatternAttr getPatternAttr() {
    return PatternAttr::get(b.getContext(), getPattern());
  }
  FragmentsAttr getFragments() {
    return attr.getFactors()[number].getPacking().getFragments();
  }

  Problem problem;
  GPUChainPlanAttr attr;
  GPUChainPlan plan;
  // Place of the block in its cluster, and of the warp in its block; the first
  // entry of the tile.
  Value rank, warp, firstM;
  SmallVector<ChainBuffer> places; // One for each factor, and for results.
  SmallVector<Value> buffers;
  // The factor that is emitted, and its weights, [block][step][j][tile][lane]
  // [position].
  size_t number = 0;
  Value weightBlocks;
};
} // namespace

/// Views of shared memory, of two parts in turns.
void ChainKernel::createBuffers() {
  std::array<int64_t, 3> bytes = plan.getBufferBytes(problem);
  for (size_t t = 0; t < plan.factors.size() + (plan.isStaged ? 1 : 0); ++t) {
    ChainBuffer place = plan.getBuffer(problem, t);
    places.push_back(place);
    buffers.push_back(viewShared(
        {place.getGroups(batchFirst), place.rows, place.pitch * parts}, real,
        bytes[t % 2]));
  }
}

/// Starts the copies of what this block has of the input, group by group.
void ChainKernel::copyInput() {
  const ChainBuffer &place = places.front();
  int64_t slab = batchFirst ? place.slab : 1;
  int64_t width = (batchFirst ? place.depth * slab : plan.entries) * parts;
  auto loop = scf::ForOp::create(b, loc, index.constant(0),
                                 index.constant(place.getGroups(batchFirst)),
                                 index.constant(1));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value group = loop.getInductionVar();
    int64_t columns = batchFirst ? 1 : place.ownD();
    Value i = index.div(group, columns), j = index.rem(group, columns);
    if (place.isAlongJ)
      j = index.add(j, index.mul(rank, place.ownD()));
    else
      i = index.add(i, index.mul(rank, place.ownA()));
    CopyActivationsOp::create(
        b, loc, getPatternAttr(), input, firstM, i, index.constant(0), j,
        buffers.front(), group, getInteger(place.depth), getInteger(slab),
        getInteger(place.rows), getInteger(width),
        getInteger(plan.getThreads()), getInteger(parts), getLayout(),
        /*shifted=*/UnitAttr());
  }
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
                                  const Task &task, Value accumulator) {
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
        b, loc, type, getFragments(), buffers[number], task.group,
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

/// The product of a piece of work, whose first weights are in `window`; these
/// become those of the piece that is next, if there is one. While steps are
/// multiplied the weights of the next ones are under way.
Value ChainKernel::multiply(const Task &task, Window &window,
                            Value nextWeightBlock) {
  const GPUChainFactor &factor = getFactor();
  const FragmentLayout &layout = factor.fragments;
  auto type = VectorType::get(
      {factor.vector, factor.getTilesN(), factor.getTilesM(batchFirst),
       layout.slotsN() * layout.slotsM() * layout.numSums() * parts},
      accumulatorReal);
  Value accumulator = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  int64_t steps = factor.getDepth(getPattern()) / layout.stepK();
  int64_t ahead = plan.getStepsAhead(problem, number);
  Value first = index.constant(0);
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
      SmallVector<Value> yielded{multiplyWindow(
          current, step, task, loop.getRegionIterArgs().front())};
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
  return multiplyWindow(last, first, task, accumulator);
}

void ChainKernel::store(Value fragment, const Place &place, Value row) {
  if (isLast() && !plan.isStaged) {
    StoreFragmentOp::create(b, loc, getPatternAttr(), getFragments(), fragment,
                            output, place.m, place.i, place.n, place.j,
                            getLayout());
    return;
  }
  StoreIntermediateOp::create(
      b, loc, getPatternAttr(), getFragments(), fragment, buffers[number + 1],
      row, place.i, place.n, place.j,
      ChainBufferAttr::get(b.getContext(), places[number + 1]), getLayout());
}

/// What piece number `task` of the block's work is.
ChainKernel::Task ChainKernel::getTask(Value number) {
  const GPUChainFactor &factor = getFactor();
  const KSPattern &p = getPattern();
  const ChainBuffer &place = places[this->number];
  std::array<int64_t, 4> sizes = plan.getTasks(problem, this->number);
  SmallVector<Value> at = index.delinearize(number, sizes);
  int64_t columns = factor.getColumns(batchFirst);
  Value ownI = at[0], ownJ = index.mul(at[1], columns);
  Task task;
  task.i = ownI;
  task.j = ownJ;
  if (place.isAlongJ)
    task.j = index.add(ownJ, index.mul(rank, place.ownD()));
  else
    task.i = index.add(ownI, index.mul(rank, place.ownA()));
  task.n = index.mul(at[2], factor.n);
  task.row = index.mul(at[3], factor.entries);
  task.group = ownI;
  task.column = ownJ;
  if (!batchFirst) {
    task.group = index.add(index.mul(ownI, place.ownD()), ownJ);
    task.column = index.constant(0);
  }

  // packed[i][j block][n block]
  int64_t blocksJ = factor.tiedD ? 1 : (p.d + columns - 1) / columns;
  Value block = factor.tiedA ? index.constant(0) : task.i;
  block = index.mul(block, blocksJ);
  if (!factor.tiedD)
    block = index.add(block, index.div(task.j, columns));
  task.weightBlock = index.add(index.mul(block, sizes[2]), at[2]);
  return task;
}

/// Computes a piece of work, and hands it over.
void ChainKernel::emitTask(const Task &task, Window &window,
                           Value nextWeightBlock) {
  Value result =
      joinParts(multiply(task, window, nextWeightBlock), getFactor().fragments);
  Place place{index.add(firstM, task.row), task.i, task.n, task.j};
  if (isLast())
    result = applyEpilogue(result, getPatternAttr(), getFragments(), place);
  store(round(result), place, task.row);
}

/// All pieces of the warp. The weights of the next one are under way while one
/// is finished.
void ChainKernel::emitTasks(int64_t count, Window window) {
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
  emitTask(getTask(number), window, nextWeightBlock);
  if (hasNext)
    scf::YieldOp::create(b, loc, window);
}

void ChainKernel::emitFactor(size_t t) {
  number = t;
  // [i][j block][n block][chunk][step][j][tile][lane][position], of one chunk.
  SmallVector<int64_t> shape =
      attr.getFactors()[t].getPacking().getPackedShape(getPattern());
  shape[3] *= shape[0] * shape[1] * shape[2];
  shape.erase(shape.begin(), shape.begin() + 3);
  shape.back() *= parts;
  auto type =
      MemRefType::get(shape, getElementTypeOrSelf(weights[t].getType()));
  weightBlocks = memref::ReinterpretCastOp::create(
      b, loc, type, weights[t], /*offset=*/0, shape, computeStrides(shape));
  int64_t count = 1;
  for (int64_t size : plan.getTasks(problem, t))
    count *= size;

  // The first weights come while activations do.
  Window window = loadWindow(index.constant(0),
                             getTask(index.min(warp, count - 1)).weightBlock);
  if (t == 0)
    NVVM::CpAsyncWaitGroupOp::create(b, loc, b.getI32IntegerAttr(0));
  synchronize(plan.cluster);
  if (t + 1 < plan.factors.size())
    clearDepth(t + 1);
  emitTasks(count, window);
}

//===----------------------------------------------------------------------===//
// The kernel and its launch
//===----------------------------------------------------------------------===//

void ChainKernel::emitBody(ValueRange arguments) {
  bindArguments(arguments);
  Value block = gpu::BlockIdOp::create(b, loc, gpu::Dimension::x);
  rank = index.rem(block, plan.cluster);
  firstM = index.mul(index.div(block, plan.cluster), plan.entries);
  warp = index.div(gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x), 32);
  createBuffers();
  waitForEarlierKernels();
  copyInput();
  for (size_t t = 0; t < plan.factors.size(); ++t)
    emitFactor(t);
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
      AffineMap::get(
          0, 1, b.getAffineSymbolExpr(0).ceilDiv(plan.entries) * plan.cluster,
          b.getContext()),
      ValueRange{entries});
  createLaunch(b, kernel, blocks, plan.getThreads(),
               plan.getSharedBytes(problem), operands);
  b.eraseOp(op);
}

void ks::lowerChainToGPU(RewriterBase &b, ProductOpInterface op,
                         GPUChainPlanAttr attr, KernelModule &kernels,
                         StringRef name) {
  ChainKernel(b, op, attr).lower(kernels, name);
}
