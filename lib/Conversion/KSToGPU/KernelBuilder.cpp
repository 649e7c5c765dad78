//===- KernelBuilder.cpp - What all kernels have in common ----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "../KSToVector/TileEmitter.h"

#include "ks/Analysis/GPUPlanner.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

KernelBuilder::KernelBuilder(RewriterBase &b, ProductOpInterface op)
    : b(b), loc(op->getLoc()), index(b, loc), op(op),
      batchFirst(op.getLayout() == Layout::BatchFirst),
      parts(isa<ComplexType>(op.getElementType()) ? 2 : 1),
      real(getRealType(op.getElementType())),
      accumulatorReal(getRealType(op.getAccumulatorType())),
      resultReal(getRealType(op.getResultElementType())) {}

SmallVector<Value> KernelBuilder::getOperands() {
  SmallVector<Value> operands{op.getInput()};
  llvm::append_range(operands, op.getWeightOperands());
  operands.push_back(op.getInit());
  llvm::append_range(operands, op.getExtras());
  return operands;
}

ValueRange KernelBuilder::bindArguments(ValueRange arguments) {
  size_t numWeights = op.getWeightOperands().size();
  size_t numExtras = op.getExtras().size();
  Value result = arguments[1 + numWeights];
  input = asReals(arguments[0]);
  llvm::append_range(weights, arguments.slice(1, numWeights));
  output = asReals(result);
  for (Value extra : arguments.slice(2 + numWeights, numExtras))
    extras.push_back(asReals(extra));
  batch = memref::DimOp::create(b, loc, result, op.getBatchDim());
  auto workgroup =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  shared = gpu::DynamicSharedMemoryOp::create(
      b, loc,
      MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                      MemRefLayoutAttrInterface(), workgroup));
  return arguments.drop_front(2 + numWeights + numExtras);
}

Value KernelBuilder::asReals(Value memref) {
  return parts == 2 ? RealViewOp::create(b, loc, memref).getResult() : memref;
}

Value KernelBuilder::viewShared(ArrayRef<int64_t> shape, Type element,
                                Value offset) {
  auto type = cast<MemRefType>(shared.getType());
  return memref::ViewOp::create(b, loc,
                                MemRefType::get(shape, element,
                                                MemRefLayoutAttrInterface(),
                                                type.getMemorySpace()),
                                shared, offset, ValueRange{});
}

void KernelBuilder::waitForEarlierKernels() {
  if (!overlapsLaunches)
    return;
  NVVM::GriddepcontrolOp::create(b, loc, NVVM::GridDepActionKind::wait);
  // All blocks have begun when the next kernel's may: it takes no room of
  // theirs.
  NVVM::GriddepcontrolOp::create(b, loc,
                                 NVVM::GridDepActionKind::launch_dependents);
}

void KernelBuilder::arriveInCluster() {
  NVVM::ClusterArriveOp::create(b, loc, /*aligned=*/UnitAttr());
}

void KernelBuilder::waitForCluster() {
  NVVM::ClusterWaitOp::create(b, loc, /*aligned=*/UnitAttr());
}

void KernelBuilder::synchronize(int64_t cluster) {
  if (cluster == 1) {
    gpu::BarrierOp::create(b, loc);
    return;
  }
  arriveInCluster();
  waitForCluster();
}

