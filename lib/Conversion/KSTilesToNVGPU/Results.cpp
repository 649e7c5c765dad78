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

#include "Results.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <map>

using namespace mlir;
using namespace ks;

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

void ks::storePredicated(OpBuilder &b, Location loc, Value condition,
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

Value ResultStore::getBatch() {
  Value batch = memref::DimOp::create(b, loc, memref, isBatchFirst ? 0 : 1);
  return isBatchFirst ? batch : index.div(batch, map.getParts());
}

SmallVector<Value> ResultStore::getElements(const ResultPiece &piece) {
  return llvm::map_to_vector(piece.elements, [&](std::array<int64_t, 4> at) {
    if (isInterleaved)
      at = {at[0] / 2, at[1], at[2], 2 * at[3] + at[0] % 2};
    return getElement(b, loc,
                      getVector(b, loc, fragment, ArrayRef(at).drop_back()),
                      at.back());
  });
}

void ResultStore::storePieces(int64_t width) {
  ResultAddresses addresses(b, loc, map, memref, p, isBatchFirst);
  Value batch = getBatch();
  for (const ResultPiece &piece : map.getPieces()) {
    SmallVector<Value> elements = getElements(piece);
    Value isInside = index.less(piece.entry.base, batch);
    auto [pointer, offset] = addresses.get(piece.entry, piece.n, piece.j);
    for (size_t at = 0; at < elements.size(); at += width)
      storePredicated(
          b, loc, isInside, ArrayRef(elements).slice(at, width), pointer,
          offset + static_cast<int64_t>(at) * getElementBytes(memref));
  }
}

void ResultStore::storeSingly() {
  ResultAddresses addresses(b, loc, map, memref, p, isBatchFirst);
  Value batch = getBatch();
  int64_t parts = map.getParts();
  auto isLess = [&](Place place, Value size) {
    return index.less(withOffset(index, place.base, place.offset), size);
  };
  for (const ResultPiece &piece : map.getPieces()) {
    SmallVector<Value> elements = getElements(piece);
    for (int64_t at = 0; at < piece.rows * piece.columns; ++at) {
      Place n = piece.n + at / piece.columns;
      int64_t column = at % piece.columns;
      Place j = piece.j + (isBatchFirst ? column : 0);
      Place entry = piece.entry + (isBatchFirst ? 0 : column);
      Value isInside = index.both(index.both(isLess(n, index.constant(p.b)),
                                             isLess(j, index.constant(p.d))),
                                  isLess(entry, batch));
      auto [pointer, offset] = addresses.get(entry, n, j);
      for (int64_t part = 0; part < parts; ++part)
        storePredicated(b, loc, isInside, elements[at * parts + part], pointer,
                        offset + part * getElementBytes(memref));
    }
  }
}

void TileExpander::expand(StoreFragmentOp op) {
  VectorType type = op.getFragment().getType();
  Value memref = op.getDestination();
  ResultStore store(b, op, lane);
  KSPattern p = op.getPattern().getPattern();
  bool batchFirst = op.getLayout() == Layout::BatchFirst;
  int64_t width = store.getMap().getWidth(getElementBytes(memref));
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
            store.getBatch());
  else if (type.getDimSize(0) != p.d)
    mustFit(op.getJ(), type.getDimSize(0), index.constant(p.d));
  ifElse(
      isWhole, [&] { store.storePieces(width); }, [&] { store.storeSingly(); });
  b.eraseOp(op);
}
