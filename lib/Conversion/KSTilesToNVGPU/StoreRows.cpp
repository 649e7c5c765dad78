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
// to other blocks, too: of them narrower pieces are stored.
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
  using Load = function_ref<SmallVector<Value>(ValueRange at, int64_t count)>;
  /// `load` is of the staging.
  RowStore(OpBuilder &b, StoreRowsOp op, Value lane, Load load)
      : b(b), loc(op.getLoc()), index(b, loc), op(op), load(load),
        fragment(b, op, lane), p(op.getPattern().getPattern()),
        parts(fragment.getMap().getParts()),
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
    batch = fragment.getBatch();
  }

  /// Pieces of 16 bytes of a row that begins anywhere.
  int64_t getPiecesOfRow() {
    return llvm::divideCeil(
        static_cast<int64_t>(op.getRows()) * p.d * parts + width - 1, width);
  }
  void stage();
  /// Piece `number` of those of all rows, if it is whole; or if not, what of it
  /// is inside, element by element.
  void storeWhole(Value number);
  void storeElements(Value number);
  /// What is not whole of row `number` div 2, at its beginning or its end.
  void storeEnd(Value number);

private:
  /// A row of the staging: what is of the result is [begin, end), and `address`
  /// is that of element 0.
  struct Row {
    Value number, entry, begin, end, address, isThere;
  };
  Row getRow(Value number);
  void store(const Row &row, Value column, int64_t count, Value condition);
  Value getShift(Value entry) {
    return ks::getShift(index, firstElement, entry, pitch, bytes);
  }

  OpBuilder &b;
  Location loc;
  IndexBuilder index;
  StoreRowsOp op;
  Load load;
  ResultStore fragment;
  KSPattern p;
  int64_t parts, bytes, width;
  Value pitch, address; ///< Of rows, in reals; where the result begins.
  Value firstElement;   ///< Of the block in a row of the result.
  Value batch;
};
} // namespace

/// Puts what the lane holds into the staging.
void RowStore::stage() {
  for (const ResultPiece &piece : fragment.getMap().getPieces()) {
    SmallVector<Value> elements = fragment.getElements(piece);
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

RowStore::Row RowStore::getRow(Value number) {
  Row row;
  row.number = number;
  row.entry = index.add(op.getFirstM(), number);
  row.begin = getShift(row.entry);
  Value rows = index.min(index.sub(index.constant(p.b), op.getFirstN()),
                         static_cast<int64_t>(op.getRows()));
  row.end = index.add(row.begin, index.mul(rows, p.d * parts));
  Value element = index.add(index.mul(row.entry, pitch),
                            index.sub(firstElement, row.begin));
  row.address = index.add(address, index.mul(element, bytes));
  row.isThere = index.less(row.entry, batch);
  return row;
}

/// Stores `count` elements from `column` of a row, if `condition` holds.
void RowStore::store(const Row &row, Value column, int64_t count,
                     Value condition) {
  auto branch = scf::IfOp::create(b, loc, condition, /*else=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  SmallVector<Value> elements = load(ValueRange{row.number, column}, count);
  Value place = arith::IndexCastOp::create(
      b, loc, b.getI64Type(), index.add(row.address, index.mul(column, bytes)));
  Value pointer = LLVM::IntToPtrOp::create(
      b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace), place);
  storePredicated(b, loc, /*condition=*/Value(), elements, pointer, 0);
}

void RowStore::storeWhole(Value number) {
  Row row = getRow(index.div(number, getPiecesOfRow()));
  Value column = index.mul(index.rem(number, getPiecesOfRow()), width);
  Value isWhole = index.both(index.less(row.begin, index.add(column, 1)),
                             index.less(index.add(column, width - 1), row.end));
  store(row, column, width, index.both(isWhole, row.isThere));
}

void RowStore::storeElements(Value number) {
  int64_t elements = getPiecesOfRow() * width;
  Row row = getRow(index.div(number, elements));
  Value column = index.rem(number, elements);
  Value isInside = index.both(index.less(row.begin, index.add(column, 1)),
                              index.less(column, row.end));
  store(row, column, 1, index.both(isInside, row.isThere));
}

void RowStore::storeEnd(Value number) {
  Row row = getRow(index.div(number, 2));
  Value isFirst = index.less(index.rem(number, 2), 1);
  // [from, to): of the first piece, or of the last one if that is another.
  Value lastPiece = index.mul(index.div(row.end, width), width);
  Value hasLast = index.less(index.constant(0), lastPiece);
  Value firstEnd = index.min(row.end, width);
  Value isCut = b.createOrFold<arith::OrIOp>(
      loc, index.less(index.constant(0), row.begin),
      index.less(row.end, width));
  firstEnd = index.select(isCut, firstEnd, row.begin);
  Value from = index.select(isFirst, row.begin, lastPiece);
  Value to = index.select(isFirst, firstEnd,
                          index.select(hasLast, row.end, lastPiece));
  // Accesses that begin at multiples of their widths: wider ones as far as
  // that goes, then narrower ones.
  SmallVector<std::pair<int64_t, bool>> accesses;
  for (int64_t count = 1; count < width; count *= 2)
    accesses.push_back({count, true});
  for (int64_t count = width / 2; count >= 1; count /= 2)
    accesses.push_back({count, false});
  for (auto [count, isRising] : accesses) {
    Value isNext = index.less(index.add(from, count - 1), to);
    if (isRising) // only what makes it a multiple of twice that
      isNext =
          index.both(isNext, index.less(index.constant(0),
                                        index.rem(index.div(from, count), 2)));
    store(row, from, count, index.both(isNext, row.isThere));
    from = index.select(isNext, index.add(from, count), from);
  }
}

void TileExpander::expand(StoreRowsOp op) {
  Value isWide = beginsAligned(op.getDestination(), kWidestBytes);
  auto load = [&](ValueRange at, int64_t count) {
    return loadElements(op.getStaging(), at, count, count);
  };
  RowStore store(b, op, lane, load);
  auto threads = static_cast<int64_t>(op.getThreads());
  int64_t entries = op.getStaging().getType().getDimSize(0);
  int64_t pieces = entries * store.getPiecesOfRow();
  int64_t width = kWidestBytes / getElementBytes(op.getDestination());
  store.stage();
  gpu::BarrierOp::create(b, loc);
  ifElse(
      isWide,
      [&] {
        forEachPiece(
            pieces, threads, [&](Value number) { store.storeWhole(number); },
            /*maxUnrolled=*/2);
        forEachPiece(
            2 * entries, threads, [&](Value number) { store.storeEnd(number); },
            /*maxUnrolled=*/2);
      },
      [&] {
        forEachPiece(
            pieces * width, threads,
            [&](Value number) { store.storeElements(number); },
            /*maxUnrolled=*/2);
      });
  b.eraseOp(op);
}
