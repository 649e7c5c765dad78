//===- Warpgroups.cpp - Four warps that multiply together -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products by wgmma, and the order of their results.
//
//===----------------------------------------------------------------------===//

#include "../SplitFloatBuilder.h"
#include "TileExpander.h"
#include "WgmmaBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

void TileExpander::expand(WarpgroupMmaOp op) {
  VectorType type = op.getResult().getType();
  // [stage][step][tile]..., and [stage][atom][entries or k]...
  MemRefType weightsType = op.getWeights().getType(),
             activationsType = op.getActivations().getType();
  int64_t steps = weightsType.getDimSize(1), tiles = type.getDimSize(1),
          rows = activationsType.getDimSize(2);
  bool isBatchFirst = op.getLayout() == Layout::BatchFirst;
  WgmmaBuilder wgmma(b, loc, weightsType.getElementType());
  auto getPlace = [&](MemRefType type, Value stage) {
    return index.mul(
        stage, ShapedType::getNumElements(type.getShape().drop_front()) * 2);
  };
  // `row` is a multiple of 8, and batch-last of 64.
  Value first = isBatchFirst
                    ? index.mul(op.getRow(), kWgmmaRowBytes)
                    : index.mul(index.div(op.getRow(), kWgmmaRowBytes / 2),
                                rows * kWgmmaRowBytes);
  // Core matrices: those of other k behind all those of other rows.
  Value weights = wgmma.describe(
      op.getWeights(), getPlace(weightsType, op.getWeightStage()),
      /*leading=*/kWgmmaRows / kCoreRows * kCoreBytes, /*stride=*/kCoreBytes,
      /*swizzle=*/0);
  Value activations =
      wgmma.describe(op.getActivations(),
                     index.add(getPlace(activationsType, op.getStage()), first),
                     /*leading=*/isBatchFirst ? 16 : rows * kWgmmaRowBytes,
                     /*stride=*/8 * kWgmmaRowBytes, /*swizzle=*/kWgmmaRowBytes);
  auto getActivations = [&](int64_t step) {
    constexpr int64_t kDepthBytes = kWgmmaDepth * 2,
                      kSteps = kWgmmaRowBytes / kDepthBytes; // Of an atom.
    return wgmma.move(activations, isBatchFirst
                                       ? step / kSteps * rows * kWgmmaRowBytes +
                                             step % kSteps * kDepthBytes
                                       : step * kWgmmaDepth * kWgmmaRowBytes);
  };
  auto getWeights = [&](int64_t step, int64_t tile) {
    return wgmma.move(weights,
                      (step * tiles + tile) * kWgmmaRows * kWgmmaDepth * 2);
  };

  SmallVector<Value> sums =
      wgmma.toStructs(splitFragments(op.getAccumulator()), tiles);
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t tile = 0; tile < tiles; ++tile)
      sums[tile] = wgmma.multiply(
          getWeights(step, tile), getActivations(step), sums[tile],
          isBatchFirst ? NVVM::MMALayout::col : NVVM::MMALayout::row);
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, 1);
  b.replaceOp(
      op, assemble(type, makeVectors(b, loc, type, wgmma.fromStructs(sums))));
}

//===----------------------------------------------------------------------===//
// Entries in rows
//===----------------------------------------------------------------------===//

namespace {
/// Packed weights, [stage][step][j][tile][lane][position].
struct PackedTiles {
  explicit PackedTiles(TypedValue<MemRefType> weights)
      : shape(weights.getType().getShape()),
        tileBytes(shape[4] * shape[5] * getElementBytes(weights)) {}

  /// The descriptor of tiles from byte `place` on.
  Value describe(WgmmaBuilder &wgmma, Value weights, Value place) const {
    return wgmma.describe(weights, place, /*leading=*/kCoreBytes,
                          /*stride=*/tileBytes, /*swizzle=*/0);
  }
  /// From a column to the next.
  int64_t getColumnBytes() const {
    bool isShared = shape[2] == 1;
    return isShared ? 0 : shape[3] * tileBytes;
  }
  int64_t getStepBytes() const { return shape[2] * shape[3] * tileBytes; }

