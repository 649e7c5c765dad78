//===- Fragments.cpp - From shared memory through mma ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The maps of FragmentLayout.h as code: loads of fragments, and the
// multiplication.
//
//===----------------------------------------------------------------------===//

#include "../SplitFloatBuilder.h"
#include "TileExpander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

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
  if (!batchFirst && layout.isWeightsFirst() &&
      isWideVector(columns, getElementBytes(op.getSource())))
    laneM = index.add(index.div(laneM, 2), index.mul(index.rem(laneM, 2), 4));

  // The same for all tiles: their entries are multiples of 16 bytes apart.
  Value shift;
  if (!op.getShift().empty())
    shift = getShift(index, op.getShift()[0], laneM, op.getShift()[1],
                     getElementBytes(op.getSource()));

  // A run of k and the columns behind each are one piece; batch-last, and where
  // a warp takes part of the slab, the run is 1. Of an entry, runs of k are
  // that of a slab apart.
  int64_t piece = run * columns * parts;
  int64_t distance = batchFirst ? run * slab * parts : piece;
  int64_t width = getCommonPowerOfTwo(
      kWidestBytes / getElementBytes(op.getSource()), {piece, distance});
  auto loadPiece = [&](int64_t tile, int64_t firstK) {
    // k of the run's first slot
    Value k = withOffset(index, index.mul(laneK, run), firstK);
    Value row = op.getRow(), column = index.mul(op.getColumn(), parts);
    if (batchFirst) {
      row = index.add(
          withOffset(index, row, FragmentLayout::tileEntries * tile), laneM);
      column = index.add(column, index.mul(k, slab * parts));
      if (shift)
        column = index.add(shift, column);
    } else {
      row = index.add(row, k);
      column = index.add(
          withOffset(index, column,
                     FragmentLayout::tileEntries * columns * tile * parts),
          index.mul(laneM, columns * parts));
    }
    if (shift)
      return loadShifted(op.getSource(), {op.getStage(), row, column}, piece);
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
  b.replaceOp(op, assemble(type, gather(type, fragment)));
}

/// Of [atom][k][entries], swizzled: a lane's vector is one piece of 16 bytes.
SmallVector<Value> TileExpander::loadRowsOfK(LoadAtomsOp op) {
  FragmentLayout layout = op.getFragments().getLayout();
  VectorType type = op.getFragment().getType();
  int64_t columns = type.getDimSize(0), tiles = type.getDimSize(1);
  int64_t bytes = getElementBytes(op.getSource());
  int64_t rowBytes = op.getSource().getType().getDimSize(3) * bytes;
  Value laneM = getLaneM(index, lane), laneK = getLaneK(index, layout, lane);
  Value firstAtom = index.div(op.getRow(), rowBytes / bytes);
  SmallVector<SmallVector<Value>> fragment(columns * tiles);
  for (int64_t slot = 0; slot < FragmentLayout::slotsK; ++slot) {
    // FragmentLayout::k
    int64_t runs = slot / layout.runK * layout.runK * layout.lanesK();
    Value k = withOffset(index, index.mul(laneK, layout.runK),
                         runs + slot % layout.runK);
    Value row = index.add(index.mul(op.getStep(), layout.stepK()), k);
    Value offset = swizzleBytes(
        index.add(index.mul(k, rowBytes), index.mul(laneM, columns * bytes)),
        static_cast<int64_t>(op.getSwizzle()));
    Value column = index.div(index.rem(offset, rowBytes), bytes);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      SmallVector<Value> elements = loadElements(
          op.getSource(),
          {op.getStage(), withOffset(index, firstAtom, tile), row, column},
          columns, columns);
      for (int64_t q = 0; q < columns; ++q)
        fragment[q * tiles + tile].push_back(elements[q]);
    }
  }
  return gather(type, fragment);
}

SmallVector<Value> TileExpander::gather(VectorType type,
                                        ArrayRef<SmallVector<Value>> fragment) {
  auto vectorType =
      VectorType::get({type.getDimSize(2)}, type.getElementType());
  SmallVector<Value> vectors;
  for (ArrayRef<Value> reals : fragment)
    vectors.push_back(
        vector::FromElementsOp::create(b, loc, vectorType, reals));
  return vectors;
}

