//===- WgmmaKernel.cpp - Warps that multiply four at a time ---------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One or two times four warps multiply (wgmma; sm_90), and another one has the
// copy engine fill the ring. Where eight multiply, it belongs to four that give
// them registers. Barriers are those of BulkKernel.cpp; a stage is released
// when the products of the next one are under way.
//
// Activations are read from the ring by the tensor cores, or by lanes, which
// load those of a step while the step before is multiplied.
//
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ks;

/// Batch-last, entries are contiguous, and all else is rows apart.
SmallVector<Value> WgmmaKernel::createOperands() {
  if (batchFirst)
    return BulkKernel::createOperands();
  auto type = cast<MemRefType>(op.getInput().getType());
  int64_t batch = type.isDynamicDim(1) ? -1 : type.getDimSize(1);
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return {TensorMapOp::create(
      b, loc, pointer, op.getInput(), ArrayRef<int64_t>{batch, p.d, p.c, p.a},
      ArrayRef<int64_t>{-1, -p.d, -p.d * p.c},
      ArrayRef<int64_t>{plan.getAtomEntries(getElementBytes()), 1, plan.k, 1},
      getSwizzle())};
}

SmallVector<int64_t> WgmmaKernel::getInputShape() {
  if (batchFirst)
    return {plan.stages, plan.getNumAtoms(), plan.entries, plan.getAtomDepth()};
  int64_t row = plan.getAtomEntries(getElementBytes());
  return {plan.stages, plan.entries / row, plan.k, row};
}

/// Tiles of mma, in the order of the batch.
SmallVector<int64_t> WgmmaKernel::getAccumulatorShape() {
  return {1, plan.getTilesN(), plan.getTilesM(batchFirst) * plan.vector, 4};
}

Value WgmmaKernel::arrange(Value converted) {
  if (!plan.exchangesEntries(batchFirst, getResultBytes()))
    return converted;
  SmallVector<int64_t> shape = ProductKernel::getAccumulatorShape();
  shape[1] = plan.getStoredTilesN();
  return ExchangeEntriesOp::create(b, loc, VectorType::get(shape, resultReal),
                                   converted);
}

Value WgmmaKernel::multiplyStage(const Chunk &chunk, Value stage,
                                 Value accumulator) {
  return WarpgroupMmaOp::create(b, loc, accumulator.getType(), weightStages,
                                getWeightStage(chunk, stage), inputStages,
                                stage, warpM, accumulator, getLayout());
}

Value WgmmaKernel::emitChunk(const Chunk &chunk, Ring &ring,
                             Value accumulator) {
  Value stage = ring[0];
  wait(getFull(stage), ring[1]);
  Value sum = multiplyStage(chunk, stage, accumulator);
  // The chunk before has been read.
  release(getStageBefore(stage), index.less(index.constant(0), chunk.k));
  advance(ring);
  return sum;
}

namespace {
/// Activations go through registers.
class WgmmaRegistersKernel : public WgmmaKernel {
public:
  using WgmmaKernel::WgmmaKernel;

protected:
  SmallVector<int64_t> getInputShape() override {
    return batchFirst ? BulkKernel::getInputShape()
                      : WgmmaKernel::getInputShape();
  }
  SmallVector<int64_t> getAccumulatorShape() override {
    return ProductKernel::getAccumulatorShape();
  }
  Value emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) override;
  Value arrange(Value converted) override { return converted; }
  void store(Value fragment, const Place &place) override;
};
} // namespace

Value WgmmaRegistersKernel::emitChunk(const Chunk &chunk, Ring &ring,
                                      Value accumulator) {
  Value stage = ring[0];
  wait(getFull(stage), ring[1]);
  auto load = [&](int64_t step) {
    auto type = VectorType::get(
        {plan.vector, plan.getTilesM(batchFirst), FragmentLayout::slotsK},
        real);
    return loadActivations(stage, index.constant(step), type);
  };
  int64_t steps = plan.k / plan.fragments.stepK();
  Value activations = load(0);
  for (int64_t step = 0; step < steps; ++step) {
    accumulator = WarpgroupMmaRegistersOp::create(
        b, loc, accumulator.getType(), weightStages,
        getWeightStage(chunk, stage), index.constant(step),
        plan.tiedD ? index.constant(0) : warpJ, warpTile, activations,
        accumulator, /*pending=*/steps > 1);
    if (step == 0) // The chunk before has been read.
      release(getStageBefore(stage), index.less(index.constant(0), chunk.k));
    if (step + 1 < steps)
      activations = load(step + 1);
  }
  advance(ring);
  return accumulator;
}

void WgmmaRegistersKernel::store(Value fragment, const Place &place) {
  if (plan.getStagedN(p, batchFirst, getResultBytes()) == 0)
    return ProductKernel::store(fragment, place);
  Value staging = viewShared(
      plan.getStagedShape(p, batchFirst, getResultBytes()), resultReal,
      plan.getOperandBytes(p, batchFirst, getElementBytes()));
  Value group = index.add(index.mul(partN, plan.warpsM), partM);
  StoreLinesOp::create(b, loc, getPattern(), fragments, fragment, output,
                       place.m, i, place.n, place.j, staging, group, partJ,
                       getInteger(plan.warpsJ));
}

