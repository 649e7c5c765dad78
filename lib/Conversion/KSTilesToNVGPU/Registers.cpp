//===- Registers.cpp - Fragments as what registers hold -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// No instruction takes a fragment as a whole, and as a value of type array it
// would be taken apart and put together again at each of them, by everything
// that follows. So fragments are expanded to their innermost vectors, and where
// loops carry them, to their elements. A cast stands for a fragment until the
// ops that take it have been expanded, too.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace ks;

static bool isFragment(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return vector && vector.getRank() > 1;
}

/// Of the innermost vectors, in row-major order.
static StaticTileOffsetRange getPlaces(VectorType type) {
  ArrayRef<int64_t> shape = type.getShape().drop_back();
  return {shape, SmallVector<int64_t>(shape.size(), 1)};
}

static VectorType getInnermostType(VectorType type) {
  return VectorType::get(type.getShape().take_back(), type.getElementType());
}

//===----------------------------------------------------------------------===//
// Parts of fragments and vectors
//===----------------------------------------------------------------------===//

Value TileExpander::assemble(VectorType type, ValueRange vectors) {
  fragments.push_back(
      UnrealizedConversionCastOp::create(b, loc, type, vectors));
  return fragments.back().getResult(0);
}

void TileExpander::finish() {
  for (UnrealizedConversionCastOp cast : llvm::reverse(fragments)) {
    if (cast.use_empty()) {
      b.eraseOp(cast);
      continue;
    }
    b.setInsertionPoint(cast);
    auto type = llvm::cast<VectorType>(cast.getType(0));
    Value whole = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    for (auto [at, vector] : llvm::zip_equal(getPlaces(type), cast.getInputs()))
      whole = vector::InsertOp::create(b, loc, vector, whole, at);
    b.replaceOp(cast, whole);
  }
}

SmallVector<Value> ks::getVectors(OpBuilder &b, Location loc, Value fragment) {
  if (auto known = fragment.getDefiningOp<UnrealizedConversionCastOp>())
    return known.getInputs();
  SmallVector<Value> vectors;
  for (const SmallVector<int64_t> &at :
       getPlaces(cast<VectorType>(fragment.getType())))
    vectors.push_back(vector::ExtractOp::create(b, loc, fragment, at));
  return vectors;
}

Value ks::getVector(OpBuilder &b, Location loc, Value fragment,
                    ArrayRef<int64_t> at) {
  auto known = fragment.getDefiningOp<UnrealizedConversionCastOp>();
  if (!known)
    return vector::ExtractOp::create(b, loc, fragment, at);
  ArrayRef<int64_t> shape = cast<VectorType>(fragment.getType()).getShape();
  int64_t number = 0;
  for (auto [size, position] : llvm::zip_equal(shape.drop_back(), at))
    number = number * size + position;
  return known.getInputs()[number];
}

Value ks::getElement(OpBuilder &b, Location loc, Value vector, int64_t at) {
  if (auto known = vector.getDefiningOp<vector::FromElementsOp>())
    return known.getElements()[at];
  return vector::ExtractOp::create(b, loc, vector, at);
}

SmallVector<Value> ks::getElements(OpBuilder &b, Location loc, Value vector) {
  SmallVector<Value> elements;
  for (int64_t i = 0; i < cast<VectorType>(vector.getType()).getDimSize(0); ++i)
    elements.push_back(getElement(b, loc, vector, i));
  return elements;
}

Value ks::getPair(OpBuilder &b, Location loc, Value vector, int64_t first) {
  auto known = vector.getDefiningOp<vector::FromElementsOp>();
  if (!known)
    return vector::ShuffleOp::create(b, loc, vector, vector,
                                     ArrayRef<int64_t>{first, first + 1});
  auto type = VectorType::get({2}, getElementTypeOrSelf(vector.getType()));
  return vector::FromElementsOp::create(b, loc, type,
                                        known.getElements().slice(first, 2));
}

