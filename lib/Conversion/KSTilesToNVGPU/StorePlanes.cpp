//===- StorePlanes.cpp - Results as planes --------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A lane has entries g and g + 8 of its warp, and columns j = t, t + 4, ... of
// all groups and all q: neighbours in k of a plane, which it stores 16 bytes at
// a time.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ks;

void TileExpander::expand(StorePlanesOp op) {
  auto fragmentType = cast<VectorType>(op.getFragments().front().getType());
  auto type = cast<MemRefType>(op.getDestination().getType());
  int64_t tilesN = fragmentType.getDimSize(1),
          tilesM = fragmentType.getDimSize(2);
  constexpr int64_t kTile = FragmentLayout::tileEntries, kLanesN = 4;
  auto columns = static_cast<int64_t>(op.getColumns());
  int64_t redundancy = tilesN * kTile / columns;
  int64_t depth = type.getDimSize(3), entries = type.getDimSize(2) / columns;
  int64_t bytes = getElementBytes(op.getDestination()),
          rowBytes = depth * bytes;
  auto count = static_cast<int64_t>(op.getFragments().size()) * redundancy;
  int64_t width = getCommonPowerOfTwo(kWidestBytes / bytes, {count, depth});

  Value firstK = index.mul(op.getGroup(), redundancy);
  Value laneJ = index.rem(lane, kLanesN), laneM = getLaneM(index, lane);
  for (int64_t tile = 0; tile < tilesM; ++tile)
    for (int64_t z = 0; z < columns / kLanesN; ++z) {
      // All k of this entry and column: those of a group are q = 0, 1, ...
      SmallVector<Value> elements;
      for (Value fragment : op.getFragments())
        for (int64_t q = 0; q < redundancy; ++q) {
          int64_t slot = q * (columns / kLanesN) + z;
          elements.push_back(getElement(
              b, loc, getVector(b, loc, fragment, {0, slot / 2, tile}),
              slot % 2));
        }
      Value entry = index.add(op.getRow(), laneM);
      Value j = withOffset(index, laneJ, z * kLanesN);
      Value row = index.add(index.mul(j, entries),
                            withOffset(index, entry, tile * kTile));
      for (int64_t at = 0; at < count; at += width) {
        Value k = withOffset(index, firstK, at);
        Value place = index.add(index.mul(row, rowBytes),
                                index.mul(index.rem(k, depth), bytes));
        Value swizzled = swizzleBytes(place, rowBytes);
        storeElements(ArrayRef(elements).slice(at, width), op.getDestination(),
                      {index.constant(0), index.div(k, depth), row,
                       index.div(index.rem(swizzled, rowBytes), bytes)},
                      width);
      }
    }
  b.eraseOp(op);
}
