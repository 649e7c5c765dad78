//===- LibraryProduct.cpp - Products by a library -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The packing of the weight of a #ks.library_plan becomes ks.with_library: a
// copy of the plain matrices, and what the kernel reads.
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

static std::array<int64_t, 4> getPlainShape(PackWeightsOp op) {
  return getPlainShape(op.getPattern().getPattern(), op.getPacking().getTied());
}

static int64_t countPlain(PackWeightsOp op) {
  int64_t count = 1;
  for (int64_t size : getPlainShape(op))
    count *= size; // The packed type was verified: it does not overflow.
  return count;
}

/// Stores the element of the plain matrices that thread `at` is for.
static void emitCopy(OpBuilder &b, Location loc, PackWeightsOp op, Value weight,
                     Value packed) {
  IndexBuilder index(b, loc);
  Value at = index.add(
      index.mul(gpu::BlockIdOp::create(b, loc, gpu::Dimension::x), kThreads),
      gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x));
  auto isThere =
      scf::IfOp::create(b, loc, index.less(at, countPlain(op)), /*else=*/false);
  b.setInsertionPointToStart(isThere.thenBlock());
  SmallVector<Value> place = index.delinearize(at, getPlainShape(op));
  // What is stored for each i or j may be one in the weight itself.
  auto shape = cast<MemRefType>(weight.getType()).getShape();
  auto select = [&](int64_t axis, Value position) {
    return shape[axis] == 1 ? index.constant(0) : position;
  };
  Value value = memref::LoadOp::create(
      b, loc, weight,
      ValueRange{select(0, place[0]), place[2], place[3], select(3, place[1])});
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
  Value blocks = IndexBuilder(b, loc).constant(
      static_cast<int64_t>(llvm::divideCeil(countPlain(op), kThreads)));
  createLaunch(b, kernel, blocks, kThreads, /*sharedBytes=*/0, operands);

  moveToOtherwise(choice, op);
  return op;
}
