//===- PackWeights.cpp - Packing weights for vector code ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A gather, written as the definition in #ks.cpu_packing:
//
//   packed[i][j block][n block][k][part][vector][lane][re or im]
//
// Padding lanes are zero.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

namespace {

/// The reals that stand for weight `w` in part `part` of a packed step, in
/// the accumulator type: w itself, or for complex w first (re, re), then
/// (-im, im).
SmallVector<Value> getReals(OpBuilder &b, Location loc, Value w, int64_t part,
                            Type real) {
  if (!isa<ComplexType>(w.getType())) {
    if (w.getType() != real)
      w = arith::ExtFOp::create(b, loc, real, w);
    return {w};
  }
  if (part == 0) {
    Value re = complex::ReOp::create(b, loc, w);
    return {re, re};
  }
  Value im = complex::ImOp::create(b, loc, w);
  return {arith::NegFOp::create(b, loc, im), im};
}

} // namespace

void ks::lowerPackWeights(RewriterBase &b, PackWeightsOp op) {
  Location loc = op.getLoc();
  b.setInsertionPoint(op);
  IndexBuilder index(b, loc);
  KSPattern p = op.getPattern().getPattern();
  auto packing = cast<CPUPackingAttr>(op.getPacking());
  auto weightType = cast<MemRefType>(op.getWeight().getType());
  Ties ties = getTies(p, weightType.getShape());
  int64_t reals = isa<ComplexType>(weightType.getElementType()) ? 2 : 1;
  Type real = cast<MemRefType>(op.getInit().getType()).getElementType();
  int64_t vectors = packing.getVectors(), lanes = packing.getLanes();

  // One loop per axis of the packed weight; a tied axis has one iteration.
  SmallVector<int64_t> sizes{packing.isTied(Ties::A) ? 1 : p.a,
                             packing.isTied(Ties::D) ? 1
                                                     : packing.getNumBlocksJ(p),
                             packing.getNumBlocksN(p),
                             p.c,
                             vectors,
                             lanes};
  Value zero = index.constant(0), one = index.constant(1);
  SmallVector<Value> ivs;
  for (int64_t size : sizes) {
    auto loop = scf::ForOp::create(b, loc, zero, index.constant(size), one);
    b.setInsertionPointToStart(loop.getBody());
    ivs.push_back(loop.getInductionVar());
  }
  Value i = ivs[0], blockJ = ivs[1], blockN = ivs[2], k = ivs[3];
  Value vector = ivs[4], lane = ivs[5];

  // Lane -> (n, j); blocks at the edge are shifted back.
  Value n0 = index.min(index.mul(blockN, packing.getBlockN()),
                       index.constant(p.b - packing.getBlockN()));
  Value j0 = index.min(index.mul(blockJ, packing.getJ()),
                       index.constant(p.d - packing.getJ()));
  Value laneN =
      arith::DivUIOp::create(b, loc, lane, index.constant(packing.getJ()));
  Value n = index.add(index.add(n0, index.mul(vector, packing.getN())), laneN);
  Value j = index.add(j0, index.rem(lane, packing.getJ()));
  bool hasPadding = packing.getN() * packing.getJ() < lanes;
  Value isLane;
  if (hasPadding) {
    isLane =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lane,
                              index.constant(packing.getN() * packing.getJ()));
    n = arith::SelectOp::create(b, loc, isLane, n, n0);
  }
  Value weight = memref::LoadOp::create(
      b, loc, op.getWeight(),
      ValueRange{bitEnumContainsAny(ties, Ties::A) ? zero : i, n, k,
                 bitEnumContainsAny(ties, Ties::D) ? zero : j});

  // ((((i * J + blockJ) * N + blockN) * c + k) * parts + part) * vectors ...
  Value step = zero;
  for (auto [iv, size] : llvm::zip_equal(ArrayRef(ivs).take_front(4),
                                         ArrayRef(sizes).take_front(4)))
    step = index.add(index.mul(step, size), iv);
  for (int64_t part = 0; part < reals; ++part) {
    Value slot = index.add(index.mul(step, reals), part);
    slot = index.add(index.mul(slot, vectors), vector);
    slot = index.add(index.mul(slot, lanes), lane);
    for (auto [r, value] :
         llvm::enumerate(getReals(b, loc, weight, part, real))) {
      if (hasPadding)
        value = arith::SelectOp::create(
            b, loc, isLane, value,
            arith::ConstantOp::create(b, loc, b.getZeroAttr(real)));
      memref::StoreOp::create(b, loc, value, op.getInit(),
                              index.add(index.mul(slot, reals), r));
    }
  }
  b.eraseOp(op);
}