void TileExpander::expand(LoadAtomsOp op) {
  FragmentLayout layout = op.getFragments().getLayout();
  VectorType type = op.getFragment().getType();
  if (op.getLayout() == Layout::BatchLast)
    return b.replaceOp(op, assemble(type, loadRowsOfK(op)));
  int64_t columns = type.getDimSize(0), tiles = type.getDimSize(1);
  int64_t run = layout.runK, runs = FragmentLayout::slotsK / run;
  auto slab = static_cast<int64_t>(op.getSlab());
  auto swizzle = static_cast<int64_t>(op.getSwizzle());
  int64_t bytes = getElementBytes(op.getSource());
  Value laneM = getLaneM(index, lane), laneK = getLaneK(index, layout, lane);
  int64_t width =
      getCommonPowerOfTwo(kWidestBytes / bytes, {run * columns, run * slab});
  // A lane's piece is in one piece of memory, or in several of 16 bytes where
  // the engine put them. The row of an entry does not depend on the tile, as
  // far as swizzling goes.
  int64_t piece = swizzle == 0 ? run * columns : width;
  SmallVector<Value> pieces;
  for (int64_t first = 0; first < run * columns; first += piece) {
    Value column = index.add(index.mul(laneK, run * slab),
                             withOffset(index, op.getColumn(), first));
    if (swizzle != 0) {
      Value row = index.mul(laneM, op.getSource().getType().getDimSize(3));
      Value offset =
          swizzleBytes(index.mul(index.add(row, column), bytes), swizzle);
      column = index.sub(index.div(offset, bytes), row);
    }
    pieces.push_back(column);
  }

  SmallVector<SmallVector<Value>> fragment(columns * tiles);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    Value row = index.add(
        withOffset(index, op.getRow(), FragmentLayout::tileEntries * tile),
        laneM);
    for (int64_t r = 0; r < runs; ++r) {
      Value atom = withOffset(index, index.mul(op.getStep(), runs), r);
      SmallVector<Value> elements;
      for (Value column : pieces)
        llvm::append_range(elements,
                           loadElements(op.getSource(),
                                        {op.getStage(), atom, row, column},
                                        piece, width));
      for (int64_t slot = 0; slot < run; ++slot)
        for (int64_t q = 0; q < columns; ++q)
          fragment[q * tiles + tile].push_back(elements[slot * columns + q]);
    }
  }
  b.replaceOp(op, assemble(type, gather(type, fragment)));
}

//===----------------------------------------------------------------------===//
// Multiplication
//===----------------------------------------------------------------------===//

namespace {
/// One tile's multiplication.
class TileMma {
public:
  TileMma(OpBuilder &b, Location loc, FragmentLayout layout, Type element)
      : b(b), loc(loc), layout(layout), element(element) {}

  /// Operands as the instruction takes them; done once per fragment.
  SmallVector<Value> prepareWeights(Value vector) {
    if (isOfPairs())
      return getPairs(vector);
    SmallVector<Value> reals = getElements(b, loc, vector);
    if (layout.isTF32()) // rounded when they were packed
      for (Value &real : reals)
        real = arith::BitcastOp::create(b, loc, b.getI32Type(), real);
    return reals;
  }
  SmallVector<Value> prepareActivations(Value vector) {
    if (layout.isSplit())
      return splitPairs(getElements(b, loc, vector));
    if (isOfPairs())
      return getPairs(vector);
    SmallVector<Value> reals = getElements(b, loc, vector);
    if (layout.isTF32())
      for (Value &real : reals)
        real = SplitFloatBuilder(b, loc).roundToTF32(real);
    return reals;
  }

