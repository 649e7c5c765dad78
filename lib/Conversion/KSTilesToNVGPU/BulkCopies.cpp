//===- BulkCopies.cpp - Copies by the copy engine -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One box of the tensor map per atom of a chunk (PTX ISA,
// "cp.async.bulk.tensor"), and one linear copy for packed weights
// ("cp.async.bulk"). nvgpu's op for the first takes a descriptor that knows no
// groups; nvvm's are used as they are.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ks;

Value TileExpander::getPointer(Value memref, Value byteOffset, unsigned space) {
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                            index.add(address, byteOffset));
  auto getType = [&](unsigned space) {
    return LLVM::LLVMPointerType::get(b.getContext(), space);
  };
  if (space != kSharedClusterSpace)
    return LLVM::IntToPtrOp::create(b, loc, getType(space), number);
  Value pointer =
      LLVM::IntToPtrOp::create(b, loc, getType(kSharedSpace), number);
  return LLVM::AddrSpaceCastOp::create(b, loc, getType(space), pointer);
}

Value TileExpander::getBarrier(Value barriers, Value barrier) {
  Value number =
      nvgpu::MBarrierGetOp::create(b, loc, b.getI64Type(), barriers, barrier);
  return LLVM::IntToPtrOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kSharedSpace), number);
}

/// One box per atom.
void TileExpander::copyBoxes(BulkCopyActivationsOp op) {
  KSPattern p = op.getPattern().getPattern();
  auto type = cast<MemRefType>(op.getDestination().getType());
  int64_t atoms = type.getDimSize(1);
  int64_t bytes = getElementBytes(op.getDestination());
  int64_t atomBytes = type.getDimSize(2) * type.getDimSize(3) * bytes;
  auto depth = static_cast<int64_t>(op.getDepth());
  int64_t row = type.getDimSize(3);
  Value barrier = getBarrier(op.getBarriers(), op.getBarrier());
  Value base = index.mul(op.getStage(), atoms * atomBytes);
  // A block of a cluster copies its share of the entries, or planes, to all.
  auto cluster = static_cast<int64_t>(op.getCluster());
  Value entry = op.getM(), everybody;
  Value firstJ = op.getJ();
  if (cluster > 1) {
    Value rank =
        index.rem(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x), cluster);
    if (op.getPlanes())
      firstJ =
          index.add(firstJ, index.mul(rank, static_cast<int64_t>(op.getSlab()) /
                                                cluster));
    else
      entry = index.add(entry, index.mul(rank, type.getDimSize(2) / cluster));
    base = index.add(base, index.mul(rank, atomBytes / cluster));
    everybody = arith::ConstantIntOp::create(b, loc, (1 << cluster) - 1, 16);
  }
  auto toI32 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, loc, b.getI32Type(), value);
  };
  auto getCoordinates = [&](int64_t atom) -> SmallVector<Value> {
    if (op.getLayout() == Layout::BatchLast)
      return {withOffset(index, op.getM(), atom * row), op.getJ(), op.getK(),
              op.getI()};
    Value k = withOffset(index, op.getK(), atom * depth);
    if (op.getPlanes())
      return {k, entry, firstJ, op.getI()};
    if (op.getIsFlat())
      return {index.mul(k, p.d), op.getI(), entry};
    return {op.getJ(), k, op.getI(), entry};
  };
  for (int64_t atom = 0; atom < atoms; ++atom) {
    SmallVector<Value> coordinates =
        llvm::map_to_vector(getCoordinates(atom), toI32);
    Value destination = getPointer(op.getDestination(),
                                   withOffset(index, base, atom * atomBytes),
                                   kSharedClusterSpace);
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
        b, loc, destination, op.getMap(), coordinates, barrier,
        /*im2colOffsets=*/ValueRange{}, everybody,
        /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
        /*group=*/NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
  }
}

