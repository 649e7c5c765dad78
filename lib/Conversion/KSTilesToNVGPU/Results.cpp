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

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <map>

using namespace mlir;
using namespace ks;

namespace {
/// base + offset, of which the base is what many places share.
struct Place {
  Value base;
  int64_t offset = 0;
  Place operator+(int64_t more) const { return {base, offset + more}; }
};

/// Elements of a result fragment that are neighbours in memory.
struct ResultPiece {
  /// Where in the fragment: [column, tile n, tile m, real].
  SmallVector<std::array<int64_t, 4>> elements;
  Place entry, n, j;             ///< Of the first element.
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
        isSplit(!isBatchFirst && layout.isMma() &&
                isWideVector(columns, type.getElementTypeBitWidth() / 8)),
        parts(type.getDimSize(3) / (layout.slotsN() * layout.slotsM())) {}

  int64_t getParts() const { return parts; }

  SmallVector<ResultPiece> getPieces() {
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

  SmallVector<ResultPiece> getPiecesBatchFirst() {
    SmallVector<ResultPiece> pieces;
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

  SmallVector<ResultPiece> getPiecesBatchLast() {
    SmallVector<ResultPiece> pieces;
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
  VectorType type;
  Value lane, m, i, n, j;
  int64_t columns;
  bool isSplit;
  int64_t parts;
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
      auto get = [&](Place place) {
        return withOffset(index, place.base, place.offset);
      };
      Value n = index.min(get(piece.n + row), p.b - 1);
      Value j =
          batchFirst ? index.min(get(piece.j + column), p.d - 1) : get(piece.j);
      Value entry =
          index.min(get(piece.entry + (batchFirst ? 0 : column)), lastEntry);
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

/// Stores elements at address + offset, all at once, if `condition`. As a
/// branch each would be a basic block or two, of which there may be hundreds;
/// MLIR has no predicated store (PTX ISA, "Predicated Execution" and "st").
static void storePredicated(OpBuilder &b, Location loc, Value condition,
                            ArrayRef<Value> elements, Value address,
                            int64_t offset) {
  Type type = elements.front().getType();
  auto width = static_cast<int64_t>(elements.size());
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  int64_t wordBytes = bytes == 8 ? 8 : std::min<int64_t>(4, bytes * width);
  int64_t words = bytes * width / wordBytes;
  auto word = b.getIntegerType(static_cast<unsigned>(8 * wordBytes));
  Value vector = vector::FromElementsOp::create(
      b, loc, VectorType::get({width}, type), elements);
  vector =
      vector::BitCastOp::create(b, loc, VectorType::get({words}, word), vector);
  SmallVector<Value> operands{address};
  std::string values;
  for (int64_t i = 0; i < words; ++i) {
    operands.push_back(vector::ExtractOp::create(b, loc, vector, i));
    values += (i == 0 ? "$" : ", $") + std::to_string(i + 1);
  }
  std::string kind = (words == 1 ? "" : "v" + std::to_string(words) + ".") +
                     "b" + std::to_string(8 * wordBytes);
  std::string code = "st.global." + kind + " [$0+" + std::to_string(offset) +
                     "], " + (words == 1 ? values : "{" + values + "}") + ";";
  NVVM::InlinePtxOp::create(b, loc, TypeRange(), operands, ValueRange(), code,
                            condition);
}

namespace {
/// Places of the result as addresses, one for each row of memory: the others
/// are a constant away.
class ResultAddresses {
public:
  ResultAddresses(OpBuilder &b, Location loc, ResultMap &map, Value memref,
                  KSPattern p, bool batchFirst)
      : b(b), loc(loc), index(b, loc), map(map), p(p), batchFirst(batchFirst),
        elementBytes(getElementBytes(memref) * map.getParts()) {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
    Value start =
        memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
    int64_t bytes = getElementBytes(memref);
    first = index.add(start, index.mul(metadata.getOffset(), bytes));
    pitch = index.mul(metadata.getStrides()[0], bytes);
  }

  /// The pointer, and the constant, of a place.
  std::pair<Value, int64_t> get(Place entry, Place n, Place j) {
    constexpr int64_t kMaxOffset = 1 << 20;
    Place row = batchFirst ? entry : n;
    int64_t constant =
        elementBytes * (batchFirst ? n.offset * p.d + j.offset : entry.offset);
    bool isNear = constant < kMaxOffset;
    Value &pointer = pointers[{row.base.getAsOpaquePointer(), row.offset,
                               isNear ? 0 : constant}];
    if (!pointer) {
      Value feature = map.getFeature(
          withOffset(index, n.base, batchFirst ? 0 : n.offset), j.base);
      Value other = batchFirst ? feature : entry.base;
      Value address = index.add(
          first, index.add(index.mul(batchFirst ? withOffset(index, entry.base,
                                                             entry.offset)
                                                : feature,
                                     pitch),
                           index.mul(other, elementBytes)));
      address = withOffset(index, address, isNear ? 0 : constant);
      Value number =
          arith::IndexCastOp::create(b, loc, b.getI64Type(), address);
      pointer = LLVM::IntToPtrOp::create(
          b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace),
          number);
    }
    return {pointer, isNear ? constant : 0};
  }

private:
  OpBuilder &b;
  Location loc;
  IndexBuilder index;
  ResultMap &map;
  KSPattern p;
  bool batchFirst;
  int64_t elementBytes;
  Value first, pitch;
  std::map<std::tuple<void *, int64_t, int64_t>, Value> pointers;
};
} // namespace

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
  // Whole pieces where the warp's part lies inside of the pattern (and, batch-
  // last, of the batch) and memory is aligned.
  auto storePieces = [&] {
    ResultAddresses addresses(b, loc, map, memref, p, batchFirst);
    for (const ResultPiece &piece : pieces) {
      SmallVector<Value> elements = getElements(piece);
      Value isInside = index.less(piece.entry.base, batch);
      auto [pointer, offset] = addresses.get(piece.entry, piece.n, piece.j);
      for (size_t at = 0; at < elements.size(); at += width)
        storePredicated(
            b, loc, isInside, ArrayRef(elements).slice(at, width), pointer,
            offset + static_cast<int64_t>(at) * getElementBytes(memref));
    }
  };
  auto storeSingly = [&] {
    ResultAddresses addresses(b, loc, map, memref, p, batchFirst);
    auto isLess = [&](Place place, Value size) {
      return index.less(withOffset(index, place.base, place.offset), size);
    };
    for (const ResultPiece &piece : pieces) {
      SmallVector<Value> elements = getElements(piece);
      for (int64_t at = 0; at < piece.rows * piece.columns; ++at) {
        Place n = piece.n + at / piece.columns;
        int64_t column = at % piece.columns;
        Place j = piece.j + (batchFirst ? column : 0);
        Place entry = piece.entry + (batchFirst ? 0 : column);
        Value isInside = index.both(index.both(isLess(n, index.constant(p.b)),
                                               isLess(j, index.constant(p.d))),
                                    isLess(entry, batch));
        auto [pointer, offset] = addresses.get(entry, n, j);
        for (int64_t part = 0; part < parts; ++part)
          storePredicated(b, loc, isInside, elements[at * parts + part],
                          pointer, offset + part * getElementBytes(memref));
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
