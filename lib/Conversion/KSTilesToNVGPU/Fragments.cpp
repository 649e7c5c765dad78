//===- Fragments.cpp - From shared memory, through mma, to memory ---------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The maps of FragmentLayout.h as code: loads of fragments, the multiplication,
// and loads and stores in the places of the result.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

/// Position of the lane along n, k and m; see FragmentLayout.
static Value getLaneN(IndexBuilder &index, FragmentLayout layout, Value lane) {
  return layout.isMma() ? index.div(lane, 4) : index.rem(lane, 4);
}
static Value getLaneK(IndexBuilder &index, FragmentLayout layout, Value lane) {
  return layout.isMma() ? index.rem(lane, 4) : index.constant(0);
}
static Value getLaneM(IndexBuilder &index, Value lane) {
  return index.div(lane, 4);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Value TileExpander::assemble(VectorType type, ArrayRef<Value> vectors) {
  Value result = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  ArrayRef<int64_t> leading = type.getShape().drop_back();
  for (auto [number, vector] : llvm::enumerate(vectors)) {
    SmallVector<int64_t> at(leading.size());
    int64_t rest = number;
    for (size_t dim = leading.size(); dim-- > 0; rest /= leading[dim])
      at[dim] = rest % leading[dim];
    result = vector::InsertOp::create(b, loc, vector, result, at);
  }
  return result;
}

/// `value`'s innermost vectors, in row-major order.
static SmallVector<Value> getInnermost(OpBuilder &b, Location loc,
                                       Value value) {
  auto type = cast<VectorType>(value.getType());
  if (type.getRank() == 1)
    return {value};
  SmallVector<Value> vectors;
  for (int64_t i = 0; i < type.getDimSize(0); ++i)
    llvm::append_range(
        vectors,
        getInnermost(b, loc, vector::ExtractOp::create(b, loc, value, i)));
  return vectors;
}

void TileExpander::expand(vector::ShapeCastOp op) {
  SmallVector<Value> elements;
  for (Value vector : getInnermost(b, loc, op.getSource()))
    for (int64_t i = 0; i < cast<VectorType>(vector.getType()).getDimSize(0);
         ++i)
      elements.push_back(vector::ExtractOp::create(b, loc, vector, i));
  VectorType type = op.getResultVectorType();
  auto innermost =
      VectorType::get(type.getShape().take_back(), type.getElementType());
  SmallVector<Value> vectors;
  for (ArrayRef<Value> rest = elements; !rest.empty();
       rest = rest.drop_front(innermost.getDimSize(0)))
    vectors.push_back(vector::FromElementsOp::create(
        b, loc, innermost, rest.take_front(innermost.getDimSize(0))));
  b.replaceOp(op,
              type.getRank() == 1 ? vectors.front() : assemble(type, vectors));
}

static Value withOffset(IndexBuilder &index, Value value, int64_t offset) {
  return offset == 0 ? value : index.add(value, offset);
}

SmallVector<Value> TileExpander::loadElements(Value memref, ValueRange indices,
                                              int64_t count, int64_t width) {
  SmallVector<Value> elements, at(indices);
  Type type = getElementTypeOrSelf(memref.getType());
  for (int64_t first = 0; first < count; first += width) {
    at.back() = withOffset(index, indices.back(), first);
    if (width == 1) {
      elements.push_back(memref::LoadOp::create(b, loc, memref, at));
      continue;
    }
    Value vector = vector::LoadOp::create(
        b, loc, VectorType::get({width}, type), memref, at,
        /*nontemporal=*/false,
        llvm::MaybeAlign(width * getElementBytes(memref)));
    for (int64_t i = 0; i < width; ++i)
      elements.push_back(vector::ExtractOp::create(b, loc, vector, i));
  }
  return elements;
}

void TileExpander::storeElements(ArrayRef<Value> elements, Value memref,
                                 ValueRange indices, int64_t width) {
  SmallVector<Value> at(indices);
  Type type = getElementTypeOrSelf(memref.getType());
  for (size_t first = 0; first < elements.size(); first += width) {
    at.back() = withOffset(index, indices.back(), static_cast<int64_t>(first));
    if (width == 1) {
      memref::StoreOp::create(b, loc, elements[first], memref, at);
      continue;
    }
    Value vector = vector::FromElementsOp::create(
        b, loc, VectorType::get({width}, type), elements.slice(first, width));
    vector::StoreOp::create(b, loc, vector, memref, at, /*nontemporal=*/false,
                            llvm::MaybeAlign(width * getElementBytes(memref)));
  }
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

void TileExpander::expand(LoadWeightsOp op) {
  VectorType type = op.getFragment().getType();
  ArrayRef<int64_t> shape = type.getShape();
  auto vectorType = VectorType::get(shape.back(), type.getElementType());
  SmallVector<Value> vectors;
  Value zero = index.constant(0);
  // Of an mma all lanes hold different weights, else those along n.
  int64_t weightLanes = op.getSource().getType().getDimSize(4);
  Value weightLane = index.rem(lane, weightLanes);
  for (int64_t q = 0; q < shape[0]; ++q)
    for (int64_t t = 0; t < shape[1]; ++t)
      vectors.push_back(vector::LoadOp::create(
          b, loc, vectorType, op.getSource(),
          ValueRange{op.getStage(), op.getStep(),
                     withOffset(index, op.getJ(), q),
                     withOffset(index, op.getTile(), t), weightLane, zero},
          /*nontemporal=*/false, llvm::MaybeAlign(kWidestBytes)));
  b.replaceOp(op, assemble(type, vectors));
}

void TileExpander::expand(LoadActivationsOp op) {
  FragmentLayout layout = op.getFragments().getLayout();
  VectorType type = op.getFragment().getType();
  int64_t columns = type.getDimSize(0), tiles = type.getDimSize(1);
  int64_t parts = type.getDimSize(2) / FragmentLayout::slotsK;
  int64_t run = layout.runK, runs = FragmentLayout::slotsK / run;
  int64_t slab = op.getSlab();
  bool batchFirst = op.getLayout() == Layout::BatchFirst;
  Value laneM = getLaneM(index, lane), laneK = getLaneK(index, layout, lane);

  // A run of k and the columns behind each are one piece; batch-last, and where
  // a warp takes part of the slab, the run is 1.
  int64_t piece = run * columns * parts;
  int64_t width = getCommonPowerOfTwo(
      kWidestBytes / getElementBytes(op.getSource()), {piece});
  auto loadPiece = [&](int64_t tile, int64_t firstK) {
    // k of the run's first slot
    Value k = withOffset(index, index.mul(laneK, run), firstK);
    Value row = op.getRow(), column = index.mul(op.getColumn(), parts);
    if (batchFirst) {
      row = index.add(
          withOffset(index, row, FragmentLayout::tileEntries * tile), laneM);
      column = index.add(column, index.mul(k, slab * parts));
    } else {
      row = index.add(row, k);
      column = index.add(
          withOffset(index, column,
                     FragmentLayout::tileEntries * columns * tile * parts),
          index.mul(laneM, columns * parts));
    }
    return loadElements(op.getSource(), {op.getStage(), row, column}, piece,
                        width);
  };

  // [column][tile] -> reals of the slots of k
  SmallVector<SmallVector<Value>> fragment(columns * tiles);
  for (int64_t tile = 0; tile < tiles; ++tile)
    for (int64_t r = 0; r < runs; ++r) {
      SmallVector<Value> elements = loadPiece(tile, r * run * layout.lanesK());
      for (int64_t slot = 0; slot < run; ++slot)
        for (int64_t q = 0; q < columns; ++q)
          for (int64_t part = 0; part < parts; ++part)
            fragment[q * tiles + tile].push_back(
                elements[(slot * columns + q) * parts + part]);
    }
  auto vectorType =
      VectorType::get({type.getDimSize(2)}, type.getElementType());
  SmallVector<Value> vectors;
  for (ArrayRef<Value> reals : fragment)
    vectors.push_back(
        vector::FromElementsOp::create(b, loc, vectorType, reals));
  b.replaceOp(op, assemble(type, vectors));
}

//===----------------------------------------------------------------------===//
// Multiplication
//===----------------------------------------------------------------------===//

namespace {
/// One tile's multiplication.
class TileMma {
public:
  TileMma(OpBuilder &b, Location loc, WarpInstruction instruction, Type element)
      : b(b), loc(loc), instruction(instruction), element(element) {}

  /// Operands as the instruction takes them; done once per fragment.
  SmallVector<Value> prepareWeights(Value vector) {
    if (instruction == WarpInstruction::Mma16)
      return getPairs(vector);
    SmallVector<Value> reals = getReals(vector);
    if (instruction == WarpInstruction::Mma8) // rounded when they were packed
      for (Value &real : reals)
        real = arith::BitcastOp::create(b, loc, b.getI32Type(), real);
    return reals;
  }
  SmallVector<Value> prepareActivations(Value vector) {
    if (instruction == WarpInstruction::Mma16)
      return getPairs(vector);
    SmallVector<Value> reals = getReals(vector);
    if (instruction == WarpInstruction::Mma8)
      for (Value &real : reals)
        real = NVVM::ConvertFloatToTF32Op::create(
            b, loc, b.getI32Type(), real,
            NVVM::FPRoundingModeAttr::get(b.getContext(),
                                          NVVM::FPRoundingMode::RNA));
    return reals;
  }

  /// accumulator + weights · activations.
  Value multiply(ArrayRef<Value> weights, ArrayRef<Value> activations,
                 Value accumulator) {
    SmallVector<Value> sums = getReals(accumulator);
    switch (instruction) {
    case WarpInstruction::Mma16:
      sums = mma(weights, activations, sums, 16,
                 element.isBF16() ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16);
      break;
    case WarpInstruction::Mma8:
      for (int64_t half : {0, 1})
        sums = mma(weights.slice(4 * half, 4), activations.slice(2 * half, 2),
                   sums, 8, NVVM::MMATypes::tf32);
      break;
    case WarpInstruction::Fma:
      if (sums.size() == 1)
        for (auto [w, x] : llvm::zip_equal(weights, activations))
          sums[0] = fma(w, x, sums[0]);
      else
        for (size_t k = 0; k < weights.size(); k += 2)
          multiplyComplex(weights.slice(k, 2), activations.slice(k, 2), sums);
      break;
    }
    return vector::FromElementsOp::create(b, loc, accumulator.getType(), sums);
  }

private:
  SmallVector<Value> getReals(Value vector) {
    SmallVector<Value> reals;
    for (int64_t i = 0; i < cast<VectorType>(vector.getType()).getDimSize(0);
         ++i)
      reals.push_back(vector::ExtractOp::create(b, loc, vector, i));
    return reals;
  }
  /// Two neighbours each: a register.
  SmallVector<Value> getPairs(Value vector) {
    SmallVector<Value> pairs;
    for (int64_t i = 0; i < cast<VectorType>(vector.getType()).getDimSize(0);
         i += 2) {
      Value pair = vector::ShuffleOp::create(b, loc, vector, vector,
                                             ArrayRef<int64_t>{i, i + 1});
      if (element.isBF16()) {
        pair = vector::BitCastOp::create(
            b, loc, VectorType::get({1}, b.getI32Type()), pair);
        pair = vector::ExtractOp::create(b, loc, pair, 0);
      }
      pairs.push_back(pair);
    }
    return pairs;
  }
  SmallVector<Value> mma(ValueRange weights, ValueRange activations,
                         ValueRange sums, int64_t depth, NVVM::MMATypes type) {
    Type f32 = b.getF32Type();
    auto result =
        LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
    Value sum = NVVM::MmaOp::create(
        b, loc, result, weights, activations, sums, {16, 8, depth},
        /*b1Op=*/std::nullopt, /*intOverflow=*/std::nullopt,
        std::array<NVVM::MMATypes, 2>{type, type},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
    SmallVector<Value> results;
    for (int64_t i = 0; i < 4; ++i)
      results.push_back(LLVM::ExtractValueOp::create(b, loc, sum, i));
    return results;
  }
  Value fma(Value x, Value y, Value z) {
    // Not math.fma, which would be a call of libdevice.
    return LLVM::FMAOp::create(b, loc, x, y, z);
  }
  void multiplyComplex(ArrayRef<Value> w, ArrayRef<Value> x,
                       MutableArrayRef<Value> sums) {
    Value minusIm = arith::NegFOp::create(b, loc, w[1]);
    sums[0] = fma(minusIm, x[1], fma(w[0], x[0], sums[0]));
    sums[1] = fma(w[1], x[0], fma(w[0], x[1], sums[1]));
  }

  OpBuilder &b;
  Location loc;
  WarpInstruction instruction;
  Type element;
};
} // namespace

void TileExpander::expand(WarpMmaOp op) {
  VectorType type = op.getResult().getType();
  int64_t columns = type.getDimSize(0), tilesN = type.getDimSize(1),
          tilesM = type.getDimSize(2);
  bool isShared = op.getWeights().getType().getDimSize(0) != columns;
  TileMma tile(b, loc, op.getFragments().getLayout().instruction,
               op.getWeights().getType().getElementType());
  auto extract = [&](Value vector, ArrayRef<int64_t> at) -> Value {
    return vector::ExtractOp::create(b, loc, vector, at);
  };
  SmallVector<SmallVector<Value>> weights;
  SmallVector<Value> results;
  for (int64_t q = 0; q < columns; ++q) {
    if (q == 0 || !isShared) {
      weights.clear();
      for (int64_t n = 0; n < tilesN; ++n)
        weights.push_back(
            tile.prepareWeights(extract(op.getWeights(), {q, n})));
    }
    SmallVector<SmallVector<Value>> activations;
    for (int64_t m = 0; m < tilesM; ++m)
      activations.push_back(
          tile.prepareActivations(extract(op.getActivations(), {q, m})));
    for (int64_t n = 0; n < tilesN; ++n)
      for (int64_t m = 0; m < tilesM; ++m)
        results.push_back(
            tile.multiply(weights[n], activations[m],
                          extract(op.getAccumulator(), {q, n, m})));
  }
  b.replaceOp(op, assemble(type, results));
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

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
  mustFit(op.getN(), type.getDimSize(1) * layout.tileN(),
          index.constant(p.b));
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
