//===- TileExpander.h - Expansion of tile ops -------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTILESTONVGPU_TILEEXPANDER_H
#define KS_LIB_CONVERSION_KSTILESTONVGPU_TILEEXPANDER_H

#include "../IndexBuilder.h"

#include "ks/Dialect/KS/IR/KS.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"

namespace ks {

/// Expands the tile ops of one kernel, one after another.
class TileExpander {
public:
  TileExpander(mlir::RewriterBase &b, mlir::gpu::GPUFuncOp kernel);

  void expand(CopyActivationsOp op);
  void expand(CopyWeightsOp op);
  void expand(BulkCopyActivationsOp op);
  void expand(BulkCopyWeightsOp op);
  void expand(ArriveInClusterOp op);
  void expand(LoadWeightsOp op);
  void expand(LoadAtomsOp op);
  void expand(LoadActivationsOp op);
  void expand(WarpMmaOp op);
  void expand(JoinPartsOp op);
  void expand(StorePartialsOp op);
  void expand(AddPartialsOp op);
  void expand(WarpgroupMmaOp op);
  void expand(WarpgroupMmaRegistersOp op);
  void expand(WarpgroupMmaPlanesOp op);
  void expand(WarpgroupWaitOp op);
  void expand(ExchangeEntriesOp op);
  void expand(InterleaveColumnsOp op);
  void expand(LoadFragmentOp op);
  void expand(StoreFragmentOp op);
  void expand(StoreLinesOp op);
  void expand(StoreIntermediateOp op);
  void expand(StorePlanesOp op);
  void expand(StoreRowsOp op);
  void expand(CopyRowsOp op);
  // What else has fragments, in Registers.cpp.
  void expand(mlir::arith::ConstantOp op);
  void expand(mlir::arith::TruncFOp op);
  void expand(mlir::arith::ExtFOp op);
  void expand(mlir::scf::ForOp op);
  void expand(mlir::scf::YieldOp op);
  void expand(mlir::vector::ExtractOp op);
  /// Of all innermost vectors, at an offset along the first dimension.
  void expand(mlir::vector::InsertStridedSliceOp op);
  /// Between fragments and the flat vectors of epilogues.
  void expand(mlir::vector::ShapeCastOp op);
  /// Afterwards: fragments that other ops take are put together for them.
  void finish();

private:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  /// Calls `body` with 0 ≤ piece < count, shared out to the block's threads.
  /// Up to `maxUnrolled` rounds are written out, so that addresses are shared,
  /// which takes registers.
  void forEachPiece(int64_t count, int64_t threads,
                    llvm::function_ref<void(Value)> body,
                    int64_t maxUnrolled = 16);
  /// Whether pointer and row pitch of `memref`, an argument of the kernel or a
  /// view of one, are multiples of `bytes`. Computed at the kernel's beginning.
  Value isAligned(Value memref, int64_t bytes);
  /// The same of the pointer alone.
  Value beginsAligned(Value memref, int64_t bytes);
  /// If `condition` (always if null), `yes`, else `no`.
  void ifElse(Value condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no);
  Value testAlignment(Value memref, int64_t bytes, bool withPitch);
  void copyPieces(CopyActivationsOp op, int64_t width);
  void copyShiftedRows(CopyActivationsOp op);
  void copyElements(CopyActivationsOp op);
  void copyConverted(CopyActivationsOp op, int64_t width);
  void copyBoxes(BulkCopyActivationsOp op);
  void copyAtomElements(BulkCopyActivationsOp op);
  /// Pointers for ops that take no memrefs.
  Value getPointer(Value memref, Value byteOffset, unsigned space);
  Value getBarrier(Value barriers, Value barrier);
  /// Where the copy engine put byte `offset` of an atom.
  Value swizzleBytes(Value offset, int64_t swizzle);