/// The same by the lanes of the warp, element by element.
void TileExpander::copyAtomElements(BulkCopyActivationsOp op) {
  KSPattern p = op.getPattern().getPattern();
  auto type = cast<MemRefType>(op.getDestination().getType());
  ArrayRef<int64_t> shape = type.getShape().drop_front();
  auto depth = static_cast<int64_t>(op.getDepth());
  auto slab = static_cast<int64_t>(op.getSlab());
  bool isBatchFirst = op.getLayout() == Layout::BatchFirst;
  Value batch =
      memref::DimOp::create(b, loc, op.getSource(), isBatchFirst ? 0 : 1);
  auto loop = scf::ForOp::create(
      b, loc, lane, index.constant(ShapedType::getNumElements(shape)),
      index.constant(FragmentLayout::lanes));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    // [atom][row][element]
    SmallVector<Value> at = index.delinearize(loop.getInductionVar(), shape);
    Value k, j, m;
    if (op.getPlanes()) {
      int64_t entries = shape[1] / slab;
      k = index.add(index.mul(at[0], depth), at[2]);
      j = index.add(op.getJ(), index.div(at[1], entries));
      m = index.add(op.getM(), index.rem(at[1], entries));
    } else if (isBatchFirst) {
      k = index.add(index.mul(at[0], depth), index.div(at[2], slab));
      j = index.add(op.getJ(), index.rem(at[2], slab));
      m = index.add(op.getM(), at[1]);
    } else {
      k = at[1];
      j = op.getJ();
      m = index.add(op.getM(), index.add(index.mul(at[0], shape[2]), at[2]));
    }
    k = index.add(op.getK(), k);
    Value isThere =
        index.both(index.both(index.less(k, p.c), index.less(j, p.d)),
                   index.less(m, batch));
    auto value = scf::IfOp::create(b, loc, TypeRange{type.getElementType()},
                                   isThere, /*addThen=*/true, /*addElse=*/true);
    b.setInsertionPointToStart(value.thenBlock());
    Value feature =
        op.getPlanes()
            ? index.add(index.mul(index.add(index.mul(op.getI(), p.d), j), p.c),
                        k)
            : index.add(index.mul(index.add(index.mul(op.getI(), p.c), k), p.d),
                        j);
    Value loaded = memref::LoadOp::create(
        b, loc, op.getSource(),
        isBatchFirst ? ValueRange{m, feature} : ValueRange{feature, m});
    scf::YieldOp::create(b, loc, loaded);
    b.setInsertionPointToStart(value.elseBlock());
    Value zero =
        arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
    scf::YieldOp::create(b, loc, zero);
    b.setInsertionPointAfter(value);
    int64_t bytes = getElementBytes(op.getSource());
    Value first = index.mul(at[1], shape[2]);
    Value offset = swizzleBytes(index.mul(index.add(first, at[2]), bytes),
                                static_cast<int64_t>(op.getSwizzle()));
    Value column = index.sub(index.div(offset, bytes), first);
    memref::StoreOp::create(b, loc, value.getResult(0), op.getDestination(),
                            ValueRange{op.getStage(), at[0], at[1], column});
  }
  // wgmma reads by another proxy than stores write.
  NVVM::FenceProxyOp::create(
      b, loc,
      NVVM::ProxyKindAttr::get(b.getContext(), NVVM::ProxyKind::async_shared),
      NVVM::SharedSpaceAttr::get(b.getContext(),
                                 NVVM::SharedSpace::shared_cta));
  NVVM::SyncWarpOp::create(b, loc,
                           arith::ConstantIntOp::create(b, loc, -1, 32));
}

/// The engine exchanges pieces of 16 bytes of `swizzle` bytes: their number is
/// changed by the bits of the address above those of 128 bytes.
Value TileExpander::swizzleBytes(Value offset, int64_t swizzle) {
  if (swizzle == 0)
    return offset;
  Value above = index.rem(index.div(offset, 128), swizzle / kWidestBytes);
  return b.createOrFold<arith::XOrIOp>(loc, offset,
                                       index.mul(above, kWidestBytes));
}

void TileExpander::expand(BulkCopyActivationsOp op) {
  auto type = cast<MemRefType>(op.getDestination().getType());
  int64_t bytes = ShapedType::getNumElements(type.getShape().drop_front()) *
                  getElementBytes(op.getDestination());
  Value aligned = isAligned(op.getSource(), kWidestBytes);
  ifElse(
      aligned,
      [&] {
        auto isFirst =
            scf::IfOp::create(b, loc, index.less(lane, 1), /*else=*/false);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(isFirst.thenBlock());
        copyBoxes(op);
      },
      [&] { copyAtomElements(op); });
  b.replaceOp(op,
              index.select(aligned, index.constant(bytes), index.constant(0)));
}

void TileExpander::expand(ArriveInClusterOp op) {
  Value rank = arith::IndexCastOp::create(b, loc, b.getI32Type(), op.getRank());
  Value barrier = NVVM::MapaOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kSharedClusterSpace),
      getBarrier(op.getBarriers(), op.getBarrier()), rank);
  NVVM::MBarrierArriveOp::create(b, loc, TypeRange(), barrier, Value());
  b.eraseOp(op);
}

void TileExpander::expand(BulkCopyWeightsOp op) {
  auto type = cast<MemRefType>(op.getDestination().getType());
  int64_t elementBytes = getElementBytes(op.getDestination());
  int64_t bytes =
      ShapedType::getNumElements(type.getShape().drop_front()) * elementBytes;
  Value source = getPointer(
      op.getSource(), index.mul(op.getOffset(), elementBytes), kGlobalSpace);
  Value destination =
      getPointer(op.getDestination(), index.mul(op.getStage(), bytes),
                 kSharedClusterSpace);
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
      b, loc, destination, source,
      getBarrier(op.getBarriers(), op.getBarrier()),
      arith::ConstantIntOp::create(b, loc, bytes, 32),
      /*multicastMask=*/Value(), /*l2CacheHint=*/Value());
  b.eraseOp(op);
}
