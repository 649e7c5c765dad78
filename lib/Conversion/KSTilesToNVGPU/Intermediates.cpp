//===- Intermediates.cpp - From one factor of a chain to the next ---------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The map of ChainBuffer (ks/Analysis/GPUChain.h) as code.
//
//===----------------------------------------------------------------------===//

#include "Results.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <map>

using namespace mlir;
using namespace ks;

namespace {
/// Where a feature of the result goes: which block has it (null if there is one
/// only), and the element of entry 0 in its buffer.
struct Target {
  Value rank, element;
};

class IntermediateStore {
public:
  IntermediateStore(OpBuilder &b, StoreIntermediateOp op, Value lane)
      : index(b, op.getLoc()), map(b, op, op.getFragment().getType(), lane),
        p(op.getPattern().getPattern()), buffer(op.getBuffer().getBuffer()),
        layout(op.getFragments().getLayout()), type(op.getFragment().getType()),
        batchFirst(op.getLayout() == Layout::BatchFirst) {}

  SmallVector<ResultPiece> getPieces() { return map.getPieces(); }
  int64_t getParts() const { return map.getParts(); }

  int64_t getRun(int64_t limit) const {
    return getStoreRun(p, layout, type.getDimSize(0), buffer, batchFirst,
                       limit);
  }

  /// Whether (n, j) is inside of the pattern; null if it always is.
  Value isInside(Place n, Place j) {
    int64_t rows = type.getDimSize(1) * layout.tileN();
    Value inside;
    auto require = [&](Place place, int64_t size) {
      Value isLess =
          index.less(withOffset(index, place.base, place.offset), size);
      inside = inside ? index.both(inside, isLess) : isLess;
    };
    if (p.b % rows != 0)
      require(n, p.b);
    if (batchFirst && p.d % type.getDimSize(0) != 0)
      require(j, p.d);
    return inside;
  }

  /// Where row n and column j go.
  Target locate(Place n, Place j) {
    Target &target = targets[{n.base.getAsOpaquePointer(), n.offset,
                              j.base.getAsOpaquePointer(), j.offset}];
    if (target.element)
      return target;
    Value feature = map.getFeature(withOffset(index, n.base, n.offset),
                                   withOffset(index, j.base, j.offset));
    SmallVector<Value> at =
        index.delinearize(feature, {buffer.a, buffer.c, buffer.d});
    Value group = at[0], k = at[1], column = at[2];
    Value &shared = buffer.isAlongJ ? column : group;
    int64_t own = buffer.isAlongJ ? buffer.ownD() : buffer.ownA();
    if (buffer.blocks > 1) {
      target.rank = index.div(shared, own);
      shared = index.rem(shared, own);
    }
    if (batchFirst) {
      target.element = index.add(index.mul(group, buffer.rows * buffer.pitch),
                                 index.add(index.mul(k, buffer.slab), column));
    } else {
      group = index.add(index.mul(group, buffer.ownD()), column);
      target.element =
          index.mul(index.add(index.mul(group, buffer.rows), k), buffer.pitch);
    }
    return target;
  }

  /// How far entry `m` is from entry 0.
  Value getDistance(Place m) {
    int64_t pitch = batchFirst ? buffer.pitch : 1;
    return withOffset(index, index.mul(m.base, pitch), m.offset * pitch);
  }

private:
  IndexBuilder index;
  ResultMap map;
  KSPattern p;
  ChainBuffer buffer;
  FragmentLayout layout;
  VectorType type;
  bool batchFirst;
  std::map<std::tuple<void *, int64_t, void *, int64_t>, Target> targets;
};
} // namespace

void TileExpander::expand(StoreIntermediateOp op) {
  IntermediateStore store(b, op, lane);
  Value memref = op.getDestination();
  bool batchFirst = op.getLayout() == Layout::BatchFirst;
  int64_t bytes = getElementBytes(memref), parts = store.getParts();
  int64_t run = store.getRun(kWidestBytes / bytes / parts);
  auto put = [&](const Target &target, Value distance,
                 ArrayRef<Value> elements) {
    Value element = index.mul(index.add(target.element, distance), parts);
    Value pointer = getPointer(memref, index.mul(element, bytes), kSharedSpace);
    if (target.rank) {
      Value rank =
          arith::IndexCastOp::create(b, loc, b.getI32Type(), target.rank);
      pointer = NVVM::MapaOp::create(
          b, loc,
          LLVM::LLVMPointerType::get(b.getContext(), kSharedClusterSpace),
          pointer, rank);
    }
    Value value = elements.front();
    auto count = static_cast<int64_t>(elements.size());
    if (count > 1)
      value = vector::FromElementsOp::create(
          b, loc, VectorType::get({count}, value.getType()), elements);
    LLVM::StoreOp::create(b, loc, value, pointer,
                          static_cast<unsigned>(count * bytes));
  };
  for (const ResultPiece &piece : store.getPieces()) {
    SmallVector<Value> elements =
        llvm::map_to_vector(piece.elements, [&](std::array<int64_t, 4> at) {
          return getElement(
              b, loc,
              getVector(b, loc, op.getFragment(), ArrayRef(at).drop_back()),
              at.back());
        });
    for (int64_t at = 0; at < piece.rows * piece.columns; at += run) {
      int64_t column = at % piece.columns;
      Place n = piece.n + at / piece.columns;
      Place j = batchFirst ? piece.j + column : Place{op.getJ()};
      Place m = piece.entry + (batchFirst ? 0 : column);
      Target target = store.locate(n, j);
      Value distance = store.getDistance(m);
      auto values = ArrayRef(elements).slice(at * parts, run * parts);
      Value isInside = store.isInside(n, j);
      if (!isInside) {
        put(target, distance, values);
        continue;
      }
      auto branch = scf::IfOp::create(b, loc, isInside, /*else=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      put(target, distance, values);
    }
  }
  b.eraseOp(op);
}

void TileExpander::expand(CopyRowsOp op) {
  Value memref = op.getDestination();
  auto sourceType = cast<MemRefType>(op.getSource().getType());
  auto width = static_cast<int64_t>(op.getWidth());
  int64_t bytes = getElementBytes(memref);
  int64_t widest = getCommonPowerOfTwo(kWidestBytes / bytes, {width});
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value start = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  Value batch = memref::DimOp::create(b, loc, memref, 0);
  Value zero = index.constant(0);
  auto storeBy = [&](int64_t size) {
    int64_t units = width / size;
    forEachPiece(
        sourceType.getDimSize(1) * units, op.getThreads(), [&](Value piece) {
          Value row = index.div(piece, units);
          Value column = index.mul(index.rem(piece, units), size);
          SmallVector<Value> elements =
              loadElements(op.getSource(), {zero, row, column}, size, size);
          Value entry = index.add(op.getM(), row);
          Value element = index.add(
              index.add(metadata.getOffset(), op.getFeature()),
              index.add(index.mul(entry, metadata.getStrides()[0]), column));
          Value address = arith::IndexCastOp::create(
              b, loc, b.getI64Type(),
              index.add(start, index.mul(element, bytes)));
          Value pointer = LLVM::IntToPtrOp::create(
              b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace),
              address);
          storePredicated(b, loc, index.less(entry, batch), elements, pointer,
                          0);
        });
  };
  ifElse(
      isAligned(memref, widest * bytes), [&] { storeBy(widest); },
      [&] { storeBy(1); });
  b.eraseOp(op);
}