  ArrayRef<int64_t> shape;
  int64_t tileBytes;
};
} // namespace

/// This lane's registers of 16 entries, for one instruction after another, from
/// the fragments of two tiles: pairs of k of both, then the others; of tf32,
/// each k of both.
static SmallVector<Value> getRegisters(OpBuilder &b, Location loc, Value first,
                                       Value second) {
  SmallVector<Value> registers;
  if (getElementTypeOrSelf(first).isF32()) {
    SplitFloatBuilder floats(b, loc);
    for (int64_t k = 0; k < FragmentLayout::slotsK; ++k)
      for (Value tile : {first, second})
        registers.push_back(floats.roundToTF32(getElement(b, loc, tile, k)));
    return registers;
  }
  auto word = VectorType::get({1}, b.getI32Type());
  for (int64_t pair : {0, 1})
    for (Value tile : {first, second}) {
      Value two = getPair(b, loc, tile, 2 * pair);
      registers.push_back(vector::ExtractOp::create(
          b, loc, vector::BitCastOp::create(b, loc, word, two), 0));
    }
  return registers;
}

void TileExpander::expand(WarpgroupMmaRegistersOp op) {
  VectorType type = op.getResult().getType();
  int64_t columns = type.getDimSize(0), tilesN = type.getDimSize(1),
          tilesM = type.getDimSize(2);
  WgmmaBuilder wgmma(b, loc, op.getActivations().getType().getElementType());
  PackedTiles packed(op.getWeights());
  Value place = index.mul(op.getWeightStage(), packed.shape[1]);
  place = index.mul(index.add(place, op.getStep()), packed.shape[2]);
  place = index.mul(index.add(place, op.getJ()), packed.shape[3]);
  place = index.mul(index.add(place, op.getTile()), packed.tileBytes);
  Value weights = packed.describe(wgmma, op.getWeights(), place);

  // By column and 16 entries.
  SmallVector<SmallVector<Value>> activations;
  for (int64_t q = 0; q < columns; ++q)
    for (int64_t m = 0; m < tilesM; m += 2)
      activations.push_back(
          getRegisters(b, loc, getVector(b, loc, op.getActivations(), {q, m}),
                       getVector(b, loc, op.getActivations(), {q, m + 1})));
  SmallVector<Value> elements = splitFragments(op.getAccumulator());
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  for (int64_t q = 0; q < columns; ++q)
    for (int64_t m = 0; m < tilesM; m += 2) {
      // Of two tiles of m, two each.
      auto getSums = [&](int64_t n) {
        return MutableArrayRef<Value>(elements).slice(
            ((q * tilesN + n) * tilesM + m) * 2, 4);
      };
      SmallVector<Value> sums;
      for (int64_t n = 0; n < tilesN; ++n)
        llvm::append_range(sums, getSums(n));
      ArrayRef<Value> registers = activations[(q * tilesM + m) / 2];
      // Two core matrices along k each.
      for (int64_t bytes = q * packed.getColumnBytes(); !registers.empty();
           registers = registers.drop_front(4), bytes += 2 * kCoreBytes)
        sums = wgmma.multiply(registers.take_front(4),
                              wgmma.move(weights, bytes), sums);
      for (int64_t n = 0; n < tilesN; ++n)
        llvm::copy(ArrayRef<Value>(sums).slice(4 * n, 4), getSums(n).begin());
    }
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, op.getPending() ? 1 : 0);
  b.replaceOp(op, assemble(type, makeVectors(b, loc, type, elements)));
}

