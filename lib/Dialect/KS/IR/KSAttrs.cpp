//===- KSAttrs.cpp - Attributes of the KS dialect -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace ks;

#include "ks/Dialect/KS/IR/KSAttrInterfaces.cpp.inc"

//===----------------------------------------------------------------------===//
// PatternAttr
//===----------------------------------------------------------------------===//

LogicalResult PatternAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t a, int64_t b, int64_t c, int64_t d) {
  // C1
  for (auto [name, size] : {std::pair{"a", a}, {"b", b}, {"c", c}, {"d", d}})
    if (size < 1)
      return emitError() << "pattern size " << name << " is " << size
                         << "; expected at least 1";
  // C2
  if (!KSPattern{a, b, c, d}.isValid())
    return emitError() << "pattern <" << a << ", " << b << ", " << c << ", "
                       << d << "> has too many weights to count in 64 bits; "
                       << "expected a*b*c*d below 2^59";
  return success();
}

//===----------------------------------------------------------------------===//
// FeatureOrderAttr
//===----------------------------------------------------------------------===//

LogicalResult
FeatureOrderAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                         int64_t a, int64_t p, int64_t r, int64_t q) {
  // C1
  for (auto [name, size] : {std::pair{"a", a}, {"p", p}, {"r", r}, {"q", q}})
    if (size < 1)
      return emitError() << "feature order " << name << " is " << size
                         << "; expected at least 1";
  if (!KSPattern{a, p, r, q}.isValid())
    return emitError() << "feature order <" << a << ", " << p << ", " << r
                       << ", " << q << "> has too many features to count in 64 "
                       << "bits; expected a*p*r*q below 2^59";
  return success();
}

//===----------------------------------------------------------------------===//
// CPUPackingAttr
//===----------------------------------------------------------------------===//

/// Emits "<what> is <got>; expected <low> to <high>" unless it is.
static LogicalResult verifyRange(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef what, int64_t got, int64_t low,
                                 int64_t high) {
  if (got >= low && got <= high)
    return success();
  return emitError() << what << " is " << got << "; expected " << low << " to "
                     << high;
}

LogicalResult
CPUPackingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       int64_t vectors, int64_t lanes, int64_t n, int64_t j,
                       Ties) {
  // C1
  if (failed(verifyRange(emitError, "packing vectors", vectors, 1, 64)) ||
      failed(verifyRange(emitError, "packing lanes", lanes, 1, 64)) ||
      failed(verifyRange(emitError, "packing n", n, 1, lanes)) ||
      failed(verifyRange(emitError, "packing j", j, 1, lanes)))
    return failure();
  if (n * j > lanes)
    return emitError() << "packing covers n*j = " << n * j << " elements with "
                       << lanes << " lanes; expected n*j <= lanes";
  return success();
}

RankedTensorType CPUPackingAttr::getPackedType(KSPattern p,
                                               Type element) const {
  int64_t size = isa<ComplexType>(element) ? 4 : 1;
  for (int64_t factor :
       {isTied(Ties::A) ? 1 : p.a, isTied(Ties::D) ? 1 : getNumBlocksJ(p),
        getNumBlocksN(p), p.c, getVectors(), getLanes()})
    if (llvm::MulOverflow(size, factor, size))
      return {};
  return RankedTensorType::get({size},
                               getRealType(getAccumulatorType(element)));
}

//===----------------------------------------------------------------------===//
// CPUTileAttr, CPUPlanAttr
//===----------------------------------------------------------------------===//

LogicalResult CPUTileAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t rows, int64_t vectors, int64_t lanes,
                                  int64_t unroll, Stationary,
                                  CPUPackingAttr packing) {
  // C1
  if (failed(verifyRange(emitError, "tile rows", rows, 1, 64)) ||
      failed(verifyRange(emitError, "tile vectors", vectors, 1, 64)) ||
      failed(verifyRange(emitError, "tile lanes", lanes, 1, 64)) ||
      failed(verifyRange(emitError, "tile unroll", unroll, 1, 16)))
    return failure();
  return verifyRange(emitError, "number of accumulators, rows*vectors,",
                     rows * vectors, 1, 64);
}

