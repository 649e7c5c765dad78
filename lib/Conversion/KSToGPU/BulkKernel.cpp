//===- BulkKernel.cpp - Rings that the copy engine fills ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warp, the producer, does nothing but start copies by the copy engine
// (TMA; sm_90 and later). The others, the consumers, multiply. Each stage has
// two barriers:
//
//   full   the producer says how many bytes will come, the engine that they did;
//          consumers wait for it;
//   empty  each consumer warp says that it has read the stage; the producer
//          waits for it.
//
// So warps never wait for each other but for a stage, and drift apart as far as
// the ring allows: some load and multiply while others store.
//
//===----------------------------------------------------------------------===//

#include "ProductKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ks;

namespace {
class BulkKernel : public ProductKernel {
public:
  using ProductKernel::ProductKernel;

private:
  SmallVector<Value> createOperands() override;
  Value createInputStages() override;
  void emitBlock(ValueRange extra) override;
  Value loadActivations(Value stage, Value step, VectorType type) override;
  Value emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) override;

  void createBarriers();
  void produce(Value map);
  void produceWeights();
  void produceChunk(Value map, const Chunk &chunk, Ring &ring);
  void consume();
  void advance(Ring &ring);
  void wait(Value barrier, Value phase);
  void ifFirstLane(function_ref<void()> body);

  int64_t getSwizzle() const {
    return plan.getSwizzleBytes(getElementBytes());
  }
  // Of a stage; behind those of all stages comes the one of resident weights.
  Value getFull(Value stage) { return stage; }
  Value getEmpty(Value stage) { return index.add(stage, plan.stages); }
  Value getResident() { return index.constant(2 * plan.stages); }

  Value barriers, lane;
};
} // namespace

/// A group is a row of k·j, or of k of j: what is behind it is not the next
/// group's but zero.
SmallVector<Value> BulkKernel::createOperands() {
  int64_t row = p.c * p.d;
  SmallVector<int64_t> sizes{row, p.a, -1}, strides{row, 0},
      box{plan.getAtomWidth(), 1, plan.entries};
  if (!plan.isFlatCopy(p)) {
    sizes = {p.d, p.c, p.a, -1};
    strides = {p.d, row, 0};
    box = {plan.j, plan.getAtomDepth(), 1, plan.entries};
  }
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return {TensorMapOp::create(b, loc, pointer, op.getInput(), sizes, strides,
                              box, getSwizzle())};
}

Value BulkKernel::createInputStages() {
  // From the next multiple of the alignment on.
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(b, loc, shared);
  Value beyond = b.createOrFold<arith::AndIOp>(
      loc, address, index.constant(kBulkAlignment - 1));
  Value skip = b.createOrFold<arith::AndIOp>(
      loc, index.sub(index.constant(kBulkAlignment), beyond),
      index.constant(kBulkAlignment - 1));
  auto type = cast<MemRefType>(shared.getType());
  return memref::ViewOp::create(
      b, loc,
      MemRefType::get({plan.stages, plan.getNumAtoms(), plan.entries,
                       plan.getAtomWidth()},
                      real, MemRefLayoutAttrInterface(), type.getMemorySpace()),
      shared, skip, ValueRange{});
}

