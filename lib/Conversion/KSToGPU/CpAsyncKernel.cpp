//===- CpAsyncKernel.cpp - Rings that all threads fill --------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All threads of a block copy a part of each chunk by cp.async, `stages - 1`
// chunks ahead, maybe of the next tile, and meet at a barrier per chunk.
//
//===----------------------------------------------------------------------===//

#include "ProductKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ks;

namespace {
class CpAsyncKernel : public ProductKernel {
public:
  using ProductKernel::ProductKernel;

private:
  Value createInputStages() override;
  void emitBlock(ValueRange) override;
  Value loadActivations(Value stage, Value step, VectorType type) override;
  Value emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) override;
  void store(Value fragment, const Place &place) override;

  bool shiftsRows() const {
    return plan.shiftsRows(p, batchFirst, getElementBytes());
  }
  void fillRing();
  void copyWeights(Value chunk, Value stage);
  void copyChunk(const Chunk &chunk, Value stage);
  void copyIfThere(const Chunk &chunk, Value stage);
  void waitFor(int64_t pendingGroups);
};
} // namespace

Value CpAsyncKernel::createInputStages() {
  int64_t pitch = plan.getRowPitch(p, batchFirst, getElementBytes());
  return viewShared({plan.stages, plan.getNumRows(batchFirst), pitch * parts},
                    real, 0);
}

Value CpAsyncKernel::loadActivations(Value stage, Value step, VectorType type) {
  Value k = index.mul(step, plan.fragments.stepK());
  Value row = batchFirst ? warpM : k;
  Value column = batchFirst ? index.add(index.mul(k, plan.j), warpJ) : warpM;
  SmallVector<Value> shift;
  if (shiftsRows()) { // Chunks along k begin where the first one does.
    auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, input);
    shift = {index.mul(i, p.c * p.d * parts), metadata.getStrides()[0]};
  }
  return LoadActivationsOp::create(b, loc, type, fragments, inputStages, stage,
                                   row, column, getInteger(plan.j), getLayout(),
                                   shift);
}

void CpAsyncKernel::store(Value fragment, const Place &place) {
  if (!plan.stagesRows(p, batchFirst, getResultBytes()))
    return ProductKernel::store(fragment, place);
  int64_t pitch = plan.getStagedRowPitch(p, getResultBytes());
  Value staging =
      viewShared({plan.entries, pitch * parts}, resultReal,
                 plan.getOperandBytes(p, batchFirst, getElementBytes()));
  StoreRowsOp::create(b, loc, getPattern(), fragments, fragment, output,
                      place.m, i, place.n, place.j, staging,
                      index.sub(place.m, warpM), index.mul(blockN, plan.n),
                      getInteger(plan.n), getInteger(plan.getThreads()));
}

void CpAsyncKernel::copyWeights(Value chunk, Value stage) {
  CopyWeightsOp::create(b, loc, weight, getWeightOffset(chunk), weightStages,
                        stage, getInteger(plan.getThreads()));
}

/// Copies what changes from chunk to chunk to a stage of the ring.
void CpAsyncKernel::copyChunk(const Chunk &chunk, Value stage) {
  CopyActivationsOp::create(
      b, loc, getPattern(), input, chunk.m, i,
      index.mul(getChunkOfSlab(chunk.k), plan.k), index.mul(blockJ, plan.j),
      inputStages, stage, getInteger(plan.k), getInteger(plan.j),
      getInteger(plan.getNumRows(batchFirst)),
      getInteger(plan.getRowElements(batchFirst) * parts),
      getInteger(plan.getThreads()), getInteger(parts), getLayout(),
      shiftsRows() ? b.getUnitAttr() : UnitAttr());
  if (!plan.isResident)
    copyWeights(chunk.k, stage);
}

void CpAsyncKernel::copyIfThere(const Chunk &chunk, Value stage) {
  auto isThere =
      scf::IfOp::create(b, loc, index.less(chunk.m, batch), /*else=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isThere.thenBlock());
  copyChunk(chunk, stage);
}

/// Starts the copies that come before the loop.
void CpAsyncKernel::fillRing() {
  Value zero = index.constant(0);
  if (plan.isResident) {
    auto loop =
        scf::ForOp::create(b, loc, zero, index.constant(plan.getBlockChunks(p)),
                           index.constant(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    copyWeights(loop.getInductionVar(), loop.getInductionVar());
  }
  int64_t ahead = plan.stages - 1;
  if (ahead == 0)
    return;
  auto loop = scf::ForOp::create(b, loc, zero, index.constant(ahead),
                                 index.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value stage = loop.getInductionVar();
  copyIfThere(getLater({firstM, zero}, stage), stage);
  NVVM::CpAsyncCommitGroupOp::create(b, loc);
}

/// Until all threads' copies have arrived, but for the last few groups.
void CpAsyncKernel::waitFor(int64_t pendingGroups) {
  NVVM::CpAsyncWaitGroupOp::create(b, loc, b.getI32IntegerAttr(pendingGroups));
  gpu::BarrierOp::create(b, loc);
}

/// Waits for a chunk, starts the copy of a later one, and multiplies.
Value CpAsyncKernel::emitChunk(const Chunk &chunk, Ring &ring,
                               Value accumulator) {
  int64_t ahead = plan.stages - 1;
  Value &stage = ring.front();
  Value zero = index.constant(0);
  if (ahead == 0) {
    // Nothing overlaps, and all must have read the stage before it is written.
    gpu::BarrierOp::create(b, loc);
    copyChunk(chunk, zero);
    NVVM::CpAsyncCommitGroupOp::create(b, loc);
    waitFor(0);
    return multiplyChunk(chunk.k, zero, accumulator);
  }
  // Behind the barrier, all have read the stage that is the last of the ring.
  waitFor(ahead - 1);
  Value last = index.select(index.less(stage, 1), index.constant(ahead),
                            index.add(stage, -1));
  copyIfThere(getLater(chunk, index.constant(ahead)), last);
  NVVM::CpAsyncCommitGroupOp::create(b, loc);
  Value sum = multiplyChunk(chunk.k, stage, accumulator);
  stage = index.select(index.less(stage, ahead), index.add(stage, 1), zero);
  return sum;
}

void CpAsyncKernel::emitBlock(ValueRange) {
  waitForEarlierKernels();
  fillRing();
  forEachTile({index.constant(0)},
              [&](Value m, Ring &ring) { emitTile(m, ring); });
}

std::unique_ptr<ProductKernel> ks::createCpAsyncKernel(RewriterBase &b,
                                                       ProductOpInterface op,
                                                       GPUPlanAttr attr) {
  return std::make_unique<CpAsyncKernel>(b, op, attr);
}
