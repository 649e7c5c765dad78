//===- ChainPlanesKernel.cpp - Chains through planes ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two factors as one kernel, whose intermediate lies in planes of contiguous k.
// A block takes one slice of its tiles of the batch, one after another:
//
//   eight warps, of which each four          another warp
//     for every second set of groups
//       for each stage of it                   copy input, weights of groups
//         products += warpgroup_mma_planes
//       store_planes
//     all eight wait for each other
//     for each block of rows n
//       for each stage                         copy weights of columns
//         for each two columns
//           product = warpgroup_mma_planes
//           epilogue, rounding
//       store_lines
//
// ks/Analysis/GPUChainPlanes.h says what lies where. Stages have two barriers,
// as in BulkKernel.cpp; they are counted from the block's first one on.
//
//===----------------------------------------------------------------------===//

#include "ChainKernel.h"

#include "ks/Analysis/GPUChainPlanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace ks;

namespace {
class ChainPlanesKernel : KernelBuilder {
public:
  ChainPlanesKernel(RewriterBase &b, ProductOpInterface op,
                    GPUChainPlanAttr attr)
      : KernelBuilder(b, op), problem(getProblem(op)), attr(attr),
        plan(attr.getPlan()), planes(problem, plan) {}

  void lower(KernelModule &kernels, StringRef name);

private:
  Value createMap();
  void emitBody(ValueRange arguments);
  void placeBlock();
  void forEachTile(function_ref<void(Value position)> body);
  void emitLoop(int64_t count, function_ref<void(Value number)> body);

  // --- The ring ---
  Value getStage(Value position) { return index.rem(position, plan.stages); }
  /// Where a stage begins, in bytes.
  Value getPlace(Value position) {
    return index.add(index.mul(getStage(position), planes.stageBytes), begin);
  }
  void waitFor(Value position, bool toBeFree);

  // --- The warp that copies ---
  void copyTile(Value position);
  void copyGroups(Value number, Value position);
  void copyColumns(Value number, Value position);

  // --- Those that multiply ---
  void multiplyTile(Value position);
  void multiplyFirst(Value position);
  void multiplySet(Value firstGroup, Value position);
  void multiplyLast(Value position);
  void multiplyBlock(Value blockN, Value position);
  Value multiplyColumns(Value place, int64_t column, int64_t ofStage,
                        Value firstN);
  Value interleave(Value fragment, ArrayRef<int64_t> shape, Type element) {
    return InterleaveColumnsOp::create(b, loc, VectorType::get(shape, element),
                                       fragment);
  }
  void synchronizeMultipliers();
  Value pin(Value number);

  Value viewInput(Value place) {
    return viewShared({1, planes.first.c / planes.inputRow,
                       planes.groups * planes.kEntries, planes.inputRow},
                      real, place);
  }
  Value viewPlanes() {
    return viewShared({1, planes.last.c / planes.planeRow,
                       planes.columns * planes.kPlaneRows, planes.planeRow},
                      real, index.add(begin, plan.stages * planes.stageBytes));
  }
  /// Packed weights of a stage, [stage][step][j][tile][lane][position].
  Value viewWeights(size_t number, int64_t columns, Value place);
  Value getZero(ArrayRef<int64_t> shape, Type type) {
    return arith::ConstantOp::create(
        b, loc, b.getZeroAttr(VectorType::get(shape, type)));
  }
  /// The warp's first entry in the tile.
  Value getRow() {
    return index.mul(index.rem(warp, FragmentLayout::wgmmaWarps),
                     2 * FragmentLayout::tileEntries);
  }
  PatternAttr getLastPattern() {
    return PatternAttr::get(b.getContext(), problem.factors.back().pattern);
  }
  FragmentsAttr getFragments() {
    return attr.getFactors().front().getPacking().getFragments();
  }
  /// The first factor as memory has it: its groups are columns with all their k
  /// together.
  KSPattern getInputPattern() const {
    const KSPattern &p = problem.factors.front().pattern;
    return {1, p.b, p.c, p.a};
  }