Value BulkKernel::loadActivations(Value stage, Value step, VectorType type) {
  return LoadAtomsOp::create(b, loc, type, fragments, inputStages, stage, step,
                             warpM, warpJ, getInteger(plan.j),
                             getInteger(getSwizzle()));
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

void BulkKernel::ifFirstLane(function_ref<void()> body) {
  auto isFirst =
      scf::IfOp::create(b, loc, index.less(lane, 1), /*else=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isFirst.thenBlock());
  body();
}

void BulkKernel::createBarriers() {
  auto workgroup =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  barriers = nvgpu::MBarrierCreateOp::create(
      b, loc,
      nvgpu::MBarrierGroupType::get(b.getContext(), workgroup,
                                    2 * plan.stages + 1));
  Value thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
  auto isFirst =
      scf::IfOp::create(b, loc, index.less(thread, 1), /*else=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(isFirst.thenBlock());
    auto initialize = [&](Value barrier, int64_t count) {
      nvgpu::MBarrierInitOp::create(b, loc, barriers, index.constant(count),
                                    barrier, Value());
    };
    for (int64_t stage = 0; stage < plan.stages; ++stage) {
      initialize(getFull(index.constant(stage)), 1);
      initialize(getEmpty(index.constant(stage)), plan.getWarps());
    }
    initialize(getResident(), 1);
    NVVM::FenceMbarrierInitOp::create(b, loc);
  }
  gpu::BarrierOp::create(b, loc);
}

void BulkKernel::wait(Value barrier, Value phase) {
  constexpr int64_t kTicks = 10000000; // Then it asks again.
  nvgpu::MBarrierTryWaitParityOp::create(b, loc, barriers, phase,
                                         index.constant(kTicks), barrier);
}

/// To the next stage; the phase flips where the ring begins anew.
void BulkKernel::advance(Ring &ring) {
  Value isLast = index.less(index.constant(plan.stages - 2), ring[0]);
  ring[1] = arith::XOrIOp::create(b, loc, ring[1], isLast);
  ring[0] =
      index.select(isLast, index.constant(0), index.add(ring[0], 1));
}

//===----------------------------------------------------------------------===//
// The producer
//===----------------------------------------------------------------------===//

/// All chunks of the slab's weights, for as long as the block lives.
void BulkKernel::produceWeights() {
  ifFirstLane([&] {
    int64_t chunks = plan.getNumChunks(p);
    nvgpu::MBarrierArriveExpectTxOp::create(
        b, loc, barriers,
        index.constant(chunks * plan.getStageWeights() * getElementBytes()),
        getResident(), Value());
    auto loop =
        scf::ForOp::create(b, loc, index.constant(0), index.constant(chunks),
                           index.constant(1));
    b.setInsertionPointToStart(loop.getBody());
    Value chunk = loop.getInductionVar();
    BulkCopyWeightsOp::create(b, loc, weight, getWeightOffset(chunk),
                              weightStages, chunk, barriers, getResident());
  });
}

void BulkKernel::produceChunk(Value map, const Chunk &chunk, Ring &ring) {
  Value stage = ring[0];
  Value isFlipped = arith::XOrIOp::create(
      b, loc, ring[1], arith::ConstantIntOp::create(b, loc, 1, 1));
  wait(getEmpty(stage), isFlipped);
  Value bytes = BulkCopyActivationsOp::create(
      b, loc, getPattern(), map, input, chunk.m, i, index.mul(chunk.k, plan.k),
      index.mul(blockJ, plan.j), inputStages, stage, barriers, getFull(stage),
      getInteger(plan.getAtomDepth()), getInteger(plan.j),
      b.getBoolAttr(plan.isFlatCopy(p)),
      getInteger(getSwizzle()));
  ifFirstLane([&] {
    if (!plan.isResident) {
      BulkCopyWeightsOp::create(b, loc, weight, getWeightOffset(chunk.k),
                                weightStages, stage, barriers, getFull(stage));
      bytes = index.add(bytes, plan.getStageWeights() * getElementBytes());
    }
    nvgpu::MBarrierArriveExpectTxOp::create(b, loc, barriers, bytes,
                                            getFull(stage), Value());
  });
  advance(ring);
}

void BulkKernel::produce(Value map) {
  if (plan.isResident)
    produceWeights();
  Ring ring{index.constant(0), arith::ConstantIntOp::create(b, loc, 0, 1)};
  forEachTile(ring, [&](Value m, Ring &ring) {
    auto loop = scf::ForOp::create(b, loc, index.constant(0),
                                   index.constant(plan.getNumChunks(p)),
                                   index.constant(1), ring);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Ring inner(loop.getRegionIterArgs());
    produceChunk(map, {m, loop.getInductionVar()}, inner);
    scf::YieldOp::create(b, loc, inner);
    ring.assign(loop.result_begin(), loop.result_end());
  });
}

//===----------------------------------------------------------------------===//
// Consumers
//===----------------------------------------------------------------------===//

Value BulkKernel::emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) {
  Value stage = ring[0];
  wait(getFull(stage), ring[1]);
  Value sum = multiplyChunk(chunk.k, stage, accumulator);
  // All lanes have read it.
  NVVM::SyncWarpOp::create(
      b, loc, arith::ConstantIntOp::create(b, loc, -1, 32));
  ifFirstLane([&] {
    nvgpu::MBarrierArriveOp::create(
        b, loc, nvgpu::MBarrierTokenType::get(b.getContext()), barriers,
        getEmpty(stage));
  });
  advance(ring);
  return sum;
}

void BulkKernel::consume() {
  Value falseBit = arith::ConstantIntOp::create(b, loc, 0, 1);
  if (plan.isResident)
    wait(getResident(), falseBit);
  forEachTile({index.constant(0), falseBit},
              [&](Value m, Ring &ring) { emitTile(m, ring); });
}

void BulkKernel::emitBlock(ValueRange extra) {
  lane = index.rem(gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x),
                   FragmentLayout::lanes);
  createBarriers();
  auto role = scf::IfOp::create(b, loc, index.less(warp, plan.getWarps()),
                                /*else=*/true);
  b.setInsertionPointToStart(role.thenBlock());
  consume();
  b.setInsertionPointToStart(role.elseBlock());
  produce(extra.front());
}

std::unique_ptr<ProductKernel> ks::createBulkKernel(RewriterBase &b,
                                                    ProductOpInterface op,
                                                    GPUPlanAttr attr) {
  return std::make_unique<BulkKernel>(b, op, attr);
}
