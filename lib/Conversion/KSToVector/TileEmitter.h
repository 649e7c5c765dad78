//===- TileEmitter.h - Register tiles as vector ops -------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One register tile: accumulators are zeroed, run along k, pass through the
// epilogue, are rounded and stored. Batch-first and batch-last differ in which
// operand runs along which axis of the tile; see #ks.cpu_tile.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOVECTOR_TILEEMITTER_H
#define KS_LIB_CONVERSION_KSTOVECTOR_TILEEMITTER_H

#include "../IndexBuilder.h"

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/IR/Builders.h"

namespace ks {

/// A memref of activations, and where the batch begins in it. Complex numbers
/// are seen as pairs of reals.
struct Activations {
  mlir::Value memref;
  mlir::Value batchOffset;
};

/// What a factor's tiles share.
struct FactorContext {
  KSPattern pattern;
  CPUTileAttr tile;
  Layout layout;
  mlir::Type elementType; ///< Complex stays complex here.
  Activations input, output;
  mlir::Value weight; ///< Packed, rank 1.
  /// The epilogue that applies; null unless this is the last factor of an op
  /// that has one.
  mlir::Block *epilogue = nullptr;
  /// Its extra operands, as reals, with the batch offset of rank-2 ones.
  mlir::SmallVector<Activations> extras;

  bool isComplex() const { return mlir::isa<mlir::ComplexType>(elementType); }
  /// Reals per element.
  int64_t getReals() const { return isComplex() ? 2 : 1; }
  mlir::Type getAccumulatorReal() const {
    return getRealType(getAccumulatorType(elementType));
  }
};

/// The corner of a tile; all values of type index.
struct TilePosition {
  mlir::Value i;      ///< Group.
  mlir::Value n0, j0; ///< First row n and column j.
  mlir::Value m;      ///< First entry of the batch.
  mlir::Value panel;  ///< Offset of the panel in the packed weight.
};

/// Emits the tile of `rows` x `vectors` at `position`. If `remaining` is set,
/// only so many entries of the batch are left, and the single vector is masked
/// (batch-last only).
void emitTile(mlir::OpBuilder &b, mlir::Location loc,
              const FactorContext &context, const TilePosition &position,
              int64_t rows, int64_t vectors, mlir::Value remaining = {});

/// Inlines an epilogue on vectors: `args` are the accumulator, then the extra
/// operands. Complex numbers are pairs of neighbouring lanes.
mlir::Value emitVectorEpilogue(mlir::OpBuilder &b, mlir::Location loc,
                               mlir::Block &body, mlir::ValueRange args,
                               bool isComplex);

/// Replaces a `ks.pack_weights` on memrefs, with a #ks.cpu_packing, by loops.
void lowerPackWeights(mlir::RewriterBase &b, PackWeightsOp op);

/// Puts `op`, whose packing is a #ks.library_packing, where no BLAS is there,
/// next to a copy of the plain matrix. It is yet to be lowered.
void lowerLibraryPacking(mlir::RewriterBase &b, PackWeightsOp op);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOVECTOR_TILEEMITTER_H
