//===- SplitFloatBuilder.h - f32 as tf32, or as three bf16 ------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ks/Analysis/SplitFloat.h as code for GPUs.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_SPLITFLOATBUILDER_H
#define KS_LIB_CONVERSION_SPLITFLOATBUILDER_H

#include "ks/Analysis/SplitFloat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <limits>

namespace ks {

class SplitFloatBuilder {
public:
  using Value = mlir::Value;

  SplitFloatBuilder(mlir::OpBuilder &b, mlir::Location loc) : b(b), loc(loc) {}

  /// The bits of `x` as tf32.
  Value roundToTF32(Value x) {
    return mlir::NVVM::ConvertFloatToTF32Op::create(
        b, loc, b.getI32Type(), x,
        mlir::NVVM::FPRoundingModeAttr::get(b.getContext(),
                                            mlir::NVVM::FPRoundingMode::RNA));
  }

  /// The parts of `x`, as f32. Where the first one is not finite the others are
  /// NaNs, or anything.
  std::array<Value, 3> split(Value x) {
    Value first = keepPart(getBits(x));
    Value rest =
        scale(mlir::arith::SubFOp::create(b, loc, x, first), kSecondScale);
    Value second = keepPart(mlir::arith::AddIOp::create(b, loc, getBits(rest),
                                                        getConstant(0x8000)));
    Value third = scale(mlir::arith::SubFOp::create(b, loc, rest, second),
                        kThirdScale / kSecondScale);
    return {first, second, third};
  }

  /// The first parts of two numbers as a register of two bf16, that of `even`
  /// in its lower half. A NaN stays one, whichever bits it has.
  Value packFirst(Value even, Value odd) {
    auto pair = mlir::VectorType::get({2}, b.getBF16Type());
    return mlir::LLVM::BitcastOp::create(
        b, loc, b.getI32Type(),
        callIntrinsic("llvm.nvvm.ff2bf16x2.rz", pair, {odd, even}));
  }

  /// Two second or third parts, the same way.
  Value packLater(Value even, Value odd) {
    constexpr uint32_t kUpperHalves = 0x7632;
    return callIntrinsic(
        "llvm.nvvm.prmt", b.getI32Type(),
        {getBits(even), getBits(odd), getConstant(kUpperHalves)});
  }

  /// The sum of high products and that of low ones, where those count.
  Value join(Value high, Value low) {
    Value sum = mulAdd(low, 1 / kSecondScale, high);
    return mlir::arith::SelectOp::create(b, loc, isFinite(high), sum, high);
  }

  Value mulAdd(Value x, float factor, Value y) {
    return mlir::LLVM::FMAOp::create(b, loc, x, getFloat(factor), y);
  }
  Value isFinite(Value x) {
    // Not math.absf, which would be a call of libdevice.
    return mlir::arith::CmpFOp::create(
        b, loc, mlir::arith::CmpFPredicate::OLT,
        callIntrinsic("llvm.fabs.f32", x.getType(), x),
        getFloat(std::numeric_limits<float>::infinity()));
  }
  Value getFloat(float x) {
    return mlir::arith::ConstantOp::create(b, loc, b.getF32FloatAttr(x));
  }

private:
  Value keepPart(Value bits) {
    return mlir::arith::BitcastOp::create(
        b, loc, b.getF32Type(),
        mlir::arith::AndIOp::create(b, loc, bits, getConstant(kPartBits)));
  }
  Value scale(Value x, float factor) {
    return mlir::arith::MulFOp::create(b, loc, x, getFloat(factor));
  }
  Value getBits(Value x) {
    return mlir::arith::BitcastOp::create(b, loc, b.getI32Type(), x);
  }
  Value getConstant(uint32_t bits) {
    return mlir::arith::ConstantIntOp::create(b, loc,
                                              static_cast<int32_t>(bits), 32);
  }
  Value callIntrinsic(const char *name, mlir::Type type,
                      mlir::ValueRange operands) {
    return mlir::LLVM::CallIntrinsicOp::create(b, loc, type,
                                               b.getStringAttr(name), operands)
        .getResult(0);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace ks

#endif // KS_LIB_CONVERSION_SPLITFLOATBUILDER_H
