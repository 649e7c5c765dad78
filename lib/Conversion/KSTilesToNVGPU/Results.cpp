//===- Results.cpp - From registers to memory -----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The maps of FragmentLayout.h as code: loads and stores in the places of the
// result.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

namespace {
/// Elements of a result fragment that are neighbours in memory.
struct ResultPiece {
  /// Where in the fragment: [column, tile n, tile m, real].
  SmallVector<std::array<int64_t, 4>> elements;
  Value entry, n, j;             ///< Of the first element.
  int64_t rows = 1, columns = 1; ///< Of the piece along n, and j or m.
};

/// The maps of load_fragment and store_fragment.
class ResultMap {
public:
  template <typename Op>
  ResultMap(OpBuilder &b, Op op, VectorType type, Value lane)
      : index(b, op.getLoc()), p(op.getPattern().getPattern()),
        layout(op.getFragments().getLayout()),
        isBatchFirst(op.getLayout() == Layout::BatchFirst), type(type),
        lane(lane), m(op.getM()), i(op.getI()), n(op.getN()), j(op.getJ()),
        columns(type.getDimSize(0)),
        parts(type.getDimSize(3) / (layout.slotsN() * layout.slotsM())) {}

  int64_t getParts() const { return parts; }

  SmallVector<ResultPiece> getPieces() {
    return isBatchFirst ? getPiecesBatchFirst() : getPiecesBatchLast();
  }

  /// The widest access, in reals, that pieces begin and end at multiples of.
  int64_t getWidth(int64_t elementBytes) {
    int64_t limit = kWidestBytes / elementBytes;
    if (!isBatchFirst)
      return getCommonPowerOfTwo(limit, {columns * layout.slotsM() * parts});
    int64_t d = p.d * parts;
    return getCommonPowerOfTwo(limit, {p.b * d, layout.runN * d,
                                       columns == p.d ? 0 : columns * parts,
                                       layout.runN * columns * parts});
  }

  /// (i·b + n)·d + j
  Value getFeature(Value n, Value j) {
    return index.add(index.mul(index.add(index.mul(i, p.b), n), p.d), j);
  }

private:
  /// Real `part` of element (slot of n `half`, slot of m `e`) of a tile.
  int64_t getReal(int64_t half, int64_t e, int64_t part) const {
    return (half * layout.slotsM() + e) * parts + part;
  }
  Value getRow(int64_t slot) {
    int64_t run = layout.runN;
    Value row = index.add(n, index.mul(getLaneN(index, layout, lane), run));
    return withOffset(index, row,
                      slot / run * layout.lanesN() * run + slot % run);
  }
  Value getTileEntry(int64_t e) {
    if (!layout.isMma())
      return getLaneM(index, lane);
    return withOffset(index, index.mul(index.rem(lane, 4), 2), e);
  }

  SmallVector<ResultPiece> getPiecesBatchFirst() {
    SmallVector<ResultPiece> pieces;
    int64_t slots = type.getDimSize(1) * layout.slotsN();
    for (int64_t tile = 0; tile < type.getDimSize(2); ++tile)
      for (int64_t e = 0; e < layout.slotsM(); ++e)
        for (int64_t slot = 0; slot < slots; slot += layout.runN) {
          ResultPiece piece;
          piece.entry = index.add(
              withOffset(index, m, FragmentLayout::tileEntries * tile),
              getTileEntry(e));
          piece.n = getRow(slot);
          piece.j = j;
          piece.rows = layout.runN;
          piece.columns = columns;
          for (int64_t r = slot; r < slot + layout.runN; ++r)
            for (int64_t q = 0; q < columns; ++q)
              for (int64_t part = 0; part < parts; ++part)
                piece.elements.push_back(
                    {q, r / layout.slotsN(), tile,
                     getReal(r % layout.slotsN(), e, part)});
          pieces.push_back(piece);
        }
    return pieces;
  }

  SmallVector<ResultPiece> getPiecesBatchLast() {
    SmallVector<ResultPiece> pieces;
    int64_t tileEntries = FragmentLayout::tileEntries * columns;
    for (int64_t slot = 0; slot < type.getDimSize(1) * layout.slotsN(); ++slot)
      for (int64_t tile = 0; tile < type.getDimSize(2); ++tile) {
        ResultPiece piece;
        piece.entry = index.add(withOffset(index, m, tileEntries * tile),
                                index.mul(getTileEntry(0), columns));
        piece.n = getRow(slot);
        piece.j = j;
        piece.columns = columns * layout.slotsM();
        for (int64_t e = 0; e < layout.slotsM(); ++e)
          for (int64_t q = 0; q < columns; ++q)
            for (int64_t part = 0; part < parts; ++part)
              piece.elements.push_back(
                  {q, slot / layout.slotsN(), tile,
                   getReal(slot % layout.slotsN(), e, part)});
        pieces.push_back(piece);
      }
    return pieces;
  }

  IndexBuilder index;
  KSPattern p;
  FragmentLayout layout;
  bool isBatchFirst;
  VectorType type;
  Value lane, m, i, n, j;
  int64_t columns, parts;
};
} // namespace

