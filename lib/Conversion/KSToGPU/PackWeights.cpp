//===- PackWeights.cpp - Packing of weights on GPUs -----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSToGPU.h"

#include "../IndexBuilder.h"
#include "../SplitFloatBuilder.h"

#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

static constexpr int64_t kThreads = 256;

namespace {
/// Where a packed element comes from, and which part of it it is.
struct Source {
  Value i, n, k, j;
  Value part;
};
} // namespace

/// FragmentLayout::weightPlace for wgmma16, as code.
static Source getWgmmaSource(IndexBuilder &index, GPUPackingAttr packing,
                             ArrayRef<Value> at) {
  FragmentLayout layout = packing.getLayout();
  Value chunk = at[3], step = at[4], tile = at[6], lane = at[7];
  Value warp = index.add(index.mul(index.rem(tile, 2), 2), index.div(lane, 16));
  Value z = index.add(index.mul(index.div(tile, 4), 2),
                      index.rem(index.div(lane, 8), 2));
  int64_t run = layout.runN;
  Value n = index.mul(index.div(z, run), layout.lanesN() * run);
  n = index.add(
      n, index.add(index.mul(index.rem(lane, 8), run), index.rem(z, run)));
  n = index.add(n,
                index.mul(warp, packing.getN() / FragmentLayout::wgmmaWarps));
  n = index.add(index.mul(at[2], packing.getN()), n);
  Value k = index.add(index.mul(index.rem(index.div(tile, 2), 2), 8), at[8]);
  k = index.add(k, index.add(index.mul(chunk, packing.getK()),
                             index.mul(step, layout.stepK())));
  Value j = index.add(index.mul(at[1], packing.getJ()), at[5]);
  return {at[0], n, k, j, index.constant(0)};
}

/// The maps of FragmentLayout.h, as code.
static Source getSource(IndexBuilder &index, GPUPackingAttr packing,
                        ArrayRef<Value> at) {
  FragmentLayout layout = packing.getLayout();
  Value i = at[0], blockJ = at[1], blockN = at[2], chunk = at[3];
  Value step = at[4], column = at[5], tile = at[6], lane = at[7];
  Value position = at[8];
  if (layout.isWgmmaSS())
    return getWgmmaSource(index, packing, at);
  Value half = index.constant(0), slot = position, part = half;
  Value laneN = layout.isWeightsFirst() ? index.div(lane, 4) : lane;
  Value laneK = layout.isMma() ? index.rem(lane, 4) : index.constant(0);
  if (layout.instruction == WarpInstruction::WgmmaRS8) {
    Value place = index.add(index.mul(lane, layout.weightsPerLane()), position);
    Value row = index.rem(index.div(place, 4), 8);
    half = index.rem(row, 2);
    slot = index.div(place, 32);
    laneN = index.div(row, 2);
    laneK = index.rem(place, 4);
  } else if (layout.isWgmmaRS()) {
    Value row = index.rem(lane, 8);
    half = index.rem(row, 2);
    slot = index.add(index.mul(index.div(lane, 8), 2), index.rem(position, 2));
    laneN = index.div(row, 2);
    laneK = index.div(position, 2);
  } else if (layout.instruction == WarpInstruction::Mma8) {
    half = index.rem(position, 2);
    slot = index.div(position, 2);
  } else if (layout.isMma()) {
    int64_t weights = layout.weightsPerLane() / layout.numParts();
    part = index.div(position, weights);
    Value within = index.rem(position, weights);
    half = index.rem(index.div(within, 2), 2);
    slot = index.add(index.mul(index.div(within, 4), 2), index.rem(within, 2));
  }
  // FragmentLayout::n and ::k
  Value z = index.add(index.mul(tile, layout.slotsN()), half);
  int64_t runN = layout.runN, runK = layout.runK;
  Value n = index.mul(index.div(z, runN), layout.lanesN() * runN);
  n = index.add(n, index.add(index.mul(laneN, runN), index.rem(z, runN)));
  Value k = index.mul(index.div(slot, runK), layout.lanesK() * runK);
  k = index.add(k, index.add(index.mul(laneK, runK), index.rem(slot, runK)));
  n = index.add(index.mul(blockN, packing.getN()), n);
  k = index.add(index.add(index.mul(chunk, packing.getK()),
                          index.mul(step, layout.stepK())),
                k);
  Value j = index.add(index.mul(blockJ, packing.getJ()), column);
  return {i, n, k, j, part};
}

/// `value` as the kernel's instruction takes it; `part` of it.
static Value prepare(OpBuilder &b, Location loc, Value value, Value part,
                     FragmentLayout layout) {
  SplitFloatBuilder floats(b, loc);
  if (layout.isTF32())
    return arith::BitcastOp::create(b, loc, value.getType(),
                                    floats.roundToTF32(value));
  if (!layout.isSplit())
    return value;
  auto [first, second, third] = floats.split(value);
  IndexBuilder index(b, loc);
  Value later = index.select(index.less(part, 2), second, third);
  Value isFinite = floats.isFinite(first);
  later = index.select(isFinite, later, floats.getFloat(0));
  // Cut off, a NaN could be an infinity.
  Value whole = index.select(isFinite, first, value);
  return arith::TruncFOp::create(
      b, loc, b.getBF16Type(), index.select(index.less(part, 1), whole, later));
}

