//===- TileEmitter.cpp - Register tiles as vector ops ---------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileEmitter.h"

#include "../Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {

class TileEmitter {
public:
  TileEmitter(OpBuilder &b, Location loc, const FactorContext &context,
              const TilePosition &at, int64_t rows, int64_t vectors)
      : b(b), loc(loc), index(b, loc), context(context), at(at), rows(rows),
        vectors(vectors), p(context.pattern), reals(context.getReals()),
        lanes(context.tile.getLanes() * reals) {}
  virtual ~TileEmitter() = default;

  void emit();

protected:
  /// The row operand (`row` < rows) and the vector operand (`vector` < vectors)
  /// of step k. A complex step has two parts: x and (re k, re k), then x with
  /// its parts swapped and (-im k, im k).
  virtual Value loadRow(int64_t row, Value k, int64_t part) = 0;
  virtual Value loadVector(int64_t vector, Value k, int64_t part) = 0;
  /// Elements at the place of accumulator (row, vector): a vector of lanes
  /// reals in the memref's element type.
  virtual Value loadAt(const Activations &memref, int64_t row,
                       int64_t vector) = 0;
  virtual void storeAt(Value value, int64_t row, int64_t vector) = 0;

  VectorType vectorType(Type element, int64_t size) {
    return VectorType::get({size}, element);
  }
  Value toAccumulator(Value value) {
    Type real = context.getAccumulatorReal();
    if (getElementTypeOrSelf(value.getType()) == real)
      return value;
    Type type = real;
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      type = vector.clone(real);
    return arith::ExtFOp::create(b, loc, type, value);
  }
  static Type getReal(Value memref) {
    return cast<MemRefType>(memref.getType()).getElementType();
  }
  Value load(Value memref, ValueRange at, int64_t size) {
    return vector::LoadOp::create(b, loc, vectorType(getReal(memref), size),
                                  memref, at);
  }
  /// Repeats `value`, of `size` reals, `times` times, and pads to `lanes`;
  /// `part` 1 swaps the parts of complex numbers.
  Value replicate(Value value, int64_t size, int64_t times, int64_t part = 0) {
    SmallVector<int64_t> mask(lanes, 0);
    for (int64_t lane = 0; lane < lanes; ++lane)
      mask[lane] = lane < size * times ? (lane % size) ^ part : part;
    if (size == lanes && part == 0)
      return value;
    return vector::ShuffleOp::create(b, loc, value, value, mask);
  }
  /// A scalar in every lane.
  Value broadcast(Value scalar) {
    return vector::BroadcastOp::create(
        b, loc, vectorType(scalar.getType(), lanes), scalar);
  }
  /// Weight of lane 0 of packed vector `slot` of step k.
  Value packedOffset(Value k, int64_t part, int64_t slot) {
    CPUPackingAttr packing = context.tile.getPacking();
    int64_t perVector = packing.getLanes() * reals;
    int64_t perPart = packing.getVectors() * perVector;
    return index.add(index.add(at.panel, index.mul(k, reals * perPart)),
                     part * perPart + slot * perVector);
  }

  OpBuilder &b;
  Location loc;
  IndexBuilder index;
  const FactorContext &context;
  const TilePosition &at;
  const int64_t rows, vectors;
  const KSPattern p;
  const int64_t reals, lanes;

private:
  SmallVector<Value> step(Value k, ValueRange accumulators);
  SmallVector<Value> accumulate();
  Value finish(Value accumulator, int64_t row, int64_t vector);
};

/// One k: every accumulator gains (row operand) * (vector operand).
SmallVector<Value> TileEmitter::step(Value k, ValueRange accumulators) {
  SmallVector<Value> sums(accumulators);
  for (int64_t part = 0; part < reals; ++part) {
    SmallVector<Value> right;
    for (int64_t v = 0; v < vectors; ++v)
      right.push_back(loadVector(v, k, part));
    for (int64_t r = 0; r < rows; ++r) {
      Value left = loadRow(r, k, part);
      for (int64_t v = 0; v < vectors; ++v) {
        // Contracted to an FMA where the target has one.
        Value &sum = sums[r * vectors + v];
        Value product = arith::MulFOp::create(b, loc, left, right[v],
                                              arith::FastMathFlags::contract);
        sum = arith::AddFOp::create(b, loc, product, sum,
                                    arith::FastMathFlags::contract);
      }
    }
  }
  return sums;
}