SmallVector<Value> ks::makeVectors(OpBuilder &b, Location loc, VectorType type,
                                   ValueRange elements) {
  VectorType innermost = getInnermostType(type);
  SmallVector<Value> vectors;
  for (; !elements.empty();
       elements = elements.drop_front(innermost.getDimSize(0)))
    vectors.push_back(vector::FromElementsOp::create(
        b, loc, innermost, elements.take_front(innermost.getDimSize(0))));
  return vectors;
}

//===----------------------------------------------------------------------===//
// Ops that are not of tiles
//===----------------------------------------------------------------------===//

void TileExpander::expand(arith::ConstantOp op) {
  auto splat = dyn_cast<SplatElementsAttr>(op.getValue());
  if (!splat || !isFragment(op.getType()))
    return;
  auto type = cast<VectorType>(op.getType());
  Value element =
      arith::ConstantOp::create(b, loc, splat.getSplatValue<TypedAttr>());
  SmallVector<Value> elements(type.getNumElements(), element);
  b.replaceOp(op, assemble(type, makeVectors(b, loc, type, elements)));
}

template <typename Op> void TileExpander::expandConversion(Op op) {
  auto type = dyn_cast<VectorType>(op.getType());
  if (!type || !isFragment(type))
    return;
  SmallVector<Value> vectors;
  for (Value vector : getVectors(b, loc, op.getIn()))
    vectors.push_back(Op::create(b, loc, getInnermostType(type), vector));
  b.replaceOp(op, assemble(type, vectors));
}

void TileExpander::expand(arith::TruncFOp op) { expandConversion(op); }

void TileExpander::expand(arith::ExtFOp op) { expandConversion(op); }

SmallVector<Value> TileExpander::splitFragments(ValueRange values) {
  SmallVector<Value> split;
  for (Value value : values) {
    if (!isFragment(value.getType())) {
      split.push_back(value);
      continue;
    }
    for (Value vector : getVectors(b, loc, value))
      llvm::append_range(split, getElements(b, loc, vector));
  }
  return split;
}

/// The loop carries elements; its body is expanded afterwards.
void TileExpander::expand(scf::ForOp op) {
  if (llvm::none_of(op.getResultTypes(), isFragment))
    return;
  auto loop = scf::ForOp::create(b, loc, op.getLowerBound(), op.getUpperBound(),
                                 op.getStep(), splitFragments(op.getInits()));
  // Values of the old types, from the new ones.
  auto join = [&](ValueRange split) {
    SmallVector<Value> values;
    for (Type type : op.getResultTypes()) {
      int64_t count = 1;
      if (isFragment(type)) {
        auto fragment = cast<VectorType>(type);
        count = fragment.getNumElements();
        values.push_back(assemble(
            fragment, makeVectors(b, loc, fragment, split.take_front(count))));
      } else {
        values.push_back(split.front());
      }
      split = split.drop_front(count);
    }
    return values;
  };
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> arguments{loop.getInductionVar()};
    llvm::append_range(arguments, join(loop.getRegionIterArgs()));
    b.mergeBlocks(op.getBody(), loop.getBody(), arguments);
  }
  b.replaceOp(op, join(loop.getResults()));
}

void TileExpander::expand(scf::YieldOp op) {
  if (llvm::any_of(op.getOperandTypes(), isFragment))
    b.replaceOpWithNewOp<scf::YieldOp>(op, splitFragments(op.getOperands()));
}

void TileExpander::expand(vector::ExtractOp op) {
  VectorType type = op.getSourceVectorType();
  ArrayRef<int64_t> at = op.getStaticPosition();
  if (!isFragment(type) || !op.getDynamicPosition().empty() ||
      at.size() + 1 < static_cast<size_t>(type.getRank()))
    return;
  Value vector =
      getVector(b, loc, op.getSource(), at.take_front(type.getRank() - 1));
  b.replaceOp(op, at.size() == static_cast<size_t>(type.getRank())
                      ? getElement(b, loc, vector, at.back())
                      : vector);
}

