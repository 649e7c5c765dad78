//===- StoreLines.cpp - Results in whole lines ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes hold results in pieces of a few bytes, and what lanes of a warp store
// at a time is spread over many lines of memory, each of which takes its time.
// So pieces are put together in shared memory first.
//
//===----------------------------------------------------------------------===//

#include "Results.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ks;

namespace {
/// Results pass through shared memory a *round* at a time: `rowsN` rows n of 16
/// entries. An entry's elements are stored in units of 16 bytes, by consecutive
/// threads of the warps that take part.
class LineStore {
public:
  LineStore(OpBuilder &b, StoreLinesOp op, Value lane)
      : b(b), loc(op.getLoc()), index(b, loc), op(op), lane(lane),
        store(b, op, lane), p(op.getPattern().getPattern()),
        layout(op.getFragments().getLayout()), type(op.getFragment().getType()),
        vector(type.getDimSize(0)), warps(static_cast<int64_t>(op.getWarps())),
        slab(vector * warps),
        width(kWidestBytes / getElementBytes(op.getDestination())),
        unit(layout.lanesN() * layout.runN),
        rowsN((getStaging().getDimSize(3) - width) / slab) {}

  using Put = function_ref<void(ArrayRef<Value>, ValueRange, int64_t)>;
  using Get = function_ref<SmallVector<Value>(ValueRange)>;
  void storeLines(Put put, Get get);
  void storeSingly() { store.storeSingly(); }

private:
  MemRefType getStaging() {
    return cast<MemRefType>(op.getStaging().getType());
  }
  int64_t getUnitsOfRow() const { return rowsN * slab / width; }
  /// What this thread stores in a round.
  struct Unit {
    Value number;       ///< In the round's staging, of the first row.
    int64_t entry;      ///< How many rows below that.
    Value address;      ///< In the result, of the first round and row.
    Value entriesLeft;  ///< Stored if there are more than `entry`;
    Value elementsLeft; ///< and more than are behind the first round;
    Value isThere;      ///< and (if not null) always.
  };
  SmallVector<Unit> getUnits();
  Unit getUnit(Value number, Value isThere);
  void stage(ArrayRef<ResultPiece> pieces, Value buffer, Put put);
  void storeRound(ArrayRef<Unit> units, int64_t firstEntry, int64_t firstN,
                  Value buffer, Get get);
  void synchronize();

  OpBuilder &b;
  Location loc;
  IndexBuilder index;
  StoreLinesOp op;
  Value lane;
  ResultStore store;
  KSPattern p;
  FragmentLayout layout;
  VectorType type;
  int64_t vector, warps, slab, width, unit, rowsN;
};
} // namespace

constexpr int64_t kEntries = 2 * FragmentLayout::tileEntries;

/// The warps that put rows together.
void LineStore::synchronize() {
  if (warps == 1) {
    NVVM::SyncWarpOp::create(b, loc,
                             arith::ConstantIntOp::create(b, loc, -1, 32));
    return;
  }
  // Barrier 0 is that of the block.
  auto toI32 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, loc, b.getI32Type(), value);
  };
  NVVM::BarrierOp::create(b, loc, TypeRange(),
                          toI32(index.add(op.getGroup(), 1)),
                          toI32(index.constant(warps * FragmentLayout::lanes)),
                          NVVM::BarrierReductionAttr(), Value());
}

LineStore::Unit LineStore::getUnit(Value number, Value isThere) {
  Value memref = op.getDestination();
  int64_t bytes = getElementBytes(memref);
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value start = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  Value entry = index.add(op.getM(), index.div(number, getUnitsOfRow()));
  Value firstJ = index.sub(op.getJ(), index.mul(op.getPart(), vector));
  Value n = op.getN(), j = firstJ;
  Value element = index.mul(index.rem(number, getUnitsOfRow()), width);
  // Of all j, elements follow each other; else each n has a few.
  Value left;
  if (slab == p.d) {
    left = index.sub(index.sub(index.constant(p.b * p.d), index.mul(n, p.d)),
                     element);
    j = element;
  } else {
    n = index.add(n, index.div(element, slab));
    j = index.add(j, index.rem(element, slab));
    left = index.mul(index.sub(index.constant(p.b), n), p.d);
    if (p.d % slab != 0)
      left = index.select(index.less(j, p.d), left, index.constant(0));
  }
  Value offset = index.add(metadata.getOffset(),
                           index.add(index.mul(entry, metadata.getStrides()[0]),
                                     store.getMap().getFeature(n, j)));
  return {number,
          0,
          index.add(start, index.mul(offset, bytes)),
          index.sub(store.getBatch(), entry),
          left,
          isThere};
}