SmallVector<Value> TileEmitter::accumulate() {
  auto type = vectorType(context.getAccumulatorReal(), lanes);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  SmallVector<Value> zeros(rows * vectors, zero);
  int64_t unroll = context.tile.getUnroll();
  auto unrolled = [&](Value k, ValueRange sums) {
    SmallVector<Value> next(sums);
    for (int64_t u = 0; u < unroll; ++u)
      next = step(index.add(k, u), next);
    return next;
  };
  if (unroll == p.c)
    return unrolled(index.constant(0), zeros);
  auto loop = scf::ForOp::create(
      b, loc, index.constant(0), index.constant(p.c), index.constant(unroll),
      zeros, [&](OpBuilder &, Location, Value k, ValueRange sums) {
        // All emission goes through `b`.
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(k.getParentBlock());
        scf::YieldOp::create(b, loc, unrolled(k, sums));
      });
  return SmallVector<Value>(loop.getResults());
}

/// Epilogue and rounding.
Value TileEmitter::finish(Value accumulator, int64_t row, int64_t vector) {
  if (context.epilogue) {
    SmallVector<Value> args{accumulator};
    for (const Activations &extra : context.extras)
      args.push_back(loadAt(extra, row, vector));
    accumulator = emitVectorEpilogue(b, loc, *context.epilogue, args,
                                     context.isComplex());
  }
  auto type = cast<VectorType>(accumulator.getType());
  return createRounded(b, loc, accumulator,
                       type.clone(getReal(context.output.memref)));
}

void TileEmitter::emit() {
  SmallVector<Value> sums = accumulate();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      storeAt(finish(sums[r * vectors + v], r, v), r, v);
}

//===----------------------------------------------------------------------===//
// Batch-first: rows are entries of the batch, vectors cover (n, j)
//===----------------------------------------------------------------------===//

class BatchFirstTile : public TileEmitter {
public:
  using TileEmitter::TileEmitter;

private:
  int64_t getN() const { return context.tile.getPacking().getN(); }
  int64_t getJ() const { return context.tile.getPacking().getJ(); }

  Value entry(const Activations &memref, int64_t row) {
    return index.add(index.add(at.m, row), memref.batchOffset);
  }

  Value loadRow(int64_t row, Value k, int64_t part) override {
    // Column (i*c + k)*d + j0.
    Value column =
        index.add(index.mul(index.add(index.mul(at.i, p.c), k), p.d), at.j0);
    SmallVector<Value> position{entry(context.input, row),
                                index.mul(column, reals)};
    if (getJ() * reals == 1)
      return broadcast(toAccumulator(
          memref::LoadOp::create(b, loc, context.input.memref, position)));
    int64_t size = getJ() * reals;
    Value piece =
        toAccumulator(loadPiece(context.input.memref, position, size));
    return replicate(piece, size, getN(), part);
  }

  /// `size` reals of `memref` in a vector of a size that machines have; a mask
  /// keeps the load from reading past the end of the memory.
  Value loadPiece(Value memref, ValueRange position, int64_t size) {
    if (llvm::isPowerOf2_64(size))
      return load(memref, position, size);
    int64_t full = llvm::PowerOf2Ceil(size);
    SmallVector<bool> bits(full, false);
    std::fill_n(bits.begin(), size, true);
    auto type = vectorType(getReal(memref), full);
    Value mask = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(vectorType(b.getI1Type(), full), bits));
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(b, loc, type, memref, position, mask,
                                        zero);
  }

  Value loadVector(int64_t vector, Value k, int64_t part) override {
    return load(context.weight, packedOffset(k, part, vector), lanes);
  }

  /// The tile's elements are `count` contiguous pieces of `size` reals.
  struct Pieces {
    int64_t count, size;
  };
  Pieces getPieces() const {
    if (getJ() == p.d || getN() == 1)
      return {1, getN() * getJ() * reals};
    return {getN(), getJ() * reals};
  }
  /// Feature (i*b + n)*d + j0 of piece `piece`, in reals.
  Value feature(int64_t vector, int64_t piece) {
    Value n = index.add(at.n0, vector * getN() + piece);
    Value row = index.add(index.mul(at.i, p.b), n);
    return index.mul(index.add(index.mul(row, p.d), at.j0), reals);
  }
  SmallVector<Value> piecePosition(const Activations &memref, int64_t row,
                                   int64_t vector, int64_t piece) {
    SmallVector<Value> position;
    if (cast<MemRefType>(memref.memref.getType()).getRank() == 2)
      position.push_back(entry(memref, row));
    position.push_back(feature(vector, piece));
    return position;
  }

  Value loadAt(const Activations &memref, int64_t row,
               int64_t vector) override {
    auto [count, size] = getPieces();
    // LLVM cannot legalize odd vectors of bf16 of more than 8 elements.
    if (count == 1 && static_cast<int64_t>(llvm::PowerOf2Ceil(size)) == lanes)
      return loadPiece(memref.memref, piecePosition(memref, row, vector, 0),
                       size);
    auto type = vectorType(getReal(memref.memref), lanes);
    Value value = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    for (int64_t piece = 0; piece < count; ++piece)
      value = vector::InsertStridedSliceOp::create(
          b, loc,
          load(memref.memref, piecePosition(memref, row, vector, piece), size),
          value, /*offsets=*/{piece * size}, /*strides=*/{1});
    return value;
  }

  void storeAt(Value value, int64_t row, int64_t vector) override {
    auto [count, size] = getPieces();
    for (int64_t piece = 0; piece < count; ++piece) {
      Value part = value;
      if (size != lanes)
        part = vector::ExtractStridedSliceOp::create(
            b, loc, value, /*offsets=*/{piece * size}, /*sizes=*/{size},
            /*strides=*/{1});
      vector::StoreOp::create(
          b, loc, part, context.output.memref,
          piecePosition(context.output, row, vector, piece));
    }
  }
};