  /// accumulator + weights · activations.
  Value multiply(ArrayRef<Value> weights, ArrayRef<Value> activations,
                 Value accumulator) {
    SmallVector<Value> sums = getElements(b, loc, accumulator);
    switch (layout.instruction) {
    case WarpInstruction::Mma16:
      sums = mma(weights, activations, sums, 16,
                 element.isBF16() ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16);
      break;
    case WarpInstruction::Mma8:
      for (int64_t half : {0, 1})
        sums = mma(weights.slice(4 * half, 4), activations.slice(2 * half, 2),
                   sums, 8, NVVM::MMATypes::tf32);
      break;
    case WarpInstruction::Mma16Split:
      multiplySplit(weights, activations, sums);
      break;
    case WarpInstruction::Wgmma16:
    case WarpInstruction::WgmmaRS16:
    case WarpInstruction::WgmmaRS8:
      break; // are ks.warpgroup_mma and ks.warpgroup_mma_registers
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
  /// Two neighbours each: a register.
  SmallVector<Value> getPairs(Value vector) {
    SmallVector<Value> pairs;
    for (int64_t i = 0; i < cast<VectorType>(vector.getType()).getDimSize(0);
         i += 2) {
      Value pair = getPair(b, loc, vector, i);
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
  bool isOfPairs() const {
    return layout.instruction == WarpInstruction::Mma16 || layout.isSplit();
  }
  /// Registers of the pairs' first parts, then of the second and third ones.
  SmallVector<Value> splitPairs(ArrayRef<Value> reals) {
    SplitFloatBuilder floats(b, loc);
    SmallVector<std::array<Value, 3>> parts;
    for (Value real : reals)
      parts.push_back(floats.split(real));
    SmallVector<Value> pairs;
    for (size_t i = 0; i < reals.size(); i += 2)
      pairs.push_back(floats.packFirst(reals[i], reals[i + 1]));
    for (size_t part : {1, 2})
      for (size_t i = 0; i < parts.size(); i += 2)
        pairs.push_back(floats.packLater(parts[i][part], parts[i + 1][part]));
    return pairs;
  }
  /// Sums of high products, then of low ones, as SplitFloat.h has them.
  void multiplySplit(ArrayRef<Value> weights, ArrayRef<Value> activations,
                     MutableArrayRef<Value> sums) {
    SplitFloatBuilder floats(b, loc);
    size_t numSums = sums.size() / layout.numSums();
    auto multiply = [&](size_t weightPart, size_t activationPart,
                        ValueRange added) {
      return mma(weights.slice(4 * weightPart, 4),
                 activations.slice(2 * activationPart, 2), added, 16,
                 NVVM::MMATypes::bf16);
    };
    SmallVector<Value> zero(numSums, floats.getFloat(0));
    SmallVector<Value> high = multiply(0, 0, zero);
    SmallVector<Value> low = multiply(
        0, 1, multiply(1, 0, SmallVector<Value>(sums.drop_front(numSums))));
    SmallVector<Value> seconds = multiply(1, 1, zero);
    SmallVector<Value> thirds = multiply(2, 0, multiply(0, 2, zero));
    for (size_t i = 0; i < numSums; ++i) {
      sums[i] = arith::AddFOp::create(b, loc, sums[i], high[i]);
      sums[numSums + i] = floats.mulAdd(
          seconds[i], 1 / kSecondScale,
          floats.mulAdd(thirds[i], kSecondScale / kThirdScale, low[i]));
    }
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
  FragmentLayout layout;
  Type element;
};
} // namespace

void TileExpander::expand(WarpMmaOp op) {
  VectorType type = op.getResult().getType();
  int64_t columns = type.getDimSize(0), tilesN = type.getDimSize(1),
          tilesM = type.getDimSize(2);
  bool isShared = op.getWeights().getType().getDimSize(0) != columns;
  TileMma tile(b, loc, op.getFragments().getLayout(),
               op.getWeights().getType().getElementType());
  SmallVector<SmallVector<Value>> weights;
  SmallVector<Value> results;
  for (int64_t q = 0; q < columns; ++q) {
    if (q == 0 || !isShared) {
      weights.clear();
      for (int64_t n = 0; n < tilesN; ++n)
        weights.push_back(
            tile.prepareWeights(getVector(b, loc, op.getWeights(), {q, n})));
    }
    SmallVector<SmallVector<Value>> activations;
    for (int64_t m = 0; m < tilesM; ++m)
      activations.push_back(tile.prepareActivations(
          getVector(b, loc, op.getActivations(), {q, m})));
    for (int64_t n = 0; n < tilesN; ++n)
      for (int64_t m = 0; m < tilesM; ++m)
        results.push_back(
            tile.multiply(weights[n], activations[m],
                          getVector(b, loc, op.getAccumulator(), {q, n, m})));
  }
  b.replaceOp(op, assemble(type, results));
}

void TileExpander::expand(JoinPartsOp op) {
  VectorType type = op.getResult().getType();
  int64_t size = type.getShape().back();
  SplitFloatBuilder floats(b, loc);
  SmallVector<Value> vectors;
  for (Value vector : getVectors(b, loc, op.getSource())) {
    SmallVector<Value> parts = getElements(b, loc, vector), sums;
    for (int64_t i = 0; i < size; ++i)
      sums.push_back(floats.join(parts[i], parts[size + i]));
    vectors.push_back(vector::FromElementsOp::create(
        b, loc, VectorType::get({size}, type.getElementType()), sums));
  }
  b.replaceOp(op, assemble(type, vectors));
}