LogicalResult CPUPlanAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t batchBlock, ParallelDims, bool,
                                  ArrayRef<CPUTileAttr> tiles) {
  // C1
  if (batchBlock < 1)
    return emitError() << "batch_block is " << batchBlock
                       << "; expected at least 1";
  if (tiles.empty())
    return emitError() << "plan has no tiles; expected one per factor";
  return success();
}

PackingAttrInterface CPUPlanAttr::getPacking(unsigned factor) const {
  if (factor >= getTiles().size())
    return {};
  return cast<PackingAttrInterface>(getTiles()[factor].getPacking());
}

/// Checks the tile of factor `index`; the first words of each message are the
/// same so that a user can find the tile.
static LogicalResult verifyTile(ProductOpInterface op, unsigned index,
                                CPUTileAttr tile, const KSPattern &p) {
  auto emit = [&] {
    return op->emitOpError("plan does not fit: tile of factor ")
           << index << " has ";
  };
  CPUPackingAttr packing = tile.getPacking();
  if (packing.getJ() > p.d)
    return emit() << "packing.j = " << packing.getJ()
                  << "; expected at most d = " << p.d;
  if (packing.getBlockN() > p.b)
    return emit() << "packing.vectors*packing.n = " << packing.getBlockN()
                  << "; expected at most b = " << p.b;
  if (p.c % tile.getUnroll() != 0)
    return emit() << "unroll = " << tile.getUnroll()
                  << "; expected a divisor of c = " << p.c;
  if (op.getLayout() == Layout::BatchFirst) {
    if (tile.getVectors() != packing.getVectors() ||
        tile.getLanes() != packing.getLanes())
      return emit() << "vectors x lanes = " << tile.getVectors() << " x "
                    << tile.getLanes() << "; expected those of its packing, "
                    << packing.getVectors() << " x " << packing.getLanes()
                    << ", because the layout is batch_first";
    return success();
  }
  if (packing.getVectors() != 1 || packing.getJ() != 1 ||
      packing.getN() != packing.getLanes() || packing.getN() != tile.getRows())
    return emit() << "packing " << packing << "; expected vectors = 1, j = 1 "
                  << "and n = lanes = rows = " << tile.getRows()
                  << ", because the layout is batch_last";
  return success();
}

LogicalResult CPUPlanAttr::verifyPlan(Operation *operation) const {
  auto op = cast<ProductOpInterface>(operation);
  SmallVector<KSPattern> patterns = op.getPatternList();
  if (failed(ks::detail::verifyNaturalOrder(op)))
    return failure();
  if (getTiles().size() != patterns.size())
    return op->emitOpError("plan does not fit: it has ")
           << getTiles().size() << " tiles; expected one for each of "
           << patterns.size() << " factors";
  if (getStageInput() &&
      (op.getLayout() != Layout::BatchFirst ||
       !bitEnumContainsAny(getParallel(), ParallelDims::Batch)))
    return op->emitOpError(
               "plan does not fit: it stages the input with layout ")
           << stringifyLayout(op.getLayout())
           << " and parallel = " << stringifyParallelDims(getParallel())
           << "; expected layout batch_first and parallel = batch";
  for (auto [index, tile, pattern] : llvm::enumerate(getTiles(), patterns)) {
    if (failed(verifyTile(op, index, tile, pattern)))
      return failure();
    if (tile.getStationary() == Stationary::Activations &&
        bitEnumContainsAny(getParallel(),
                           ParallelDims::Group | ParallelDims::Panel))
      return op->emitOpError("plan does not fit: tile of factor ")
             << index << " keeps activations stationary while groups or panels "
             << "are parallel; expected stationary = weights, or parallel = "
             << "batch";
  }
  return success();
}
