//===- Partials.cpp - Sums of blocks that share k -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks of a cluster read each other's shared memory (PTX ISA, "mapa"). A lane
// reads what the same lane of the other blocks wrote, 16 bytes at a time, so
// that a warp's accesses are whole lines of banks.
//
//===----------------------------------------------------------------------===//

#include "TileExpander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ks;

void TileExpander::expand(StorePartialsOp op) {
  int64_t size = op.getFragment().getType().getShape().back();
  int64_t width =
      std::min(size, kWidestBytes / ks::getElementBytes(op.getDestination()));
  for (auto [number, vector] :
       llvm::enumerate(getVectors(b, loc, op.getFragment())))
    storeElements(getElements(b, loc, vector), op.getDestination(),
                  {op.getWarp(), index.constant(static_cast<int64_t>(number)),
                   lane, index.constant(0)},
                  width);
  b.eraseOp(op);
}

void TileExpander::expand(AddPartialsOp op) {
  VectorType type = op.getResult().getType();
  auto source = cast<MemRefType>(op.getSource().getType());
  auto blocks = static_cast<int64_t>(op.getBlocks());
  int64_t columns = type.getDimSize(0), tilesM = type.getDimSize(2);
  int64_t tilesN = type.getDimSize(1), size = type.getDimSize(3);
  int64_t vectorBytes = size * getElementBytes(op.getSource());
  // From one vector of the fragment to the next.
  int64_t pitch = FragmentLayout::lanes * vectorBytes;
  Value first = index.add(index.mul(op.getWarp(), source.getDimSize(1)),
                          index.mul(op.getShare(), tilesN * tilesM));
  Value own = getPointer(
      op.getSource(),
      index.add(index.mul(first, pitch), index.mul(lane, vectorBytes)),
      kSharedSpace);
  auto vectorType = VectorType::get({size}, type.getElementType());
  auto anywhere =
      LLVM::LLVMPointerType::get(b.getContext(), kSharedClusterSpace);
  SmallVector<Value> sums;
  for (int64_t block = 0; block < blocks; ++block) {
    Value pointer = NVVM::MapaOp::create(
        b, loc, anywhere, own, arith::ConstantIntOp::create(b, loc, block, 32));
    for (int64_t at = 0; at < columns * tilesN * tilesM; ++at) {
      int64_t column = at / (tilesN * tilesM), tile = at % (tilesN * tilesM);
      int64_t number = column * blocks * tilesN * tilesM + tile;
      Value place = LLVM::GEPOp::create(
          b, loc, anywhere, b.getI8Type(), pointer,
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number * pitch)});
      Value part = LLVM::LoadOp::create(
          b, loc, vectorType, place,
          static_cast<unsigned>(std::min(vectorBytes, kWidestBytes)));
      if (block == 0)
        sums.push_back(part);
      else
        sums[static_cast<size_t>(at)] =
            arith::AddFOp::create(b, loc, sums[static_cast<size_t>(at)], part);
    }
  }
  b.replaceOp(op, assemble(type, sums));
}
