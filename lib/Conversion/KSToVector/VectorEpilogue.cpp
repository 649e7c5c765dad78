//===- VectorEpilogue.cpp - Epilogues on vectors --------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace ks;

/// The same op on vectors of `size`.
static void cloneOnVectors(OpBuilder &b, Operation &op, int64_t size,
                           IRMapping &mapping) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto type = VectorType::get({size}, constant.getType());
    mapping.map(
        constant.getResult(),
        arith::ConstantOp::create(
            b, op.getLoc(), DenseElementsAttr::get(type, constant.getValue()))
            .getResult());
    return;
  }
  Operation *clone = b.clone(op, mapping);
  for (Value result : clone->getResults())
    result.setType(VectorType::get({size}, result.getType()));
}

static bool worksOnVectors(Operation &op) {
  return isa<arith::ConstantOp>(op) ||
         (OpTrait::hasElementwiseMappableTraits(&op) &&
          llvm::none_of(op.getResultTypes(), llvm::IsaPred<ComplexType>));
}

/// Lane `lane` of `vector`; a complex number from lanes 2*lane and 2*lane+1.
static Value extractLane(OpBuilder &b, Location loc, Value vector, int64_t lane,
                         bool isComplex) {
  if (!isComplex)
    return vector::ExtractOp::create(b, loc, vector, lane);
  Value re = vector::ExtractOp::create(b, loc, vector, 2 * lane);
  Value im = vector::ExtractOp::create(b, loc, vector, 2 * lane + 1);
  return complex::CreateOp::create(b, loc, ComplexType::get(re.getType()), re,
                                   im);
}

static Value insertLane(OpBuilder &b, Location loc, Value scalar, Value vector,
                        int64_t lane, bool isComplex) {
  if (!isComplex)
    return vector::InsertOp::create(b, loc, scalar, vector, lane);
  Value re = complex::ReOp::create(b, loc, scalar);
  Value im = complex::ImOp::create(b, loc, scalar);
  vector = vector::InsertOp::create(b, loc, re, vector, 2 * lane);
  return vector::InsertOp::create(b, loc, im, vector, 2 * lane + 1);
}

Value ks::emitVectorEpilogue(OpBuilder &b, Location loc, Block &body,
                             ValueRange args, bool isComplex) {
  auto type = cast<VectorType>(args.front().getType());
  Value yielded = cast<YieldOp>(body.getTerminator()).getValue();
  auto scalarOps = body.without_terminator();

  if (!isComplex && llvm::all_of(scalarOps, worksOnVectors)) {
    IRMapping mapping;
    mapping.map(body.getArguments(), args);
    for (Operation &op : scalarOps)
      cloneOnVectors(b, op, type.getNumElements(), mapping);
    return mapping.lookup(yielded);
  }

  // Lane by lane: complex arithmetic mixes neighbouring lanes.
  Type real = getRealType(yielded.getType());
  Value result =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.clone(real)));
  for (int64_t lane = 0, e = type.getNumElements() / (isComplex ? 2 : 1);
       lane < e; ++lane) {
    IRMapping mapping;
    for (auto [argument, value] : llvm::zip_equal(body.getArguments(), args))
      mapping.map(argument, extractLane(b, loc, value, lane, isComplex));
    for (Operation &op : scalarOps)
      b.clone(op, mapping);
    result =
        insertLane(b, loc, mapping.lookup(yielded), result, lane, isComplex);
  }
  return result;
}
