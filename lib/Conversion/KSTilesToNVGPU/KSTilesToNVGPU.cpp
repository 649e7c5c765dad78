//===- KSTilesToNVGPU.cpp - Tile ops as GPU instructions ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pass, and what the expansions share. Copies.cpp brings data to shared
// memory, Fragments.cpp from there to registers, through the multiplication,
// and back to memory.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "ks/Conversion/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTKSTILESTONVGPU
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

int64_t ks::getCommonPowerOfTwo(int64_t limit, ArrayRef<int64_t> numbers) {
  int64_t power = llvm::bit_floor(static_cast<uint64_t>(limit));
  for (int64_t number : numbers)
    while (number % power != 0)
      power /= 2;
  return power;
}

int64_t ks::getElementBytes(Value memref) {
  return getElementTypeOrSelf(memref.getType()).getIntOrFloatBitWidth() / 8;
}

TileExpander::TileExpander(RewriterBase &b, gpu::GPUFuncOp kernel)
    : b(b), kernel(kernel), loc(kernel.getLoc()), index(b, loc) {
  b.setInsertionPointToStart(&kernel.getBody().front());
  thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
  lane = index.rem(thread, FragmentLayout::lanes);
}

Value TileExpander::isAligned(Value memref, int64_t bytes) {
  Value &flag = aligned[{memref, bytes}];
  if (!flag)
    flag = testAlignment(memref, bytes, /*withPitch=*/true);
  return flag;
}

Value TileExpander::beginsAligned(Value memref, int64_t bytes) {
  Value &flag = beginning[{memref, bytes}];
  if (!flag)
    flag = testAlignment(memref, bytes, /*withPitch=*/false);
  return flag;
}

Value TileExpander::testAlignment(Value memref, int64_t bytes, bool withPitch) {
  OpBuilder::InsertionGuard guard(b);
  if (Operation *view = memref.getDefiningOp())
    b.setInsertionPointAfter(view);
  else
    b.setInsertionPointToStart(&kernel.getBody().front());
  auto type = cast<MemRefType>(memref.getType());
  int64_t element = getElementBytes(memref);
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value offset = index.mul(metadata.getOffset(), element);
  Value address = index.add(
      memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref), offset);
  // The low bits of all of them at once.
  size_t pitches = withPitch ? type.getRank() - 1 : 0;
  for (Value stride : metadata.getStrides().take_front(pitches))
    address =
        b.createOrFold<arith::OrIOp>(loc, address, index.mul(stride, element));
  return arith::CmpIOp::create(
      b, loc, arith::CmpIPredicate::eq,
      b.createOrFold<arith::AndIOp>(loc, address, index.constant(bytes - 1)),
      index.constant(0));
}

Value ks::getShift(IndexBuilder &index, Value first, Value row, Value pitch,
                   int64_t elementBytes) {
  return index.rem(index.add(first, index.mul(row, pitch)),
                   kWidestBytes / elementBytes);
}

void TileExpander::ifElse(Value condition, function_ref<void()> yes,
                          function_ref<void()> no) {
  if (!condition)
    return yes();
  auto branch = scf::IfOp::create(b, loc, condition, /*else=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  yes();
  b.setInsertionPointToStart(branch.elseBlock());
  no();
}

namespace {
/// Expands `op` if it is one of `Ops`.
template <typename... Ops>
void expandOneOf(TileExpander &expander, Operation *op) {
  llvm::TypeSwitch<Operation *>(op).Case<Ops...>(
      [&](auto tile) { expander.expand(tile); });
}

struct ConvertKSTilesToNVGPUPass
    : ks::impl::ConvertKSTilesToNVGPUBase<ConvertKSTilesToNVGPUPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    for (auto kernel : getOperation().getOps<gpu::GPUFuncOp>()) {
      // What makes a value comes before what takes it, and loops before their
      // bodies.
      SmallVector<Operation *> ops;
      kernel.walk<WalkOrder::PreOrder>(
          [&](Operation *op) { ops.push_back(op); });
      if (llvm::none_of(ops, [](Operation *op) {
            return isa<KSDialect>(op->getDialect());
          }))
        continue;
      TileExpander expander(rewriter, kernel);
      for (Operation *op : ops) {
        rewriter.setInsertionPoint(op);
        expandOneOf<CopyActivationsOp, CopyWeightsOp, BulkCopyActivationsOp,
                    BulkCopyWeightsOp, ArriveInClusterOp, LoadWeightsOp,
                    LoadActivationsOp, LoadAtomsOp, WarpMmaOp, JoinPartsOp,
                    StorePartialsOp, AddPartialsOp, WarpgroupMmaOp,
                    WarpgroupMmaRegistersOp, WarpgroupMmaPlanesOp,
                    WarpgroupWaitOp, ExchangeEntriesOp, InterleaveColumnsOp,
                    LoadFragmentOp, StoreFragmentOp, StoreLinesOp,
                    StoreIntermediateOp, StorePlanesOp, StoreRowsOp, CopyRowsOp,
                    vector::ExtractOp, vector::InsertStridedSliceOp,
                    vector::ShapeCastOp, arith::ConstantOp, arith::TruncFOp,
                    arith::ExtFOp, scf::ForOp, scf::YieldOp>(expander, op);
      }
      expander.finish();
    }
  }
};
} // namespace