void TileExpander::expand(WarpgroupMmaPlanesOp op) {
  VectorType type = op.getResult().getType();
  int64_t columns = type.getDimSize(0);
  WgmmaBuilder wgmma(b, loc, op.getActivations().getType().getElementType());
  PackedTiles packed(op.getWeights());
  int64_t steps = packed.shape[1], stepBytes = packed.getStepBytes();
  Value place = index.mul(
      index.add(index.mul(op.getWeightColumn(), packed.shape[3]), op.getTile()),
      packed.tileBytes);
  place = index.add(place, index.mul(op.getWeightStage(), steps * stepBytes));
  Value weights = packed.describe(wgmma, op.getWeights(), place);

  // [stage][atom][j·entries][k]
  ArrayRef<int64_t> planes = op.getActivations().getType().getShape();
  const int64_t rowBytes = planes[3] * 2, atomBytes = planes[2] * rowBytes;
  const int64_t planeBytes = static_cast<int64_t>(op.getEntries()) * rowBytes;
  const int64_t atomSteps = planes[3] / kWgmmaDepth;
  place = index.add(index.mul(op.getColumn(), planeBytes),
                    index.mul(op.getRow(), rowBytes));
  place = index.add(place, index.mul(op.getStage(), planes[1] * atomBytes));
  Value activations =
      wgmma.describe(op.getActivations(), place, /*leading=*/16,
                     /*stride=*/8 * rowBytes, /*swizzle=*/rowBytes);

  SmallVector<Value> sums(static_cast<size_t>(columns));
  if (op.getFresh())
    llvm::fill(sums, wgmma.getUnwritten(type.getNumElements() / columns));
  else
    sums = wgmma.toStructs(splitFragments(op.getAccumulator()), columns);
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  for (int64_t q = 0; q < columns; ++q)
    for (int64_t step = 0; step < steps; ++step)
      sums[q] = wgmma.multiply(
          wgmma.move(activations, step / atomSteps * atomBytes +
                                      q * planeBytes +
                                      step % atomSteps * kWgmmaDepth * 2),
          wgmma.move(weights, step * stepBytes + q * packed.getColumnBytes()),
          sums[q], NVVM::MMALayout::col, op.getFresh() && step == 0);
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, 1);
  b.replaceOp(
      op, assemble(type, makeVectors(b, loc, type, wgmma.fromStructs(sums))));
}

void TileExpander::expand(WarpgroupWaitOp op) {
  VectorType type = op.getResult().getType();
  WgmmaBuilder wgmma(b, loc, type.getElementType());
  b.replaceOp(op, assemble(type, makeVectors(b, loc, type,
                                             wgmma.wait(splitFragments(
                                                 op.getAccumulator())))));
}

//===----------------------------------------------------------------------===//
// The order of results
//===----------------------------------------------------------------------===//

namespace {
/// A matrix of 4 registers by 4 neighbouring lanes.
class QuadTranspose {
public:
  QuadTranspose(OpBuilder &b, Location loc, Value lane) : b(b), loc(loc) {
    for (int64_t bit : {1, 2}) {
      Value masked = b.createOrFold<arith::AndIOp>(
          loc, lane, arith::ConstantIndexOp::create(b, loc, bit));
      isOdd.push_back(
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, masked,
                                arith::ConstantIndexOp::create(b, loc, 0)));
    }
  }

  /// Register s of lane t becomes register t of lane s: lanes whose numbers
  /// differ in a bit exchange the registers whose numbers do.
  void apply(std::array<Value, 4> &registers) {
    for (size_t bit : {1, 2})
      for (size_t at = 0; at < 4; ++at)
        if ((at & bit) == 0)
          exchange(registers[at], registers[at | bit], bit);
  }

private:
  void exchange(Value &even, Value &odd, size_t bit) {
    Value condition = isOdd[bit / 2];
    auto select = [&](Value yes, Value no) -> Value {
      return arith::SelectOp::create(b, loc, condition, yes, no);
    };
    auto constant = [&](int64_t value) {
      return arith::ConstantIntOp::create(b, loc, value, 32);
    };
    Value received = NVVM::ShflOp::create(
        b, loc, b.getI32Type(), constant(-1), select(even, odd),
        constant(static_cast<int64_t>(bit)), constant(31), NVVM::ShflKind::bfly,
        UnitAttr());
    Value newEven = select(received, even);
    odd = select(odd, received);
    even = newEven;
  }

  OpBuilder &b;
  Location loc;
  SmallVector<Value, 2> isOdd;
};
} // namespace