//===----------------------------------------------------------------------===//
// Batch-last: rows are rows n, vectors cover the batch
//===----------------------------------------------------------------------===//

class BatchLastTile : public TileEmitter {
public:
  BatchLastTile(OpBuilder &b, Location loc, const FactorContext &context,
                const TilePosition &at, int64_t rows, int64_t vectors,
                Value remaining)
      : TileEmitter(b, loc, context, at, rows, vectors) {
    if (remaining)
      mask =
          vector::CreateMaskOp::create(b, loc, vectorType(b.getI1Type(), lanes),
                                       index.mul(remaining, reals));
  }

private:
  Value column(const Activations &memref, int64_t vector) {
    Value entry = index.add(at.m, vector * context.tile.getLanes());
    return index.mul(index.add(entry, memref.batchOffset), reals);
  }
  Value loadMasked(Value memref, ValueRange position) {
    if (!mask)
      return load(memref, position, lanes);
    auto type = vectorType(getReal(memref), lanes);
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(b, loc, type, memref, position, mask,
                                        zero);
  }

  Value loadRow(int64_t row, Value k, int64_t part) override {
    Value offset = index.add(packedOffset(k, part, 0), row * reals);
    if (reals == 1)
      return broadcast(memref::LoadOp::create(b, loc, context.weight, offset));
    return replicate(load(context.weight, offset, reals), reals, lanes / reals);
  }

  Value loadVector(int64_t vector, Value k, int64_t part) override {
    Value row =
        index.add(index.mul(index.add(index.mul(at.i, p.c), k), p.d), at.j0);
    Value value =
        loadMasked(context.input.memref, {row, column(context.input, vector)});
    // An input of another type: each vector is loaded for many rows.
    value = toAccumulator(createRounded(
        b, loc, value, vectorType(getRealType(context.elementType), lanes)));
    if (part == 0)
      return value;
    return replicate(value, lanes, 1, part);
  }

  Value feature(int64_t row) {
    Value n = index.add(index.mul(at.i, p.b), index.add(at.n0, row));
    return index.add(index.mul(n, p.d), at.j0);
  }

  Value loadAt(const Activations &memref, int64_t row,
               int64_t vector) override {
    if (cast<MemRefType>(memref.memref.getType()).getRank() == 2)
      return loadMasked(memref.memref, {feature(row), column(memref, vector)});
    Value position = index.mul(feature(row), reals);
    if (reals == 1)
      return broadcast(memref::LoadOp::create(b, loc, memref.memref, position));
    return replicate(load(memref.memref, position, reals), reals,
                     lanes / reals);
  }

  void storeAt(Value value, int64_t row, int64_t vector) override {
    SmallVector<Value> position{feature(row), column(context.output, vector)};
    if (mask)
      vector::MaskedStoreOp::create(b, loc, context.output.memref, position,
                                    mask, value);
    else
      vector::StoreOp::create(b, loc, value, context.output.memref, position);
  }

  Value mask;
};

} // namespace

void ks::emitTile(OpBuilder &b, Location loc, const FactorContext &context,
                  const TilePosition &position, int64_t rows, int64_t vectors,
                  Value remaining) {
  if (context.layout == Layout::BatchFirst)
    BatchFirstTile(b, loc, context, position, rows, vectors).emit();
  else
    BatchLastTile(b, loc, context, position, rows, vectors, remaining).emit();
}
