//===- Results.h - Places of the result -------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The maps of FragmentLayout.h as code: where in the result a lane's numbers
// belong.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTILESTONVGPU_RESULTS_H
#define KS_LIB_CONVERSION_KSTILESTONVGPU_RESULTS_H

#include "TileExpander.h"

namespace ks {

/// base + offset, of which the base is what many places share.
struct Place {
  mlir::Value base;
  int64_t offset = 0;
  Place operator+(int64_t more) const { return {base, offset + more}; }
};

/// Elements of a result fragment that are neighbours in memory.
struct ResultPiece {
  /// Where in the fragment: [column, tile n, tile m, real].
  llvm::SmallVector<std::array<int64_t, 4>> elements;
  Place entry, n, j;             ///< Of the first element.
  int64_t rows = 1, columns = 1; ///< Of the piece along n, and j or m.
};

/// The maps of load_fragment and store_fragment.
class ResultMap {
  using Value = mlir::Value;

public:
  template <typename Op>
  ResultMap(mlir::OpBuilder &b, Op op, mlir::VectorType type, Value lane)
      : index(b, op.getLoc()), p(op.getPattern().getPattern()),
        layout(op.getFragments().getLayout()),
        isBatchFirst(op.getLayout() == Layout::BatchFirst), type(type),
        lane(lane), m(op.getM()), i(op.getI()), n(op.getN()), j(op.getJ()),
        columns(type.getDimSize(0)),
        isSplit(!isBatchFirst && layout.isWeightsFirst() &&
                isWideVector(columns, op.getMultipliedBytes())),
        parts(type.getDimSize(3) / (layout.slotsN() * layout.slotsM())) {}

  int64_t getParts() const { return parts; }

  llvm::SmallVector<ResultPiece> getPieces() {
    return isBatchFirst ? getPiecesBatchFirst() : getPiecesBatchLast();
  }

  /// The widest access, in reals, that pieces begin and end at multiples of.
  int64_t getWidth(int64_t elementBytes) {
    int64_t limit = kWidestBytes / elementBytes;
    if (!isBatchFirst)
      return getCommonPowerOfTwo(
          limit, {columns * (isSplit ? 1 : layout.slotsM()) * parts});
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
  /// The lane's first n; and how much further that of a slot is.
  Value getFirstRow() {
    return index.add(n, index.mul(getLaneN(index, layout, lane), layout.runN));
  }
  int64_t getRowOffset(int64_t slot) const {
    return slot / layout.runN * layout.lanesN() * layout.runN +
           slot % layout.runN;
  }
  Value getTileEntry(int64_t e) {
    if (!layout.isWeightsFirst())
      return getLaneM(index, lane);
    return withOffset(index, index.mul(index.rem(lane, 4), 2), e);
  }

  llvm::SmallVector<ResultPiece> getPiecesBatchFirst() {
    llvm::SmallVector<ResultPiece> pieces;
    int64_t slots = type.getDimSize(1) * layout.slotsN();
    Value row = getFirstRow();
    for (int64_t tile = 0; tile < type.getDimSize(2); ++tile)
      for (int64_t e = 0; e < layout.slotsM(); ++e) {
        Value entry =
            index.add(withOffset(index, m, FragmentLayout::tileEntries * tile),
                      getTileEntry(e));
        for (int64_t slot = 0; slot < slots; slot += layout.runN) {
          ResultPiece piece;
          piece.entry = {entry};
          piece.n = {row, getRowOffset(slot)};
          piece.j = {j};
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
      }
    return pieces;
  }

  llvm::SmallVector<ResultPiece> getPiecesBatchLast() {
    llvm::SmallVector<ResultPiece> pieces;
    int64_t tileEntries = FragmentLayout::tileEntries * columns;
    Value row = getFirstRow();
    // Of 2t and 2t + 1, which are neighbours, or half a tile apart.
    Value first = isSplit ? index.rem(lane, 4) : getTileEntry(0);
    Value entry = index.add(m, index.mul(first, columns));
    int64_t together = isSplit ? 1 : layout.slotsM();
    for (int64_t slot = 0; slot < type.getDimSize(1) * layout.slotsN(); ++slot)
      for (int64_t tile = 0; tile < type.getDimSize(2); ++tile)
        for (int64_t at = 0; at < layout.slotsM(); at += together) {
          ResultPiece piece;
          piece.entry = {entry, tileEntries * tile + at * tileEntries / 2};
          piece.n = {withOffset(index, row, getRowOffset(slot))};
          piece.j = {j};
          piece.columns = columns * together;
          for (int64_t e = at; e < at + together; ++e)
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
  mlir::VectorType type;
  Value lane, m, i, n, j;
  int64_t columns;
  bool isSplit;
  int64_t parts;
};

/// Stores elements at address + offset, all at once, if `condition` (or null).
/// As a branch each would be a basic block or two, of which there may be
/// hundreds; MLIR has no predicated store (PTX ISA, "Predicated Execution" and
/// "st").
void storePredicated(mlir::OpBuilder &b, mlir::Location loc,
                     mlir::Value condition,
                     llvm::ArrayRef<mlir::Value> elements, mlir::Value address,
                     int64_t offset);

/// Stores of a fragment from registers.
class ResultStore {
public:
  template <typename Op>
  ResultStore(mlir::OpBuilder &b, Op op, mlir::Value lane)
      : b(b), loc(op.getLoc()), index(b, loc),
        map(b, op, op.getFragment().getType(), lane),
        p(op.getPattern().getPattern()),
        isBatchFirst(op.getLayout() == Layout::BatchFirst),
        fragment(op.getFragment()), memref(op.getDestination()) {
    if (auto apart = fragment.template getDefiningOp<InterleaveColumnsOp>()) {
      fragment = apart.getSource();
      isInterleaved = true;
    }
  }

  ResultMap &getMap() { return map; }
  /// Entries of the destination.
  mlir::Value getBatch();
  /// Elements of a piece, as they follow each other in memory.
  llvm::SmallVector<mlir::Value> getElements(const ResultPiece &piece);
  /// Whole pieces, `width` elements at a time. All columns and rows are inside
  /// of the pattern (and, batch-last, of the batch), and memory is aligned.
  void storePieces(int64_t width);
  /// Elements that are inside.
  void storeSingly();

private:
  mlir::OpBuilder &b;
  mlir::Location loc;
  IndexBuilder index;
  ResultMap map;
  KSPattern p;
  bool isBatchFirst;
  mlir::Value fragment, memref;
  /// Two columns share registers, to the end.
  bool isInterleaved = false;
};

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTILESTONVGPU_RESULTS_H
