//===- BulkKernel.cpp - Rings that the copy engine fills ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first warp has the copy engine (TMA; sm_90 and later) fill the ring,
// beside what all warps do. Each stage has two barriers:
//
//   full   the first warp says how many bytes will come, the engine that they
//   did;
//          all warps wait for it;
//   empty  each warp says that it has read the stage; the first one waits for
//   it,
//          and refills the stage.
//
// So warps never wait for each other but for a stage, and drift apart as far as
// the ring allows: some load and multiply while others store.
//
//===----------------------------------------------------------------------===//

#include "BulkKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ks;

/// A group is a row of k·j, or of k of j: what is behind it is not the next
/// group's but zero.
SmallVector<Value> BulkKernel::createOperands() {
  int64_t row = p.c * p.d;
  auto type = cast<MemRefType>(op.getInput().getType());
  int64_t batch = type.isDynamicDim(0) ? -1 : type.getDimSize(0);
  SmallVector<int64_t> sizes{row, p.a, batch}, strides{row, -1},
      box{plan.getAtomWidth(), 1, plan.entries / plan.cluster};
  if (!isFlatCopy()) {
    sizes = {p.d, p.c, p.a, batch};
    strides = {p.d, row, -1};
    box = {plan.j, plan.getAtomDepth(), 1, plan.entries / plan.cluster};
  }
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return {TensorMapOp::create(b, loc, pointer, op.getInput(), sizes, strides,
                              box, getSwizzle())};
}

Value BulkKernel::createInputStages() {
  Value skip = getAlignedBegin();
  auto type = cast<MemRefType>(shared.getType());
  return memref::ViewOp::create(b, loc,
                                MemRefType::get(getInputShape(), real,
                                                MemRefLayoutAttrInterface(),
                                                type.getMemorySpace()),
                                shared, skip, ValueRange{});
}

SmallVector<int64_t> BulkKernel::getInputShape() {
  return {plan.stages, plan.getNumAtoms(), plan.entries, plan.getAtomWidth()};
}

Value BulkKernel::loadActivations(Value stage, Value step, VectorType type) {
  return LoadAtomsOp::create(b, loc, type, fragments, inputStages, stage, step,
                             warpM, warpJ, getInteger(plan.j),
                             getInteger(getSwizzle()), getLayout());
}

/// To the next stage; the phase flips where the ring begins anew.
void BulkKernel::advance(Ring &ring) {
  Value isLast = index.less(index.constant(plan.stages - 2), ring[0]);
  ring[1] = arith::XOrIOp::create(b, loc, ring[1], isLast);
  ring[0] = index.select(isLast, index.constant(0), index.add(ring[0], 1));
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Copies a chunk of activations, and of weights: resident ones come with the
/// chunks of the first tile, and stay.
void BulkKernel::copyChunk(const Chunk &chunk, Value stage) {
  Value bytes = BulkCopyActivationsOp::create(
      b, loc, getPattern(), map, input, chunk.m, i,
      index.mul(getChunkOfSlab(chunk.k), plan.k), index.mul(blockJ, plan.j),
      inputStages, stage, barriers, getFull(stage),
      getInteger(plan.getAtomDepth()), getInteger(plan.j),
      b.getBoolAttr(isFlatCopy()), getInteger(getSwizzle()),
      getInteger(plan.cluster), getLayout(),
      plan.planes != 0 ? b.getUnitAttr() : UnitAttr());
  Value weightBytes =
      index.constant(plan.getStageWeightBytes(getElementBytes()));
  auto copyWeights = [&] {
    BulkCopyWeightsOp::create(b, loc, weight, getWeightOffset(chunk.k),
                              weightStages, plan.isResident ? chunk.k : stage,
                              barriers, getFull(stage));
  };
  ifFirstLane([&] {
    if (plan.isResident) {
      Value isFirstTile = index.less(chunk.m, index.add(firstM, 1));
      doIf(isFirstTile, copyWeights);
      weightBytes = index.select(isFirstTile, weightBytes, index.constant(0));
    } else {
      copyWeights();
    }
    bytes = index.add(bytes, weightBytes);
    nvgpu::MBarrierArriveExpectTxOp::create(b, loc, barriers, bytes,
                                            getFull(stage), Value());
  });
}

/// The same, if there is such a chunk.
void BulkKernel::copyLater(const Chunk &chunk, Value distance, Value stage) {
  Chunk later = getLater(chunk, distance);
  doIf(index.less(later.m, batch), [&] { copyChunk(later, stage); });
}

void BulkKernel::fillRing() {
  auto loop =
      scf::ForOp::create(b, loc, index.constant(0), index.constant(plan.stages),
                         index.constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value stage = loop.getInductionVar();
  copyLater({firstM, index.constant(0)}, stage, stage);
}

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

Value BulkKernel::emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) {
  Value stage = ring[0], phase = ring[1];
  wait(getFull(stage), phase);
  Value sum = multiplyChunk(chunk.k, stage, accumulator);
  release(stage);
  ifFirstWarp([&] {
    wait(getEmpty(stage), phase);
    copyLater(chunk, index.constant(plan.stages), stage);
  });
  advance(ring);
  return sum;
}

void BulkKernel::begin(ValueRange extra) {
  map = extra.front();
  lane = index.rem(gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x),
                   FragmentLayout::lanes);
  createRing(plan.stages, plan.getWarps(), plan.cluster);
  waitForEarlierKernels();
}

void BulkKernel::emitBlock(ValueRange extra) {
  begin(extra);
  ifFirstWarp([&] { fillRing(); });
  Value phase = arith::ConstantIntOp::create(b, loc, 0, 1);
  forEachTile({index.constant(0), phase},
              [&](Value m, Ring &ring) { emitTile(m, ring); });
}

std::unique_ptr<ProductKernel>
ks::createBulkKernel(RewriterBase &b, ProductOpInterface op, GPUPlanAttr attr) {
  return std::make_unique<BulkKernel>(b, op, attr);
}