SmallVector<LineStore::Unit> LineStore::getUnits() {
  int64_t threads = warps * FragmentLayout::lanes;
  int64_t units = kEntries * getUnitsOfRow();
  Value thread =
      index.add(index.mul(op.getPart(), FragmentLayout::lanes), lane);
  SmallVector<Unit> result;
  for (int64_t first = 0; first < units; first += threads) {
    // The same part of a row each time, if that is so.
    if (first > 0 && threads % getUnitsOfRow() == 0 && units % threads == 0) {
      result.push_back(result.front());
      result.back().entry = first / getUnitsOfRow();
      continue;
    }
    Value number = withOffset(index, thread, first), isThere;
    if (first + threads > units) {
      isThere = index.less(number, units);
      number = index.min(number, units - 1);
    }
    result.push_back(getUnit(number, isThere));
  }
  return result;
}

/// Puts the lane's pieces of a round into the buffer.
void LineStore::stage(ArrayRef<ResultPiece> pieces, Value buffer, Put put) {
  // Rows n are apart where other warps have columns, too.
  int64_t together = slab == vector ? layout.runN : 1;
  int64_t pieceWidth = getCommonPowerOfTwo(width, {together * vector});
  int64_t times = rowsN / unit;
  Value laneRow = getLaneM(index, lane);
  Value laneN = index.mul(getLaneN(index, layout, lane), layout.runN);
  for (auto [number, piece] : llvm::enumerate(pieces)) {
    auto at = static_cast<int64_t>(number);
    SmallVector<Value> elements = store.getElements(piece);
    Value entry =
        withOffset(index, laneRow, at / times * FragmentLayout::tileEntries);
    for (int64_t r = 0; r < layout.runN; r += together) {
      Value n = withOffset(index, laneN, at % times * unit + r);
      Value column =
          index.add(index.mul(n, slab), index.mul(op.getPart(), vector));
      put(ArrayRef(elements).slice(r * vector, together * vector),
          {op.getGroup(), buffer, entry, column}, pieceWidth);
    }
  }
}

/// Stores a round from the buffer: entries from `firstEntry`, and rows from
/// `firstN` of the fragment on.
void LineStore::storeRound(ArrayRef<Unit> units, int64_t firstEntry,
                           int64_t firstN, Value buffer, Get get) {
  Value memref = op.getDestination();
  int64_t bytes = getElementBytes(memref);
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value pitch = index.mul(metadata.getStrides()[0], bytes);
  for (const Unit &to : units) {
    int64_t entry = firstEntry + to.entry;
    Value row =
        withOffset(index, index.div(to.number, getUnitsOfRow()), to.entry);
    Value element = index.mul(index.rem(to.number, getUnitsOfRow()), width);
    SmallVector<Value> elements = get({op.getGroup(), buffer, row, element});
    Value isInside =
        index.both(index.less(index.constant(entry), to.entriesLeft),
                   index.less(index.constant(firstN * p.d), to.elementsLeft));
    if (to.isThere)
      isInside = index.both(isInside, to.isThere);
    Value address = index.add(to.address, index.mul(pitch, entry));
    Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), address);
    Value pointer = LLVM::IntToPtrOp::create(
        b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace),
        number);
    storePredicated(b, loc, isInside, elements, pointer, firstN * p.d * bytes);
  }
}

void LineStore::storeLines(Put put, Get get) {
  SmallVector<Unit> units = getUnits();
  SmallVector<ResultPiece> pieces = store.getMap().getPieces();
  int64_t times = rowsN / unit;
  int64_t piecesOfTile = type.getDimSize(1) * layout.slotsN() / layout.runN;
  int64_t round = 0;
  for (int64_t tile = 0; tile < type.getDimSize(2); tile += 2)
    for (int64_t piece = 0; piece < piecesOfTile; piece += times, ++round) {
      SmallVector<ResultPiece> ofRound;
      for (int64_t t : {tile, tile + 1})
        llvm::append_range(
            ofRound, ArrayRef(pieces).slice(t * piecesOfTile + piece, times));
      Value buffer = index.constant(round % 2);
      stage(ofRound, buffer, put);
      synchronize();
      storeRound(units, tile * FragmentLayout::tileEntries, piece * unit,
                 buffer, get);
    }
  // The next one begins with the first buffer again.
  if (round % 2 != 0)
    synchronize();
}

void TileExpander::expand(StoreLinesOp op) {
  LineStore store(b, op, lane);
  auto put = [&](ArrayRef<Value> elements, ValueRange at, int64_t width) {
    storeElements(elements, op.getStaging(), at, width);
  };
  auto get = [&](ValueRange at) {
    int64_t width = kWidestBytes / getElementBytes(op.getStaging());
    return loadElements(op.getStaging(), at, width, width);
  };
  ifElse(
      isAligned(op.getDestination(), kWidestBytes),
      [&] { store.storeLines(put, get); }, [&] { store.storeSingly(); });
  Operation *source = op.getFragment().getDefiningOp();
  b.eraseOp(op);
  if (isa_and_nonnull<InterleaveColumnsOp>(source) && source->use_empty())
    b.eraseOp(source);
}