void TileExpander::expand(vector::InsertStridedSliceOp op) {
  VectorType from = op.getSourceVectorType(), to = op.getDestVectorType();
  if (!isFragment(to) || from.getRank() != to.getRank() ||
      from.getShape().drop_front() != to.getShape().drop_front())
    return;
  SmallVector<Value> vectors = getVectors(b, loc, op.getDest());
  SmallVector<Value> inserted = getVectors(b, loc, op.getValueToStore());
  int64_t first = cast<IntegerAttr>(op.getOffsets()[0]).getInt();
  int64_t count = to.getNumElements() / to.getShape().front() /
                  to.getShape().back(); // Of an index of the first dimension.
  llvm::copy(inserted, vectors.begin() + first * count);
  b.replaceOp(op, assemble(to, vectors));
}

void TileExpander::expand(vector::ShapeCastOp op) {
  VectorType from = op.getSourceVectorType(), to = op.getResultVectorType();
  if (isFragment(from)) {
    SmallVector<Value> elements = splitFragments(op.getSource());
    b.replaceOpWithNewOp<vector::FromElementsOp>(op, to, elements);
    return;
  }
  SmallVector<Value> elements = getElements(b, loc, op.getSource());
  b.replaceOp(op, assemble(to, makeVectors(b, loc, to, elements)));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

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
    llvm::append_range(elements, getElements(b, loc, vector));
  }
  return elements;
}

SmallVector<Value> TileExpander::loadShifted(Value memref, ValueRange indices,
                                             int64_t count) {
  if (count == 1 || getElementBytes(memref) != 2)
    return loadElements(memref, indices, count, /*width=*/1);
  // Words that cover them, of which each pair of neighbours is funnelled.
  Type type = getElementTypeOrSelf(memref.getType());
  auto pairType = VectorType::get({2}, type);
  auto wordType = VectorType::get({1}, b.getI32Type());
  Value odd = index.rem(indices.back(), 2);
  Value bits =
      arith::IndexCastOp::create(b, loc, b.getI32Type(), index.mul(odd, 16));
  SmallVector<Value> at(indices), words, elements;
  Value first = index.sub(indices.back(), odd);
  for (int64_t word = 0; word <= count / 2; ++word) {
    at.back() = withOffset(index, first, 2 * word);
    Value pair =
        vector::LoadOp::create(b, loc, pairType, memref, at,
                               /*nontemporal=*/false, llvm::MaybeAlign(4));
    words.push_back(vector::ExtractOp::create(
        b, loc, vector::BitCastOp::create(b, loc, wordType, pair), 0));
  }
  for (int64_t pair = 0; 2 * pair < count; ++pair) {
    Value low = words[pair],
          high = pair + 1 < static_cast<int64_t>(words.size()) ? words[pair + 1]
                                                               : low;
    Value word = LLVM::FshrOp::create(b, loc, high, low, bits);
    Value both = vector::BitCastOp::create(
        b, loc, pairType,
        vector::FromElementsOp::create(b, loc, wordType, word));
    for (int64_t i = 0; i < std::min<int64_t>(2, count - 2 * pair); ++i)
      elements.push_back(vector::ExtractOp::create(b, loc, both, i));
  }
  return elements;
}

void TileExpander::storeElements(ArrayRef<Value> elements, Value memref,
                                 ValueRange indices, int64_t width) {
  SmallVector<Value> at(indices);
  auto type = VectorType::get({width}, getElementTypeOrSelf(memref.getType()));
  auto count = static_cast<int64_t>(elements.size());
  for (int64_t first = 0; first < count; first += width) {
    at.back() = withOffset(index, indices.back(), first);
    Value vector = vector::FromElementsOp::create(b, loc, type,
                                                  elements.slice(first, width));
    vector::StoreOp::create(b, loc, vector, memref, at, /*nontemporal=*/false,
                            llvm::MaybeAlign(width * getElementBytes(memref)));
  }
}
