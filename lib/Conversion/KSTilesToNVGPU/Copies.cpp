//===- Copies.cpp - Copies to shared memory -------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block's threads share out the pieces of a slab, piece p to thread p mod
// threads. A piece is what one cp.async takes, 16, 8 or 4 bytes that are
// neighbours in memory and lie entirely inside or outside of the pattern; where
// there is none, or pointers do not allow it, single elements go through
// registers, and so do pieces whose elements are converted. Pieces of rows that
// are shifted are of 16 bytes wherever the row
// begins: those at its ends hold neighbours, or zeros.
//
//===----------------------------------------------------------------------===//

#include "../Scalars.h"
#include "TileExpander.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

void TileExpander::forEachPiece(int64_t count, int64_t threads,
                                function_ref<void(Value)> body,
                                int64_t maxUnrolled) {
  int64_t rounds = llvm::divideCeil(count, threads);
  if (rounds > maxUnrolled) {
    auto loop = scf::ForOp::create(b, loc, thread, index.constant(count),
                                   index.constant(threads));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    return body(loop.getInductionVar());
  }
  for (int64_t round = 0; round < rounds; ++round) {
    Value piece = index.add(thread, round * threads);
    if ((round + 1) * threads <= count) {
      body(piece);
      continue;
    }
    auto isThere =
        scf::IfOp::create(b, loc, index.less(piece, count), /*else=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(isThere.thenBlock());
    body(piece);
  }
}

namespace {
/// Elements of a slab that are neighbours: where they come from and go to, and
/// how many of them there are to read; the others become zero. Null: all.
struct SlabPiece {
  SmallVector<Value> source, destination;
  Value available;
};

/// The maps of ks.copy_activations, in reals.
class SlabMap {
public:
  SlabMap(OpBuilder &b, CopyActivationsOp op)
      : index(b, op.getLoc()), op(op), p(op.getPattern().getPattern()),
        isBatchFirst(op.getLayout() == Layout::BatchFirst),
        slab(static_cast<int64_t>(op.getSlab())),
        depth(static_cast<int64_t>(op.getDepth())),
        width(static_cast<int64_t>(op.getWidth())),
        parts(static_cast<int64_t>(op.getParts())), isFlat(slab == p.d) {
    // Batch-last, the axis of the batch is the one of reals.
    batch = memref::DimOp::create(b, op.getLoc(), op.getSource(),
                                  isBatchFirst ? 0 : 1);
    if (!isBatchFirst)
      batch = index.div(batch, parts);
    if (op.getShifted())
      pitch = memref::ExtractStridedMetadataOp::create(b, op.getLoc(),
                                                       op.getSource())
                  .getStrides()[0];
  }

  /// The widest piece that never lies half inside of the pattern, and begins at
  /// a multiple of its size.
  int64_t getWidth() {
    int64_t limit =
        kWidestBytes / std::max(getElementBytes(op.getSource()),
                                getElementBytes(op.getDestination()));
    if (!isBatchFirst)
      return getCommonPowerOfTwo(limit, {width});
    if (isFlat)
      return getCommonPowerOfTwo(limit, {p.c * p.d * parts, width});
    return getCommonPowerOfTwo(limit, {p.d * parts, slab * parts});
  }

  /// Piece number `number` of a shifted row, of 16 bytes. There is nothing to
  /// read before an array that begins at a multiple of them.
  SlabPiece getShiftedPiece(Value number) {
    int64_t size = kWidestBytes / getElementBytes(op.getSource());
    int64_t pieces = width / size + 1;
    Value row = index.div(number, pieces);
    Value column = index.mul(index.rem(number, pieces), size);
    SlabPiece piece;
    Value entry = getEntry(row), shift = getShift(entry);
    Value first = index.mul(getGroup(op.getK()), p.d * parts);
    piece.source = {entry, index.add(index.sub(first, shift), column)};
    piece.destination = {op.getStage(), row, column};
    Value end =
        index.mul(index.sub(index.constant(p.c), op.getK()), p.d * parts);
    Value left = index.sub(index.add(end, shift), column);
    piece.available = index.max(index.min(left, size), 0);
    return piece;
  }

  /// Where the row of an entry begins.
  Value getShift(Value entry) {
    return ks::getShift(index, index.mul(op.getI(), p.c * p.d * parts), entry,
                        pitch, getElementBytes(op.getDestination()));
  }

  /// Piece number `piece` of `width` reals.
  SlabPiece getPiece(Value piece, int64_t size) {
    Value row = index.div(piece, width / size);
    Value column = index.mul(index.rem(piece, width / size), size);
    SlabPiece result;
    Value left = !isBatchFirst ? mapBatchLast(row, column, result)
                 : isFlat      ? mapFlat(row, column, result)
                               : mapStrided(row, column, result);
    result.destination = {op.getStage(), row, column};
    if (left)
      result.available = index.max(index.min(left, size), 0);
    return result;
  }

private:
  // Each sets the source, and returns how many reals there are from there to
  // the end of what is inside.
  Value mapFlat(Value row, Value column, SlabPiece &piece) {
    int64_t d = p.d * parts;
    Value k = op.getK();
    piece.source = {getEntry(row),
                    index.add(index.mul(getGroup(k), d), column)};
    if (p.c % depth == 0)
      return {};
    return index.sub(index.mul(index.sub(index.constant(p.c), k), d), column);
  }
  Value mapStrided(Value row, Value column, SlabPiece &piece) {
    int64_t d = p.d * parts, columns = slab * parts;
    Value k = index.add(op.getK(), index.div(column, columns));
    Value j =
        index.add(index.mul(op.getJ(), parts), index.rem(column, columns));
    piece.source = {getEntry(row), index.add(index.mul(getGroup(k), d), j)};
    Value left = p.d % slab == 0 ? Value() : index.sub(index.constant(d), j);
    return onlyBelowC(k, left ? left : index.constant(columns), bool(left));
  }
  Value mapBatchLast(Value row, Value column, SlabPiece &piece) {
    Value k = index.add(op.getK(), row);
    Value m = index.add(index.mul(op.getM(), parts), column);
    piece.source = {index.add(index.mul(getGroup(k), p.d), op.getJ()), m};
    return onlyBelowC(k, index.sub(index.mul(batch, parts), m), true);
  }

  /// `left` for k < c, else 0; null if that is certain and `isNeeded` is not.
  Value onlyBelowC(Value k, Value left, bool isNeeded) {
    if (p.c % depth == 0)
      return isNeeded ? left : Value();
    return index.select(index.less(k, p.c), left, index.constant(0));
  }
  Value getGroup(Value k) { return index.add(index.mul(op.getI(), p.c), k); }
  /// Entries beyond the batch repeat the last one; they are not stored.
  Value getEntry(Value row) {
    return index.min(index.add(op.getM(), row), index.add(batch, -1));
  }

  IndexBuilder index;
  CopyActivationsOp op;
  KSPattern p;
  bool isBatchFirst;
  int64_t slab, depth, width, parts;
  bool isFlat; ///< Rows of the slab are contiguous in memory.
  Value batch, pitch;
};
} // namespace

/// What `load` makes, of `type`, if anything is `available` (null: all of it
/// is); else zero.
static Value createIfThere(OpBuilder &b, Location loc, Type type,
                           Value available, function_ref<Value()> load) {
  if (!available)
    return load();
  IndexBuilder index(b, loc);
  auto isThere =
      scf::IfOp::create(b, loc, type, index.less(index.constant(0), available),
                        /*else=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(isThere.thenBlock());
  scf::YieldOp::create(b, loc, load());
  b.setInsertionPointToStart(isThere.elseBlock());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  scf::YieldOp::create(b, loc, zero);
  return isThere.getResult(0);
}

static void createAsyncCopy(OpBuilder &b, Location loc, Value source,
                            ValueRange sourceIndices, Value destination,
                            ValueRange destinationIndices, int64_t width,
                            Value available = {}) {
  bool isWidest = width * getElementBytes(source) == kWidestBytes;
  nvgpu::DeviceAsyncCopyOp::create(
      b, loc, nvgpu::DeviceAsyncTokenType::get(b.getContext()), destination,
      destinationIndices, source, sourceIndices, b.getIndexAttr(width),
      available, isWidest ? b.getUnitAttr() : UnitAttr());
}

void TileExpander::copyPieces(CopyActivationsOp op, int64_t width) {
  SlabMap map(b, op);
  forEachPiece(op.getRows() * op.getWidth() / width, op.getThreads(),
               [&](Value number) {
                 SlabPiece piece = map.getPiece(number, width);
                 createAsyncCopy(b, loc, op.getSource(), piece.source,
                                 op.getDestination(), piece.destination, width,
                                 piece.available);
               });
}

void TileExpander::copyShiftedRows(CopyActivationsOp op) {
  SlabMap map(b, op);
  int64_t width = kWidestBytes / getElementBytes(op.getSource());
  int64_t pieces = op.getRows() * (op.getWidth() / width + 1);
  forEachPiece(
      pieces, op.getThreads(),
      [&](Value number) {
        SlabPiece piece = map.getShiftedPiece(number);
        createAsyncCopy(b, loc, op.getSource(), piece.source,
                        op.getDestination(), piece.destination, width,
                        piece.available);
      },
      /*maxUnrolled=*/2);
}

void TileExpander::copyElements(CopyActivationsOp op) {
  SlabMap map(b, op);
  Type type = getElementTypeOrSelf(op.getSource().getType());
  auto loop = scf::ForOp::create(b, loc, thread,
                                 index.constant(op.getRows() * op.getWidth()),
                                 index.constant(op.getThreads()));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SlabPiece element = map.getPiece(loop.getInductionVar(), 1);
  if (op.getShifted())
    element.destination[2] =
        index.add(map.getShift(element.destination[1]), element.destination[2]);
  Value value = createIfThere(b, loc, type, element.available, [&]() -> Value {
    return memref::LoadOp::create(b, loc, op.getSource(), element.source);
  });
  value = createRounded(b, loc, value,
                        getElementTypeOrSelf(op.getDestination().getType()));
  memref::StoreOp::create(b, loc, value, op.getDestination(),
                          element.destination);
}

/// Pieces of rows, batch-first, which are inside of the pattern or outside as
/// wholes: loads of `width` elements, and stores of as many.
void TileExpander::copyConverted(CopyActivationsOp op, int64_t width) {
  SlabMap map(b, op);
  Type real = getElementTypeOrSelf(op.getDestination().getType());
  auto type = VectorType::get(width, real);
  auto loadedType =
      VectorType::get(width, getElementTypeOrSelf(op.getSource().getType()));
  forEachPiece(
      op.getRows() * op.getWidth() / width, op.getThreads(),
      [&](Value number) {
        SlabPiece piece = map.getPiece(number, width);
        Value value = createIfThere(b, loc, type, piece.available, [&] {
          Value loaded = vector::LoadOp::create(
              b, loc, loadedType, op.getSource(), piece.source,
              /*nontemporal=*/false,
              llvm::MaybeAlign(width * getElementBytes(op.getSource())));
          return createRounded(b, loc, loaded, type);
        });
        vector::StoreOp::create(
            b, loc, value, op.getDestination(), piece.destination,
            /*nontemporal=*/false,
            llvm::MaybeAlign(width * getElementBytes(op.getDestination())));
      },
      /*maxUnrolled=*/4);
}

void TileExpander::expand(CopyActivationsOp op) {
  constexpr int64_t kNarrowestBytes = 4; // of cp.async
  bool isConverted = getElementTypeOrSelf(op.getSource().getType()) !=
                     getElementTypeOrSelf(op.getDestination().getType());
  if (op.getShifted() && !isConverted) {
    ifElse(
        beginsAligned(op.getSource(), kWidestBytes),
        [&] { copyShiftedRows(op); }, [&] { copyElements(op); });
    return b.eraseOp(op);
  }
  int64_t width = SlabMap(b, op).getWidth();
  int64_t bytes = width * getElementBytes(op.getSource());
  // What is converted has no zeros filled in: batch-last, a piece may be partly
  // behind the batch.
  bool hasPieces = isConverted ? width > 1 && !op.getShifted() &&
                                     op.getLayout() == Layout::BatchFirst
                               : bytes >= kNarrowestBytes;
  if (!hasPieces)
    copyElements(op);
  else
    ifElse(
        isAligned(op.getSource(), bytes),
        [&] { isConverted ? copyConverted(op, width) : copyPieces(op, width); },
        [&] { copyElements(op); });
  b.eraseOp(op);
}

void TileExpander::expand(CopyWeightsOp op) {
  // Packed weights are the compiler's own: aligned, without edges.
  auto type = cast<MemRefType>(op.getDestination().getType());
  ArrayRef<int64_t> shape = type.getShape().drop_front();
  int64_t width = kWidestBytes / getElementBytes(op.getSource());
  int64_t count = ShapedType::getNumElements(shape);
  forEachPiece(count / width, op.getThreads(), [&](Value piece) {
    Value element = index.mul(piece, width);
    SmallVector<Value> destination = index.delinearize(element, shape);
    destination.insert(destination.begin(), op.getStage());
    createAsyncCopy(b, loc, op.getSource(), index.add(op.getOffset(), element),
                    op.getDestination(), destination, width);
  });
  b.eraseOp(op);
}
