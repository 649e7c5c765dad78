//===- LibraryToRuntime.cpp - Products by the host's BLAS -----------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a library does on a CPU becomes calls of the runtime:
//
//   ks.with_library blas { ks.library_product ... } else { loops }
//
//   if (ksHasBlas() != 0)
//     ksBlasProductF32(x, pitch, w, y, pitch, batch, b, c, isBatchFirst)
//   else
//     loops
//
//===----------------------------------------------------------------------===//

#include "ks/Conversion/Passes.h"
#include "ks/Dialect/KS/IR/KS.h"

#include "../IndexBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"

namespace ks {
#define GEN_PASS_DEF_CONVERTLIBRARYTORUNTIME
#include "ks/Conversion/Passes.h.inc"
} // namespace ks

using namespace mlir;
using namespace ks;

namespace {

LogicalResult lower(LibraryProductOp op) {
  KSPattern p = op.getPattern().getPattern();
  if (p.a != 1 || p.d != 1)
    return op.emitOpError("has pattern ")
           << op.getPattern()
           << "; expected a dense one, <1, b, c, 1>, for a BLAS";
  Type element = cast<MemRefType>(op.getInput().getType()).getElementType();
  bool isF32 = element.isF32();
  if (!isF32 && !element.isF64())
    return op.emitOpError("multiplies elements of ")
           << element << "; expected f32 or f64 for a BLAS";
  for (Type type : {op.getInput().getType(), op.getInit().getType()}) {
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(cast<MemRefType>(type).getStridesAndOffset(strides, offset)) ||
        strides.back() != 1)
      return op.emitOpError("has an operand of type ")
             << type
             << ", whose inner stride is not known to be 1; expected "
                "strided<[?, 1], offset: ?> (use ks-bufferize)";
  }
  Location loc = op.getLoc();
  OpBuilder b(op);
  IndexBuilder index(b, loc);
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type i64 = b.getI64Type();
  auto toI64 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, loc, i64, value);
  };
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  // The address of the first element, and the parts of the descriptor.
  auto getAddress = [&](Value memref) {
    auto parts = memref::ExtractStridedMetadataOp::create(b, loc, memref);
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
    Value address = index.add(base, index.mul(parts.getOffset(), bytes));
    Value result =
        LLVM::IntToPtrOp::create(b, loc, pointer, toI64(address)).getResult();
    return std::pair(result, parts);
  };
  auto [x, xParts] = getAddress(op.getInput());
  auto [w, wParts] = getAddress(op.getWeight());
  auto [y, yParts] = getAddress(op.getInit());
  bool isBatchFirst = op.getLayout() == Layout::BatchFirst;
  SmallVector<Value> arguments{
      x,
      toI64(xParts.getStrides()[0]),
      w,
      y,
      toI64(yParts.getStrides()[0]),
      toI64(yParts.getSizes()[isBatchFirst ? 0 : 1]),
      arith::ConstantIntOp::create(b, loc, i64, p.b),
      arith::ConstantIntOp::create(b, loc, i64, p.c),
      arith::ConstantIntOp::create(b, loc, b.getI32Type(),
                                   isBatchFirst ? 1 : 0)};
  FailureOr<LLVM::LLVMFuncOp> function = LLVM::lookupOrCreateFn(
      b, op->getParentOfType<ModuleOp>(),
      isF32 ? "ksBlasProductF32" : "ksBlasProductF64",
      SmallVector<Type>(ValueRange(arguments).getTypes()),
      LLVM::LLVMVoidType::get(b.getContext()));
  if (failed(function))
    return failure();
  LLVM::CallOp::create(b, loc, *function, arguments);
  op.erase();
  return success();
}

LogicalResult lower(WithLibraryOp op) {
  if (op.getLibrary() != Library::Blas)
    return op.emitOpError("asks for ")
           << stringifyLibrary(op.getLibrary())
           << ", which is not for CPUs; expected blas";
  Location loc = op.getLoc();
  OpBuilder b(op);
  FailureOr<LLVM::LLVMFuncOp> function = LLVM::lookupOrCreateFn(
      b, op->getParentOfType<ModuleOp>(), "ksHasBlas", {}, b.getI32Type());
  if (failed(function))
    return failure();
  Value answer =
      LLVM::CallOp::create(b, loc, *function, ValueRange()).getResult();
  Value isThere = arith::CmpIOp::create(
      b, loc, arith::CmpIPredicate::ne, answer,
      arith::ConstantIntOp::create(b, loc, b.getI32Type(), 0));
  auto choice = scf::IfOp::create(b, loc, isThere, /*withElseRegion=*/true);
  for (auto [from, to] : {std::pair{&op.getThere(), choice.thenBlock()},
                          std::pair{&op.getOtherwise(), choice.elseBlock()}})
    to->getOperations().splice(to->begin(), from->front().getOperations());
  op.erase();
  return success();
}

struct ConvertLibraryToRuntimePass
    : ks::impl::ConvertLibraryToRuntimeBase<ConvertLibraryToRuntimePass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<LibraryProductOp, WithLibraryOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      auto product = dyn_cast<LibraryProductOp>(op);
      if (failed(product ? lower(product) : lower(cast<WithLibraryOp>(op))))
        return signalPassFailure();
    }
  }
};

} // namespace