void KernelBuilder::doIf(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, loc, condition, /*else=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

//===----------------------------------------------------------------------===//
// The ring
//===----------------------------------------------------------------------===//

Value KernelBuilder::getAlignedBegin() {
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(b, loc, shared);
  Value beyond = b.createOrFold<arith::AndIOp>(
      loc, address, index.constant(kBulkAlignment - 1));
  return b.createOrFold<arith::AndIOp>(
      loc, index.sub(index.constant(kBulkAlignment), beyond),
      index.constant(kBulkAlignment - 1));
}

void KernelBuilder::createRing(int64_t stages, int64_t readers,
                               int64_t cluster) {
  ringStages = stages;
  ringBlocks = cluster;
  auto workgroup =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  barriers = nvgpu::MBarrierCreateOp::create(
      b, loc,
      nvgpu::MBarrierGroupType::get(b.getContext(), workgroup, 2 * stages));
  auto initialize = [&](Value barrier, int64_t count) {
    nvgpu::MBarrierInitOp::create(b, loc, barriers, index.constant(count),
                                  barrier, Value());
  };
  Value thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
  doIf(index.less(thread, 1), [&] {
    for (int64_t stage = 0; stage < stages; ++stage) {
      initialize(getFull(index.constant(stage)), 1);
      initialize(getEmpty(index.constant(stage)), readers * cluster);
    }
    NVVM::FenceMbarrierInitOp::create(b, loc);
  });
  synchronize(cluster);
}

void KernelBuilder::wait(Value barrier, Value phase) {
  constexpr int64_t kTicks = 10000000; // Then it asks again.
  nvgpu::MBarrierTryWaitParityOp::create(b, loc, barriers, phase,
                                         index.constant(kTicks), barrier);
}

void KernelBuilder::release(Value stage, Value condition) {
  NVVM::SyncWarpOp::create(b, loc,
                           arith::ConstantIntOp::create(b, loc, -1, 32));
  // One lane says so to each block that copies to the stage.
  Value isOne = index.less(lane, ringBlocks);
  doIf(condition ? index.both(isOne, condition) : isOne, [&] {
    if (ringBlocks > 1) {
      ArriveInClusterOp::create(b, loc, barriers, getEmpty(stage), lane);
      return;
    }
    nvgpu::MBarrierArriveOp::create(
        b, loc, nvgpu::MBarrierTokenType::get(b.getContext()), barriers,
        getEmpty(stage));
  });
}

Value KernelBuilder::countBlocks(int64_t entries, int64_t batchBlocks,
                                 int64_t slabs) {
  Value size = memref::DimOp::create(b, loc, op.getInit(), op.getBatchDim());
  AffineExpr s0 = b.getAffineSymbolExpr(0);
  Value tiles = affine::AffineMinOp::create(
      b, loc,
      AffineMap::get(
          0, 1, {s0.ceilDiv(entries), b.getAffineConstantExpr(batchBlocks)},
          b.getContext()),
      ValueRange{size});
  return affine::AffineApplyOp::create(b, loc, AffineMap::get(0, 1, s0 * slabs),
                                       ValueRange{tiles});
}

//===----------------------------------------------------------------------===//
// The end of a product
//===----------------------------------------------------------------------===//

Value KernelBuilder::joinParts(Value accumulator, FragmentLayout layout) {
  if (!layout.isSplit())
    return accumulator;
  auto type = cast<VectorType>(accumulator.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() /= layout.numSums();
  return JoinPartsOp::create(
      b, loc, VectorType::get(shape, type.getElementType()), accumulator);
}

Value KernelBuilder::applyEpilogue(Value accumulator, PatternAttr pattern,
                                   FragmentsAttr fragments,
                                   const Place &place) {
  if (!op.hasEpilogue())
    return accumulator;
  auto type = cast<VectorType>(accumulator.getType());
  auto flat = [&](Value value) -> Value {
    auto shaped = cast<VectorType>(value.getType());
    return vector::ShapeCastOp::create(
        b, loc,
        VectorType::get({shaped.getNumElements()}, shaped.getElementType()),
        value);
  };
  SmallVector<Value> arguments{flat(accumulator)};
  for (Value extra : extras) {
    Type element = getElementTypeOrSelf(extra.getType());
    arguments.push_back(flat(LoadFragmentOp::create(
        b, loc, VectorType::get(type.getShape(), element), pattern, fragments,
        extra, place.m, place.i, place.n, place.j, batch, getLayout(),
        getMultiplied(element))));
  }
  Value result = emitVectorEpilogue(b, loc, op.getEpilogue()->front(),
                                    arguments, parts == 2);
  return vector::ShapeCastOp::create(
      b, loc,
      VectorType::get(type.getShape(), getElementTypeOrSelf(result.getType())),
      result);
}

Value KernelBuilder::convert(Value fragment, Type to) {
  auto type = cast<VectorType>(fragment.getType());
  auto converted = VectorType::get(type.getShape(), to);
  if (type == converted)
    return fragment;
  if (type.getElementTypeBitWidth() < to.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, converted, fragment);
  return arith::TruncFOp::create(b, loc, converted, fragment);
}
