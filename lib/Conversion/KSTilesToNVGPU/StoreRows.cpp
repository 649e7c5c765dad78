//===- StoreRows.cpp - Results as whole rows of a block -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where rows of the result begin anywhere, lanes could store single elements
// only. So a block puts what it has of each entry, [n][d], together in shared
// memory, at the distance from a multiple of 16 bytes that it has in memory,
// and stores pieces of 16 bytes from there. Those at the ends of a row belong
// to other blocks, too, and are stored element by element.
//
//===----------------------------------------------------------------------===//

#include "Results.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ks;

namespace {
class RowStore {
public:
  RowStore(OpBuilder &b, StoreRowsOp op, Value lane)
      : b(b), loc(op.getLoc()), index(b, loc), op(op), store(b, op, lane),
        p(op.getPattern().getPattern()), parts(store.getMap().getParts()),
        bytes(getElementBytes(op.getDestination())),
        width(kWidestBytes / bytes) {
    auto metadata =
        memref::ExtractStridedMetadataOp::create(b, loc, op.getDestination());
    pitch = metadata.getStrides()[0];
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(
        b, loc, op.getDestination());
    address = index.add(start, index.mul(metadata.getOffset(), bytes));
    Value n = index.add(index.mul(op.getI(), p.b), op.getFirstN());
    firstElement = index.mul(n, p.d * parts);
    batch = store.getBatch();
  }

  /// Pieces of 16 bytes of a row that begins anywhere.
  int64_t getPiecesOfRow() {
    return llvm::divideCeil(
        static_cast<int64_t>(op.getRows()) * p.d * parts + width - 1, width);
  }
  void stage();
  /// Piece `number` of the block's, from `elements` of the staging.
  std::pair<Value, Value> getPlace(Value number);
  void storePiece(Value number, ArrayRef<Value> elements, Value isWide);

private:
  Value getShift(Value entry) {
    return ks::getShift(index, firstElement, entry, pitch, bytes);
  }

  OpBuilder &b;
  Location loc;
  IndexBuilder index;
  StoreRowsOp op;
  ResultStore store;
  KSPattern p;
  int64_t parts, bytes, width;
  Value pitch, address; ///< Of rows, in reals; where the result begins.
  Value firstElement;   ///< Of the block in a row of the result.
  Value batch;
};
} // namespace

/// Puts what the lane holds into the staging.
void RowStore::stage() {
  for (const ResultPiece &piece : store.getMap().getPieces()) {
    SmallVector<Value> elements = store.getElements(piece);
    Value row = index.sub(piece.entry.base, op.getFirstM());
    // What pieces share comes first.
    Value n = index.sub(piece.n.base, op.getFirstN());
    Value column =
        index.add(getShift(piece.entry.base),
                  index.mul(index.add(index.mul(n, p.d), piece.j.base), parts));
    for (auto [number, element] : llvm::enumerate(elements)) {
      auto at = static_cast<int64_t>(number);
      int64_t ofRow = piece.columns * parts;
      int64_t offset = (piece.n.offset + at / ofRow) * p.d * parts +
                       piece.j.offset * parts + at % ofRow;
      memref::StoreOp::create(
          b, loc, element, op.getStaging(),
          ValueRange{row, withOffset(index, column, offset)});
    }
  }
}

std::pair<Value, Value> RowStore::getPlace(Value number) {
  Value row = index.div(number, getPiecesOfRow());
  return {row, index.mul(index.rem(number, getPiecesOfRow()), width)};
}

void RowStore::storePiece(Value number, ArrayRef<Value> elements,
                          Value isWide) {
  auto [row, column] = getPlace(number);
  Value entry = index.add(op.getFirstM(), row);
  Value shift = getShift(entry);
  // Of the row, in the staging: [shift, end).
  Value rows = index.min(index.sub(index.constant(p.b), op.getFirstN()),
                         static_cast<int64_t>(op.getRows()));
  Value end = index.add(shift, index.mul(rows, p.d * parts));
  Value isThere = index.less(entry, batch);
  Value isWhole = index.both(index.less(shift, index.add(column, 1)),
                             index.less(index.add(column, width - 1), end));
  isWhole = index.both(isWhole, isWide);
  Value element = index.add(index.sub(firstElement, shift), column);
  Value place = index.add(
      address, index.mul(index.add(index.mul(entry, pitch), element), bytes));
  Value asInteger = arith::IndexCastOp::create(b, loc, b.getI64Type(), place);
  Value pointer = LLVM::IntToPtrOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace),
      asInteger);
  auto branch = scf::IfOp::create(b, loc, isWhole, /*else=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  storePredicated(b, loc, isThere, elements, pointer, 0);
  b.setInsertionPointToStart(branch.elseBlock());
  for (auto [number, value] : llvm::enumerate(elements)) {
    auto at = static_cast<int64_t>(number);
    Value position = withOffset(index, column, at);
    Value isInside = index.both(index.less(shift, index.add(position, 1)),
                                index.both(index.less(position, end), isThere));
    storePredicated(b, loc, isInside, value, pointer, at * bytes);
  }
}

void TileExpander::expand(StoreRowsOp op) {
  Value isWide = beginsAligned(op.getDestination(), kWidestBytes);
  RowStore store(b, op, lane);
  int64_t width = kWidestBytes / getElementBytes(op.getDestination());
  int64_t entries = op.getStaging().getType().getDimSize(0);
  store.stage();
  gpu::BarrierOp::create(b, loc);
  forEachPiece(entries * store.getPiecesOfRow(),
               static_cast<int64_t>(op.getThreads()), [&](Value number) {
                 auto [row, column] = store.getPlace(number);
                 store.storePiece(
                     number,
                     loadElements(op.getStaging(), {row, column}, width, width),
                     isWide);
               });
  b.eraseOp(op);
}
