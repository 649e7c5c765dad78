//===- LibraryPacking.cpp - Weights as a BLAS reads them ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A #ks.library_packing becomes ks.with_library: a copy of the plain matrix,
// and what our own kernel reads.
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"

#include "../LibraryChoice.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

void ks::lowerLibraryPacking(RewriterBase &b, PackWeightsOp op) {
  Location loc = op.getLoc();
  WithLibraryOp choice = createWithLibrary(b, op, Library::Blas);
  b.setInsertionPointToStart(&choice.getThere().front());
  IndexBuilder index(b, loc);
  KSPattern p = op.getPattern().getPattern();
  Value zero = index.constant(0), one = index.constant(1);
  SmallVector<Value> ivs;
  for (int64_t size : {p.b, p.c}) {
    auto loop = scf::ForOp::create(b, loc, zero, index.constant(size), one);
    b.setInsertionPointToStart(loop.getBody());
    ivs.push_back(loop.getInductionVar());
  }
  Value value = memref::LoadOp::create(b, loc, op.getWeight(),
                                       ValueRange{zero, ivs[0], ivs[1], zero});
  memref::StoreOp::create(b, loc, value, op.getInit(),
                          index.add(index.mul(ivs[0], p.c), ivs[1]));
  moveToOtherwise(choice, op);
}