void TileExpander::expand(LoadFragmentOp op) {
  VectorType type = op.getFragment().getType();
  ResultMap map(b, op, type, lane);
  KSPattern p = op.getPattern().getPattern();
  bool batchFirst = op.getLayout() == Layout::BatchFirst;
  int64_t parts = map.getParts();
  bool isVector = cast<MemRefType>(op.getSource().getType()).getRank() == 1;
  Value lastEntry = index.add(op.getBatch(), -1);
  SmallVector<SmallVector<Value>> fragment(type.getNumElements() /
                                           type.getDimSize(3));
  for (SmallVector<Value> &reals : fragment)
    reals.resize(type.getDimSize(3));
  for (const ResultPiece &piece : map.getPieces())
    for (auto [number, at] : llvm::enumerate(piece.elements)) {
      int64_t element = static_cast<int64_t>(number) / parts;
      int64_t part = static_cast<int64_t>(number) % parts;
      int64_t row = element / piece.columns, column = element % piece.columns;
      // Places outside of the result repeat one at its edge.
      Value n = index.min(withOffset(index, piece.n, row), p.b - 1);
      Value j = batchFirst
                    ? index.min(withOffset(index, piece.j, column), p.d - 1)
                    : piece.j;
      Value entry = index.min(
          withOffset(index, piece.entry, batchFirst ? 0 : column), lastEntry);
      Value feature = map.getFeature(n, j);
      auto inner = [&](Value value) {
        return withOffset(index, index.mul(value, parts), part);
      };
      SmallVector<Value> indices;
      if (isVector)
        indices = {inner(feature)};
      else if (batchFirst)
        indices = {entry, inner(feature)};
      else
        indices = {feature, inner(entry)};
      int64_t vector =
          (at[0] * type.getDimSize(1) + at[1]) * type.getDimSize(2) + at[2];
      fragment[vector][at[3]] =
          memref::LoadOp::create(b, loc, op.getSource(), indices);
    }
  auto vectorType =
      VectorType::get({type.getDimSize(3)}, type.getElementType());
  SmallVector<Value> vectors;
  for (ArrayRef<Value> reals : fragment)
    vectors.push_back(
        vector::FromElementsOp::create(b, loc, vectorType, reals));
  b.replaceOp(op, assemble(type, vectors));
}

void TileExpander::expand(StoreFragmentOp op) {
  VectorType type = op.getFragment().getType();
  Value memref = op.getDestination();
  ResultMap map(b, op, type, lane);
  KSPattern p = op.getPattern().getPattern();
  bool batchFirst = op.getLayout() == Layout::BatchFirst;
  int64_t parts = map.getParts();
  int64_t width = map.getWidth(getElementBytes(memref));
  Value batch = memref::DimOp::create(b, loc, memref, batchFirst ? 0 : 1);
  if (!batchFirst) // the axis of reals
    batch = index.div(batch, parts);
  SmallVector<ResultPiece> pieces = map.getPieces();

  auto getElements = [&](const ResultPiece &piece) {
    return llvm::map_to_vector(
        piece.elements, [&](std::array<int64_t, 4> at) -> Value {
          Value vector = vector::ExtractOp::create(
              b, loc, op.getFragment(), ArrayRef<int64_t>{at[0], at[1], at[2]});
          return vector::ExtractOp::create(b, loc, vector, at[3]);
        });
  };
  auto storeIf = [&](Value condition, ArrayRef<Value> elements, Value n,
                     Value j, Value entry, int64_t chunk) {
    auto isInside = scf::IfOp::create(b, loc, condition, /*else=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(isInside.thenBlock());
    Value feature = map.getFeature(n, j);
    SmallVector<Value> indices =
        batchFirst ? SmallVector<Value>{entry, index.mul(feature, parts)}
                   : SmallVector<Value>{feature, index.mul(entry, parts)};
    storeElements(elements, memref, indices, chunk);
  };

  // Whole pieces where the warp's part lies inside of the pattern (and, batch-
  // last, of the batch) and memory is aligned.
  auto storePieces = [&] {
    for (const ResultPiece &piece : pieces)
      storeIf(index.less(piece.entry, batch), getElements(piece), piece.n,
              piece.j, piece.entry, width);
  };
  auto storeSingly = [&] {
    for (const ResultPiece &piece : pieces) {
      SmallVector<Value> elements = getElements(piece);
      for (int64_t first = 0; first < piece.rows * piece.columns; ++first) {
        Value n = withOffset(index, piece.n, first / piece.columns);
        int64_t column = first % piece.columns;
        Value j = batchFirst ? withOffset(index, piece.j, column) : piece.j;
        Value entry =
            batchFirst ? piece.entry : withOffset(index, piece.entry, column);
        Value isInside =
            index.both(index.both(index.less(n, p.b), index.less(j, p.d)),
                       index.less(entry, batch));
        storeIf(isInside, ArrayRef(elements).slice(first * parts, parts), n, j,
                entry, 1);
      }
    }
  };
  Value isWhole = isAligned(memref, width * getElementBytes(memref));
  auto mustFit = [&](Value first, int64_t count, Value size) {
    isWhole =
        index.both(isWhole, index.less(index.add(first, count - 1), size));
  };
  FragmentLayout layout = op.getFragments().getLayout();
  mustFit(op.getN(), type.getDimSize(1) * layout.tileN(), index.constant(p.b));
  if (!batchFirst)
    mustFit(op.getM(),
            type.getDimSize(2) * FragmentLayout::tileEntries *
                type.getDimSize(0),
            batch);
  else if (type.getDimSize(0) != p.d)
    mustFit(op.getJ(), type.getDimSize(0), index.constant(p.d));
  ifElse(isWhole, storePieces, storeSingly);
  b.eraseOp(op);
}