//===----------------------------------------------------------------------===//
// Planes
//===----------------------------------------------------------------------===//

namespace {
/// Columns whose k are together: activations come from shared memory, results
/// leave as those of activations from registers.
class WgmmaPlanesKernel : public WgmmaRegistersKernel {
public:
  using WgmmaRegistersKernel::WgmmaRegistersKernel;

private:
  SmallVector<Value> createOperands() override {
    auto type = cast<MemRefType>(op.getInput().getType());
    int64_t batch = type.isDynamicDim(0) ? -1 : type.getDimSize(0);
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    return {TensorMapOp::create(
        b, loc, pointer, op.getInput(), ArrayRef<int64_t>{p.c, batch, p.d, p.a},
        ArrayRef<int64_t>{-1, p.c, p.c * p.d},
        ArrayRef<int64_t>{plan.getAtomDepth(), plan.entries,
                          plan.j / plan.cluster, 1},
        getSwizzle())};
  }
  SmallVector<int64_t> getInputShape() override {
    return {plan.stages, plan.getNumAtoms(), plan.j * plan.entries,
            plan.getAtomDepth()};
  }
  Value emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) override {
    return WgmmaKernel::emitChunk(chunk, ring, accumulator);
  }
  Value multiplyStage(const Chunk &chunk, Value stage,
                      Value accumulator) override {
    // Of the four warps that multiply together.
    constexpr int64_t kRows = 64;
    Value row = index.mul(index.div(partM, FragmentLayout::wgmmaWarps), kRows);
    return WarpgroupMmaPlanesOp::create(
        b, loc, accumulator.getType(), weightStages,
        getWeightStage(chunk, stage), plan.tiedD ? index.constant(0) : warpJ,
        warpTile, inputStages, stage, row, warpJ, getInteger(plan.entries),
        accumulator);
  }
};
} // namespace

Value WgmmaKernel::finishProduct(const Ring &ring, Value accumulator) {
  Value sum =
      WarpgroupWaitOp::create(b, loc, accumulator.getType(), accumulator);
  release(getStageBefore(ring[0]));
  return sum;
}

Value WgmmaKernel::getStageBefore(Value stage) {
  return index.select(index.less(stage, 1), index.constant(plan.stages - 1),
                      index.add(stage, -1));
}

/// Every chunk of every tile, as stages become free.
void WgmmaKernel::copyAll() {
  // Waiting for what came before the first phase returns at once.
  Value phase = arith::ConstantIntOp::create(b, loc, 1, 1);
  forEachTile({index.constant(0), phase}, [&](Value m, Ring &ring) {
    auto loop = scf::ForOp::create(b, loc, index.constant(0),
                                   index.constant(plan.getBlockChunks(p)),
                                   index.constant(1), ring);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Ring inner(loop.getRegionIterArgs());
      wait(getEmpty(inner[0]), inner[1]);
      copyChunk({m, loop.getInductionVar()}, inner[0]);
      advance(inner);
      scf::YieldOp::create(b, loc, inner);
    }
    ring.assign(loop.result_begin(), loop.result_end());
    // As those that multiply do: when sums are there, and when they were read.
    for (int64_t time = 0; time < 2 && plan.splits > 1; ++time) {
      arriveInCluster();
      waitForCluster();
    }
  });
}

void WgmmaKernel::setRegisters(int64_t count,
                               NVVM::SetMaxRegisterAction action) {
  if (plan.handsOverRegisters())
    NVVM::SetMaxRegisterOp::create(b, loc, static_cast<uint32_t>(count),
                                   action);
}

void WgmmaKernel::emitBlock(ValueRange extra) {
  begin(extra);
  auto isMultiplier = scf::IfOp::create(
      b, loc, index.less(warp, plan.getWarps()), /*else=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isMultiplier.thenBlock());
  setRegisters(kWgmmaRegisters, NVVM::SetMaxRegisterAction::increase);
  Value phase = arith::ConstantIntOp::create(b, loc, 0, 1);
  forEachTile({index.constant(0), phase},
              [&](Value m, Ring &ring) { emitTile(m, ring); });

  b.setInsertionPointToStart(isMultiplier.elseBlock());
  setRegisters(kWgmmaCopyRegisters, NVVM::SetMaxRegisterAction::decrease);
  doIf(index.less(warp, plan.getWarps() + 1), [&] { copyAll(); });

  // Others copy to this block's shared memory, and signal its barriers.
  b.setInsertionPointAfter(isMultiplier);
  if (plan.cluster > 1)
    synchronize(plan.cluster);
}

std::unique_ptr<ProductKernel> ks::createWgmmaKernel(RewriterBase &b,
                                                     ProductOpInterface op,
                                                     GPUPlanAttr attr) {
  if (attr.getPacking().getPlanes() != 0)
    return std::make_unique<WgmmaPlanesKernel>(b, op, attr);
  if (attr.getPacking().getLayout().isWgmmaRS())
    return std::make_unique<WgmmaRegistersKernel>(b, op, attr);
  return std::make_unique<WgmmaKernel>(b, op, attr);
}