  /// `count` elements from `memref`, at least `width` at a time.
  llvm::SmallVector<Value> loadElements(Value memref, ValueRange indices,
                                        int64_t count, int64_t width);
  /// The same from anywhere in a row, of 2-byte elements, by words.
  llvm::SmallVector<Value> loadShifted(Value memref, ValueRange indices,
                                       int64_t count);
  llvm::SmallVector<Value> loadRowsOfK(LoadAtomsOp op);
  /// The innermost vectors of a fragment of `type`, from their elements.
  llvm::SmallVector<Value>
  gather(mlir::VectorType type,
         llvm::ArrayRef<llvm::SmallVector<Value>> fragment);
  /// The counterpart of loadElements.
  void storeElements(llvm::ArrayRef<Value> elements, Value memref,
                     ValueRange indices, int64_t width);
  /// The same conversion of each of the innermost vectors.
  template <typename Op> void expandConversion(Op op);
  /// A fragment, from its innermost vectors.
  Value assemble(mlir::VectorType type, ValueRange vectors);
  /// The elements of fragments among `values`, and the others as they are.
  llvm::SmallVector<Value> splitFragments(ValueRange values);

  mlir::RewriterBase &b;
  mlir::gpu::GPUFuncOp kernel;
  mlir::Location loc;
  IndexBuilder index;
  Value thread, lane; ///< In the block; in the warp.
  llvm::DenseMap<std::pair<Value, int64_t>, Value> aligned, beginning;
  llvm::SmallVector<mlir::UnrealizedConversionCastOp> fragments;
};

/// Address spaces of NVPTX.
constexpr unsigned kGlobalSpace = 1, kSharedSpace = 3, kSharedClusterSpace = 7;

/// 16 bytes: the widest access.
constexpr int64_t kWidestBytes = 16;

/// The largest power of two that divides all of `numbers` (0 counts as
/// divisible by all) and is at most `limit`.
int64_t getCommonPowerOfTwo(int64_t limit, llvm::ArrayRef<int64_t> numbers);

/// Where row `row` of an array begins behind a multiple of 16 bytes, in its
/// elements, if the array begins at one, and the row at `first` + row · pitch.
mlir::Value getShift(IndexBuilder &index, mlir::Value first, mlir::Value row,
                     mlir::Value pitch, int64_t elementBytes);

/// Position of the lane along n, k and m; see FragmentLayout.
inline mlir::Value getLaneN(IndexBuilder &index, FragmentLayout layout,
                            mlir::Value lane) {
  return layout.isWeightsFirst() ? index.div(lane, 4) : index.rem(lane, 4);
}
inline mlir::Value getLaneK(IndexBuilder &index, FragmentLayout layout,
                            mlir::Value lane) {
  return layout.isMma() ? index.rem(lane, 4) : index.constant(0);
}
inline mlir::Value getLaneM(IndexBuilder &index, mlir::Value lane) {
  return index.div(lane, 4);
}

/// value + offset.
inline mlir::Value withOffset(IndexBuilder &index, mlir::Value value,
                              int64_t offset) {
  return offset == 0 ? value : index.add(value, offset);
}

/// Whether a vector of `columns` elements is as wide as an access; see
/// FragmentLayout::vectorOf.
inline bool isWideVector(int64_t columns, int64_t elementBytes) {
  return columns * elementBytes >= kWidestBytes;
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// The innermost vectors of a fragment, in row-major order.
llvm::SmallVector<mlir::Value>
getVectors(mlir::OpBuilder &b, mlir::Location loc, mlir::Value fragment);
/// Those of a fragment of `type`, from all of its elements.
llvm::SmallVector<mlir::Value> makeVectors(mlir::OpBuilder &b,
                                           mlir::Location loc,
                                           mlir::VectorType type,
                                           mlir::ValueRange elements);
/// One of them.
mlir::Value getVector(mlir::OpBuilder &b, mlir::Location loc,
                      mlir::Value fragment, llvm::ArrayRef<int64_t> at);

/// An element of a vector with one dimension; all of them.
mlir::Value getElement(mlir::OpBuilder &b, mlir::Location loc,
                       mlir::Value vector, int64_t at);
llvm::SmallVector<mlir::Value>
getElements(mlir::OpBuilder &b, mlir::Location loc, mlir::Value vector);
/// Two neighbours of a vector, as a vector.
mlir::Value getPair(mlir::OpBuilder &b, mlir::Location loc, mlir::Value vector,
                    int64_t first);

/// Bytes of an element of `memref`.
int64_t getElementBytes(mlir::Value memref);

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTILESTONVGPU_TILEEXPANDER_H