void TileExpander::expand(ExchangeEntriesOp op) {
  VectorType from = op.getSource().getType(), to = op.getResult().getType();
  int64_t tilesN = to.getDimSize(1), tilesM = to.getDimSize(2);
  QuadTranspose quads(b, loc, lane);
  auto pairType = VectorType::get({2}, from.getElementType());
  auto word = VectorType::get({1}, b.getI32Type());
  // [column][tile n][tile m][half, entry]
  auto at = [&](int64_t q, int64_t n, int64_t m, int64_t i) {
    return ((q * tilesN + n) * tilesM + m) * 4 + i;
  };
  SmallVector<Value> elements(static_cast<size_t>(to.getNumElements()));
  for (int64_t n = 0; n < tilesN; ++n)
    for (int64_t m = 0; m < tilesM; ++m)
      for (int64_t half : {0, 1})
        for (int64_t e : {0, 1}) {
          // Of tiles t + 4e, entries 2t' and 2t' + 1 from lane t'.
          std::array<Value, 4> words;
          for (int64_t t = 0; t < 4; ++t) {
            Value pair = getPair(
                b, loc,
                getVector(b, loc, op.getSource(), {0, n, 8 * m + t + 4 * e}),
                2 * half);
            words[t] = vector::ExtractOp::create(
                b, loc, vector::BitCastOp::create(b, loc, word, pair), 0);
          }
          quads.apply(words);
          for (int64_t t = 0; t < 4; ++t) {
            Value pair = vector::BitCastOp::create(
                b, loc, pairType,
                vector::FromElementsOp::create(b, loc, word, words[t]));
            for (int64_t x : {0, 1})
              elements[at(2 * t + x, n, m, 2 * half + e)] =
                  vector::ExtractOp::create(b, loc, pair, x);
          }
        }
  b.replaceOp(op, assemble(to, makeVectors(b, loc, to, elements)));
}

/// The same numbers, from here on: LLVM, and ptxas, would convert sums only
/// when they are stored, and keep all of them until then. They move nothing
/// across an exchange between lanes, here of each with itself.
static Value keepHere(OpBuilder &b, Location loc, Value vector) {
  auto type = cast<VectorType>(vector.getType());
  int64_t words = type.getDimSize(0) * type.getElementTypeBitWidth() / 32;
  auto wordsType = VectorType::get({words}, b.getI32Type());
  auto constant = [&](int64_t value) {
    return arith::ConstantIntOp::create(b, loc, value, 32);
  };
  SmallVector<Value> kept;
  for (Value word : getElements(
           b, loc, vector::BitCastOp::create(b, loc, wordsType, vector)))
    kept.push_back(NVVM::ShflOp::create(b, loc, b.getI32Type(), constant(-1),
                                        word, constant(0), constant(31),
                                        NVVM::ShflKind::bfly, UnitAttr()));
  return vector::BitCastOp::create(
      b, loc, type, vector::FromElementsOp::create(b, loc, wordsType, kept));
}

void TileExpander::expand(InterleaveColumnsOp op) {
  VectorType from = op.getSource().getType(), to = op.getResult().getType();
  // A store takes them apart when it needs them.
  if (op.isApart())
    return;
  SmallVector<Value> vectors;
  for (int64_t c = 0; c < to.getDimSize(0); ++c)
    for (int64_t n = 0; n < to.getDimSize(1); ++n)
      for (int64_t m = 0; m < to.getDimSize(2); ++m) {
        SmallVector<Value> elements;
        for (int64_t s = 0; s < to.getDimSize(3); ++s)
          elements.push_back(getElement(
              b, loc, getVector(b, loc, op.getSource(), {2 * c + s % 2, n, m}),
              s / 2));
        Value vector = vector::FromElementsOp::create(
            b, loc, VectorType::get({to.getDimSize(3)}, from.getElementType()),
            elements);
        if (from.getElementType() != to.getElementType())
          vector = arith::TruncFOp::create(
              b, loc, VectorType::get({to.getDimSize(3)}, to.getElementType()),
              vector);
        vectors.push_back(keepHere(b, loc, vector));
      }
  b.replaceOp(op, assemble(to, vectors));
}