/// From the order in which a kernel sees planes to that of the weight: groups
/// that are columns, and rows n or k of #ks.feature_order.
static void reorder(IndexBuilder &index, GPUPackingAttr packing,
                    const KSPattern &p, Source &source) {
  int64_t r = packing.getRedundancy(), planes = packing.getPlanes();
  if (p.d == 1) {
    source.i =
        index.add(index.mul(source.i, planes), index.min(source.j, planes - 1));
    source.j = index.constant(0);
    source.n = index.add(index.mul(index.rem(source.n, r), p.b / r),
                         index.div(source.n, r));
    return;
  }
  source.k = index.add(index.mul(index.rem(source.k, p.c / r), r),
                       index.div(source.k, p.c / r));
}

static void emitPacking(OpBuilder &b, Location loc, PackWeightsOp op,
                        Value weight, Value packed) {
  IndexBuilder index(b, loc);
  KSPattern p = op.getPattern().getPattern();
  auto packing = cast<GPUPackingAttr>(op.getPacking());
  auto weightType = cast<MemRefType>(weight.getType());
  Ties ties = getTies(p, weightType.getShape());
  bool isComplex = isa<ComplexType>(weightType.getElementType());
  SmallVector<int64_t> shape = packing.getPackedShape(p);
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;

  Value thread = index.add(
      index.mul(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x), kThreads),
      gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x));
  auto isThere =
      scf::IfOp::create(b, loc, index.less(thread, count), /*else=*/false);
  b.setInsertionPointToStart(isThere.thenBlock());
  SmallVector<Value> at = index.delinearize(thread, shape);
  int64_t blocksOfPart = packing.getBlocksOfPart(p);
  Value rowsPart = index.div(at[2], blocksOfPart);
  at[2] = index.rem(at[2], blocksOfPart);
  Source source = getSource(index, packing, at);
  // What is behind the last row of a part is zero.
  Value isOfPart;
  if (packing.getParts() > 1) {
    isOfPart = index.less(source.n, p.b / packing.getParts());
    int64_t run = packing.getRun();
    Value turn = index.add(
        index.mul(index.div(source.n, run), packing.getParts()), rowsPart);
    source.n = index.add(index.mul(turn, run), index.rem(source.n, run));
  }

  // Of what is folded, only the same columns of n and k meet.
  Value isSame;
  if (packing.getFolded()) {
    Value columnK = index.rem(source.k, p.d);
    source.j = index.rem(source.n, p.d);
    source.n = index.div(source.n, p.d);
    source.k = index.div(source.k, p.d);
    isSame = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, source.j,
                                   columnK);
  }
  // What lies outside of the pattern is zero; the load is from inside.
  int64_t columns = packing.getPlanes() ? packing.getPlanes() : p.d;
  Value isInside = index.both(
      index.both(index.less(source.n, p.b), index.less(source.k, p.c)),
      index.less(source.j, columns));
  if (packing.getPlanes())
    reorder(index, packing, p, source);
  for (Value condition : {isSame, isOfPart})
    if (condition)
      isInside = index.both(isInside, condition);
  Value zero = index.constant(0);
  Value value = memref::LoadOp::create(
      b, loc, weight,
      ValueRange{bitEnumContainsAny(ties, Ties::A) ? zero : source.i,
                 index.min(source.n, p.b - 1), index.min(source.k, p.c - 1),
                 bitEnumContainsAny(ties, Ties::D)
                     ? zero
                     : index.min(source.j, p.d - 1)});
  auto store = [&](Value real, Value place) {
    Value none =
        arith::ConstantOp::create(b, loc, b.getZeroAttr(real.getType()));
    real = arith::SelectOp::create(b, loc, isInside, real, none);
    real = prepare(b, loc, real, source.part, packing.getLayout());
    memref::StoreOp::create(b, loc, real, packed, place);
  };
  if (!isComplex)
    return store(value, thread);
  Value place = index.mul(thread, 2);
  store(complex::ReOp::create(b, loc, value), place);
  store(complex::ImOp::create(b, loc, value), index.add(place, 1));
}

LogicalResult ks::lowerPackWeightsToGPU(RewriterBase &b, PackWeightsOp op,
                                        KernelModule &kernels, StringRef name) {
  if (op->getNumResults() != 0 || !isa<GPUPackingAttr>(op.getPacking()))
    return op.emitOpError("cannot be lowered for a GPU; expected memrefs and a "
                          "#ks.gpu_packing");
  Location loc = op.getLoc();
  SmallVector<Value> operands{op.getWeight(), op.getInit()};
  gpu::GPUFuncOp kernel = kernels.createKernel(
      loc, name, TypeRange(ValueRange(operands)), kThreads);
  b.setInsertionPointToStart(&kernel.getBody().front());
  emitPacking(b, loc, op, kernel.getArgument(0), kernel.getArgument(1));

  b.setInsertionPoint(op);
  int64_t count = 1;
  for (int64_t size : cast<GPUPackingAttr>(op.getPacking())
                          .getPackedShape(op.getPattern().getPattern()))
    count *= size;
  Value blocks = IndexBuilder(b, loc).constant(
      static_cast<int64_t>(llvm::divideCeil(count, kThreads)));
  createLaunch(b, kernel, blocks, kThreads, /*sharedBytes=*/0, operands);
  b.eraseOp(op);
  return success();
}