  Problem problem;
  GPUChainPlanAttr attr;
  GPUChainPlan plan;
  ChainPlanes planes;
  Value map, begin;
  Value warp, warpgroup;
  // The block's first tile, and its slice: along groups, and columns, of the
  // last factor. The first entry of the tile.
  Value firstTile, sliceI, sliceJ, firstM;
};
} // namespace

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

void ChainPlanesKernel::emitLoop(int64_t count,
                                 function_ref<void(Value number)> body) {
  auto loop = scf::ForOp::create(b, loc, index.constant(0),
                                 index.constant(count), index.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

/// Waits for the stage of `position` to be full, or to be free: the first time
/// that is so at once.
void ChainPlanesKernel::waitFor(Value position, bool toBeFree) {
  Value stage = getStage(position);
  Value barrier = toBeFree ? getEmpty(stage) : getFull(stage);
  Value turn = index.rem(index.div(position, plan.stages), 2);
  Value isOdd = index.less(index.constant(0), turn);
  if (toBeFree)
    isOdd = arith::XOrIOp::create(b, loc, isOdd,
                                  arith::ConstantIntOp::create(b, loc, 1, 1));
  wait(barrier, isOdd);
}

void ChainPlanesKernel::synchronizeMultipliers() {
  auto toI32 = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, loc, value, 32);
  };
  // Barrier 0 is that of the block.
  NVVM::BarrierOp::create(b, loc, TypeRange(), toI32(1),
                          toI32(plan.warps * FragmentLayout::lanes),
                          NVVM::BarrierReductionAttr(), Value());
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Groups in rows of the input, as many as a stage has.
Value ChainPlanesKernel::createMap() {
  KSPattern p = getInputPattern();
  auto type = cast<MemRefType>(op.getInput().getType());
  int64_t size = type.isDynamicDim(0) ? -1 : type.getDimSize(0);
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return TensorMapOp::create(
      b, loc, pointer, op.getInput(), ArrayRef<int64_t>{p.c, size, p.d, p.a},
      ArrayRef<int64_t>{-1, p.c, p.c * p.d},
      ArrayRef<int64_t>{planes.inputRow, planes.kEntries, planes.groups, 1},
      planes.inputRow * getElementBytes());
}

/// Stage `number` of the first factor.
void ChainPlanesKernel::copyGroups(Value number, Value position) {
  waitFor(position, /*toBeFree=*/true);
  Value group = index.add(index.mul(sliceI, planes.first.a),
                          index.mul(number, planes.groups));
  Value zero = index.constant(0);
  Value bytes = BulkCopyActivationsOp::create(
      b, loc, PatternAttr::get(b.getContext(), getInputPattern()), map, input,
      firstM, zero, zero, group, viewInput(getPlace(position)), zero, barriers,
      getFull(getStage(position)), getInteger(planes.inputRow),
      getInteger(planes.groups), b.getBoolAttr(false),
      getInteger(planes.inputRow * getElementBytes()), getInteger(1),
      getLayout(), b.getUnitAttr());
  const GPUChainFactor &factor = plan.factors.front();
  int64_t count = factor.tiedA ? 1 : planes.groups;
  int64_t parts = plan.getSlice(problem, 0).parts;
  int64_t elements = planes.groupBytes / getElementBytes();
  doIf(index.less(lane, 1), [&] {
    for (int64_t g = 0; g < count; ++g) {
      Value block = factor.tiedA ? zero : index.add(group, g);
      block = index.add(index.mul(block, parts), sliceJ);
      Value place = index.add(getPlace(position),
                              planes.inputBytes + g * planes.groupBytes);
      BulkCopyWeightsOp::create(b, loc, weights[0], index.mul(block, elements),
                                viewShared({1, elements}, real, place), zero,
                                barriers, getFull(getStage(position)));
    }
    nvgpu::MBarrierArriveExpectTxOp::create(
        b, loc, barriers, index.add(bytes, count * planes.groupBytes),
        getFull(getStage(position)), Value());
  });
}

/// Stage `number` of the last factor: its blocks of n one after another, and of
/// each all columns.
void ChainPlanesKernel::copyColumns(Value number, Value position) {
  waitFor(position, /*toBeFree=*/true);
  const GPUChainFactor &factor = plan.factors.back();
  int64_t stages = planes.columns / planes.stageColumns;
  int64_t blocksJ = problem.factors.back().pattern.d / planes.stageColumns;
  Value zero = index.constant(0);
  Value block = factor.tiedA ? zero : sliceI;
  if (!factor.tiedD)
    block = index.add(
        index.mul(block, blocksJ),
        index.add(index.mul(sliceJ, stages), index.rem(number, stages)));
  block =
      index.add(index.mul(block, planes.blocksN), index.div(number, stages));
  int64_t elements = planes.lastBytes / getElementBytes();
  doIf(index.less(lane, 1), [&] {
    BulkCopyWeightsOp::create(
        b, loc, weights[1], index.mul(block, elements),
        viewShared({1, elements}, real, getPlace(position)), zero, barriers,
        getFull(getStage(position)));
    nvgpu::MBarrierArriveExpectTxOp::create(
        b, loc, barriers, index.constant(planes.lastBytes),
        getFull(getStage(position)), Value());
  });
}

void ChainPlanesKernel::copyTile(Value position) {
  emitLoop(planes.firstStages, [&](Value number) {
    copyGroups(number, index.add(position, number));
  });
  Value first = index.add(position, planes.firstStages);
  emitLoop(planes.numStages - planes.firstStages, [&](Value number) {
    copyColumns(number, index.add(first, number));
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Value ChainPlanesKernel::viewWeights(size_t number, int64_t columns,
                                     Value place) {
  const GPUChainFactor &factor = plan.factors[number];
  const FragmentLayout &layout = factor.fragments;
  return viewShared({1, factor.k / layout.stepK(), columns, factor.getTilesN(),
                     layout.weightLanes(), layout.weightsPerLane()},
                    real, place);
}

/// A set of groups, from `firstGroup` of the slice on.
void ChainPlanesKernel::multiplySet(Value firstGroup, Value position) {
  const GPUChainFactor &factor = plan.factors.front();
  Value zero = index.constant(0);
  SmallVector<int64_t> shape{1, factor.getTilesN(), 2, 2};
  SmallVector<Value> results;
  for (int64_t stage = 0; stage < planes.set / planes.groups; ++stage) {
    Value at = pin(index.add(position, stage));
    waitFor(at, /*toBeFree=*/false);
    Value place = getPlace(at), groups = viewInput(place);
    SmallVector<Value> sums;
    for (int64_t g = 0; g < planes.groups; ++g) {
      int64_t behind =
          planes.inputBytes + (factor.tiedA ? 0 : g * planes.groupBytes);
      sums.push_back(WarpgroupMmaPlanesOp::create(
          b, loc, VectorType::get(shape, accumulatorReal),
          viewWeights(0, 1, index.add(place, behind)), zero, zero, zero, groups,
          zero, zero, index.constant(g), getInteger(planes.kEntries),
          getZero(shape, accumulatorReal), b.getUnitAttr()));
    }
    for (Value sum : sums)
      results.push_back(WarpgroupWaitOp::create(b, loc, sum.getType(), sum));
    release(getStage(at));
  }
  for (Value &result : results)
    result = convert(result, real);
  StorePlanesOp::create(b, loc, results, viewPlanes(), firstGroup,
                        pin(getRow()), getInteger(planes.columns));
}

/// The first factor: four warps take one set, the other four the next one.
void ChainPlanesKernel::multiplyFirst(Value position) {
  int64_t stages = planes.set / planes.groups;
  emitLoop(planes.first.a / planes.set, [&](Value set) {
    Value first = index.add(position, index.mul(set, stages));
    auto isMine = scf::IfOp::create(
        b, loc, index.equal(index.rem(set, 2), warpgroup), /*else=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(isMine.thenBlock());
    multiplySet(index.mul(set, planes.set), first);
    b.setInsertionPointToStart(isMine.elseBlock());
    for (int64_t stage = 0; stage < stages; ++stage) {
      Value at = index.add(first, stage);
      waitFor(at, /*toBeFree=*/false);
      release(getStage(at));
    }
  });
}

/// Two columns, from `column` of the slice on, which is number `ofStage` of the
/// stage at `place`.
Value ChainPlanesKernel::multiplyColumns(Value place, int64_t column,
                                         int64_t ofStage, Value firstN) {
  const GPUChainFactor &factor = plan.factors.back();
  Value zero = index.constant(0);
  int64_t tiles = factor.getTilesN() / 2;
  SmallVector<int64_t> shape{2, tiles, 2, 2};
  Value weightsOfStage =
      viewWeights(1, factor.tiedD ? 1 : planes.stageColumns, place);
  Value sum = WarpgroupMmaPlanesOp::create(
      b, loc, VectorType::get(shape, accumulatorReal), weightsOfStage, zero,
      index.constant(factor.tiedD ? 0 : ofStage), index.mul(warpgroup, tiles),
      viewPlanes(), zero, zero, index.constant(column),
      getInteger(planes.kPlaneRows), getZero(shape, accumulatorReal),
      b.getUnitAttr());
  sum = WarpgroupWaitOp::create(b, loc, sum.getType(), sum);
  Value m = index.add(firstM, getRow());
  Value j = index.add(index.mul(sliceJ, planes.columns), column);
  sum = applyEpilogue(sum, getLastPattern(), getFragments(),
                      {m, sliceI, firstN, j});
  // Results of both share registers.
  return interleave(sum, {1, tiles, 2, 4}, resultReal);
}

/// Rows n of a block, of all columns of the slice.
void ChainPlanesKernel::multiplyBlock(Value blockN, Value position) {
  llvm::SaveAndRestore<Value> restore(begin, pin(begin));
  int64_t tiles = plan.factors.back().getTilesN() / 2;
  int64_t stages = planes.columns / planes.stageColumns;
  Value firstN = index.add(index.mul(blockN, planes.rows),
                           index.mul(warpgroup, planes.rows / 2));
  Value results = getZero({planes.columns / 2, tiles, 2, 4}, resultReal);
  position = index.add(position, index.mul(blockN, stages));
  for (int64_t stage = 0; stage < stages; ++stage) {
    Value at = pin(index.add(position, stage));
    waitFor(at, /*toBeFree=*/false);
    Value place = getPlace(at);
    for (int64_t j = 0; j < planes.stageColumns; j += 2) {
      int64_t column = stage * planes.stageColumns + j;
      results = vector::InsertStridedSliceOp::create(
          b, loc, multiplyColumns(place, column, j, firstN), results,
          ArrayRef<int64_t>{column / 2, 0, 0, 0},
          ArrayRef<int64_t>{1, 1, 1, 1});
    }
    release(getStage(at));
  }
  // All have read the planes.
  if (planes.reusesPlanes())
    synchronizeMultipliers();
  Value staging = viewShared(
      planes.getStagedShape(getResultBytes()), resultReal,
      index.add(begin, plan.stages * planes.stageBytes +
                           (planes.reusesPlanes() ? 0 : planes.planeBytes)));
  Value m = index.add(firstM, getRow());
  StoreLinesOp::create(
      b, loc, getLastPattern(), getFragments(),
      interleave(results, {planes.columns, tiles, 2, 2}, resultReal), output, m,
      sliceI, firstN, index.mul(sliceJ, planes.columns), staging, warp,
      index.constant(0), getInteger(1));
}

/// The same number, known only here. What follows from it stays here, too: LLVM
/// would take addresses and descriptors out of the loop over tiles, one by one,
/// to registers that are not there.
Value ChainPlanesKernel::pin(Value number) {
  Type type = b.getI64Type();
  Value known = arith::IndexCastOp::create(b, loc, type, number);
  Value here = NVVM::InlinePtxOp::create(b, loc, TypeRange(type), known,
                                         ValueRange(), "mov.b64 {$w0}, {$r0};",
                                         /*predicate=*/Value())
                   .getResult(0);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), here);
}

void ChainPlanesKernel::multiplyTile(Value position) {
  llvm::SaveAndRestore<Value> restore(begin, pin(begin));
  position = pin(position);
  multiplyFirst(position);
  // wgmma reads by another proxy than stores write.
  NVVM::FenceProxyOp::create(
      b, loc,
      NVVM::ProxyKindAttr::get(b.getContext(), NVVM::ProxyKind::async_shared),
      NVVM::SharedSpaceAttr::get(b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
  synchronizeMultipliers();
  Value first = index.add(position, planes.firstStages);
  emitLoop(planes.blocksN, [&](Value blockN) { multiplyBlock(blockN, first); });
  // The planes are free.
  synchronizeMultipliers();
}

//===----------------------------------------------------------------------===//
// The kernel and its launch
//===----------------------------------------------------------------------===//

/// Blocks that have the same input are neighbours.
void ChainPlanesKernel::placeBlock() {
  Value thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
  warp = index.div(thread, FragmentLayout::lanes);
  lane = index.rem(thread, FragmentLayout::lanes);
  warpgroup = index.div(warp, FragmentLayout::wgmmaWarps);
  int64_t columnSlices = plan.getSlice(problem, 0).columnSlices;
  SmallVector<Value> at =
      index.delinearize(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x),
                        {1, plan.slices / columnSlices, columnSlices});
  firstTile = at[0];
  sliceI = at[1];
  sliceJ = at[2];
}

/// Calls `body` for each tile that is this block's, with the number of stages
/// before it.
void ChainPlanesKernel::forEachTile(function_ref<void(Value)> body) {
  Value first = index.mul(firstTile, plan.entries);
  Value blocks =
      index.div(gpu::GridDimOp::create(b, loc, gpu::Dimension::x), plan.slices);
  auto loop = scf::ForOp::create(
      b, loc, first, batch, index.mul(blocks, plan.entries), index.constant(0));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  firstM = loop.getInductionVar();
  Value position = loop.getRegionIterArgs().front();
  body(position);
  scf::YieldOp::create(b, loc, index.add(position, planes.numStages));
}

void ChainPlanesKernel::emitBody(ValueRange arguments) {
  map = bindArguments(arguments).front();
  placeBlock();
  begin = getAlignedBegin();
  createRing(plan.stages, plan.warps, plan.cluster);
  waitForEarlierKernels();

  auto isMultiplier =
      scf::IfOp::create(b, loc, index.less(warp, plan.warps), /*else=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isMultiplier.thenBlock());
  NVVM::SetMaxRegisterOp::create(b, loc, kWgmmaRegisters,
                                 NVVM::SetMaxRegisterAction::increase);
  forEachTile([&](Value position) { multiplyTile(position); });
  b.setInsertionPointToStart(isMultiplier.elseBlock());
  NVVM::SetMaxRegisterOp::create(b, loc, kWgmmaCopyRegisters,
                                 NVVM::SetMaxRegisterAction::decrease);
  doIf(index.less(warp, plan.warps + 1),
       [&] { forEachTile([&](Value position) { copyTile(position); }); });
}

void ChainPlanesKernel::lower(KernelModule &kernels, StringRef name) {
  overlapsLaunches = kernels.overlapsLaunches;
  SmallVector<Value> operands = getOperands();
  b.setInsertionPoint(op);
  operands.push_back(createMap());
  gpu::GPUFuncOp kernel =
      kernels.createKernel(loc, name, TypeRange(ValueRange(operands)),
                           plan.getThreads(), plan.cluster);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&kernel.getBody().front());
    emitBody(kernel.getArguments());
  }
  b.setInsertionPoint(op);
  Value blocks = countBlocks(plan.entries, plan.batchBlocks, plan.slices);
  createLaunch(b, kernel, blocks, plan.getThreads(),
               plan.getSharedBytes(problem), operands);
  b.eraseOp(op);
}

void ks::lowerChainPlanesToGPU(RewriterBase &b, ProductOpInterface op,
                               GPUChainPlanAttr attr, KernelModule &kernels,
                               StringRef name) {
  ChainPlanesKernel(b, op, attr).lower(kernels, name);
}
