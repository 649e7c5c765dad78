//===- LibraryProduct.cpp - Dense products by a library -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The packing of the weight of a #ks.library_plan becomes ks.with_library: a
// copy of the plain matrix, and what the kernel reads.
//
//===----------------------------------------------------------------------===//

#include "KSToGPU.h"

#include "../IndexBuilder.h"
#include "../LibraryChoice.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ks;

static constexpr int64_t kThreads = 256;

/// Stores the element of the plain matrix that thread `at` is for.
static void emitCopy(OpBuilder &b, Location loc, PackWeightsOp op, Value weight,
                     Value packed) {
  IndexBuilder index(b, loc);
  KSPattern p = op.getPattern().getPattern();
  Value at = index.add(
      index.mul(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x), kThreads),
      gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x));
  auto isThere =
      scf::IfOp::create(b, loc, index.less(at, p.b * p.c), /*else=*/false);
  b.setInsertionPointToStart(isThere.thenBlock());
  Value zero = index.constant(0);
  Value value = memref::LoadOp::create(
      b, loc, weight,
      ValueRange{zero, index.div(at, p.c), index.rem(at, p.c), zero});
  Type packedType = cast<MemRefType>(packed.getType()).getElementType();
  if (value.getType() == packedType) {
    memref::StoreOp::create(b, loc, value, packed, at);
    return;
  }
  // The buffer's elements are shorter: the lower ones come first.
  unsigned width = packedType.getIntOrFloatBitWidth();
  unsigned bits = value.getType().getIntOrFloatBitWidth();
  auto parts = static_cast<int64_t>(bits / width);
  Type whole = b.getIntegerType(bits), part = b.getIntegerType(width);
  Value number = arith::BitcastOp::create(b, loc, whole, value);
  Value first = index.mul(at, parts);
  for (int64_t place = 0; place < parts; ++place) {
    Value shift = arith::ConstantIntOp::create(
        b, loc, whole, place * static_cast<int64_t>(width));
    Value piece = arith::TruncIOp::create(
        b, loc, part, arith::ShRUIOp::create(b, loc, number, shift));
    memref::StoreOp::create(b, loc,
                            arith::BitcastOp::create(b, loc, packedType, piece),
                            packed, index.add(first, place));
  }
}

PackWeightsOp ks::lowerLibraryPackingToGPU(RewriterBase &b, PackWeightsOp op,
                                           KernelModule &kernels,
                                           StringRef name) {
  Location loc = op.getLoc();
  WithLibraryOp choice = createWithLibrary(b, op, Library::CublasLt);
  SmallVector<Value> operands{op.getWeight(), op.getInit()};
  gpu::GPUFuncOp kernel = kernels.createKernel(
      loc, (name + "_plain").str(), TypeRange(ValueRange(operands)), kThreads);
  b.setInsertionPointToStart(&kernel.getBody().front());
  emitCopy(b, loc, op, kernel.getArgument(0), kernel.getArgument(1));

  b.setInsertionPointToStart(&choice.getThere().front());
  KSPattern p = op.getPattern().getPattern();
  Value blocks = IndexBuilder(b, loc).constant(
      static_cast<int64_t>(llvm::divideCeil(p.b * p.c, kThreads)));
  createLaunch(b, kernel, blocks, kThreads, /*sharedBytes=*/0, operands);

  moveToOtherwise(choice, op);
  return op;
}
