//===- WgmmaBuilder.cpp - Instructions of warpgroups ----------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WgmmaBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ks;

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

/// A descriptor but for its address.
static uint64_t getDescriptor(int64_t leading, int64_t stride,
                              int64_t swizzle) {
  // Rows of 128, 64 and 32 bytes are modes 1, 2 and 3.
  uint64_t mode = swizzle == 0 ? 0 : swizzle == 128 ? 1 : swizzle == 64 ? 2 : 3;
  return static_cast<uint64_t>(leading / 16) << 16 |
         static_cast<uint64_t>(stride / 16) << 32 | mode << 62;
}

Value WgmmaBuilder::describe(Value stages, Value bytes, int64_t leading,
                             int64_t stride, int64_t swizzle) {
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(b, loc, stages);
  // Shared memory is below 2^18 bytes.
  Value units = index.rem(index.div(index.add(address, bytes), 16), 1 << 14);
  Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), units);
  return arith::OrIOp::create(
      b, loc, number,
      arith::ConstantIntOp::create(
          b, loc, static_cast<int64_t>(getDescriptor(leading, stride, swizzle)),
          64));
}

Value WgmmaBuilder::move(Value descriptor, int64_t bytes) {
  if (bytes == 0)
    return descriptor;
  return arith::AddIOp::create(
      b, loc, descriptor, arith::ConstantIntOp::create(b, loc, bytes / 16, 64));
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

Value WgmmaBuilder::multiply(Value descriptorA, Value descriptorB, Value sums,
                             NVVM::MMALayout layout, bool isFresh) {
  MLIRContext *context = b.getContext();
  auto type = NVVM::WGMMATypesAttr::get(context, element.isBF16()
                                                     ? NVVM::WGMMATypes::bf16
                                                     : NVVM::WGMMATypes::f16);
  auto scale = NVVM::WGMMAScaleInAttr::get(context, NVVM::WGMMAScaleIn::one);
  // A lane has two registers of each four columns.
  auto registers = static_cast<int64_t>(
      cast<LLVM::LLVMStructType>(sums.getType()).getBody().size());
  return NVVM::WgmmaMmaAsyncOp::create(
      b, loc, sums.getType(), sums, descriptorA, descriptorB,
      NVVM::MMAShapeAttr::get(context, kWgmmaRows, 2 * registers, kWgmmaDepth),
      type, type, NVVM::WGMMATypesAttr::get(context, NVVM::WGMMATypes::f32),
      NVVM::WGMMAScaleOutAttr::get(context, isFresh ? NVVM::WGMMAScaleOut::zero
                                                    : NVVM::WGMMAScaleOut::one),
      scale, scale, NVVM::MMALayoutAttr::get(context, NVVM::MMALayout::row),
      NVVM::MMALayoutAttr::get(context, layout), NVVM::MMAIntOverflowAttr());
}

SmallVector<Value> WgmmaBuilder::multiply(ArrayRef<Value> registersA,
                                          Value descriptorB,
                                          ArrayRef<Value> sums) {
  auto count = static_cast<int64_t>(sums.size());
  auto list = [](int64_t first, int64_t size) {
    SmallVector<std::string> names;
    for (int64_t i = first; i < first + size; ++i)
      names.push_back("$" + std::to_string(i));
    return "{" + llvm::join(names, ", ") + "}";
  };
  std::string kind = element.isF32()    ? "k8.f32.tf32.tf32"
                     : element.isBF16() ? "k16.f32.bf16.bf16"
                                        : "k16.f32.f16.f16";
  // Which way a 16-bit B lies is asked for.
  std::string scales = element.isF32() ? "1, 1" : "1, 1, 0";
  // Operands are results, A, B, and sums in the results' registers.
  std::string code = "{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
                     "wgmma.mma_async.sync.aligned.m64n" +
                     std::to_string(2 * count) + kind + " " + list(0, count) +
                     ", " + list(count, 4) + ", $" + std::to_string(count + 4) +
                     ", p, " + scales + ";\n}\n";
  SmallVector<Value> operands(registersA);
  operands.push_back(descriptorB);
  llvm::append_range(operands, sums);
  return createCode(operands, code, "r,r,r,r,l", count);
}

SmallVector<Value> WgmmaBuilder::wait(ArrayRef<Value> sums) {
  NVVM::WgmmaWaitGroupSyncOp::create(b, loc, 0);
  return createCode(sums, /*code=*/"", /*constraints=*/"",
                    static_cast<int64_t>(sums.size()));
}

SmallVector<Value> WgmmaBuilder::createCode(ArrayRef<Value> operands,
                                            const std::string &code,
                                            const std::string &constraints,
                                            int64_t results) {
  SmallVector<std::string> parts(static_cast<size_t>(results), "=f");
  if (!constraints.empty())
    parts.push_back(constraints);
  for (int64_t i = 0; i < results; ++i)
    parts.push_back(std::to_string(i));
  SmallVector<Type> types(static_cast<size_t>(results), b.getF32Type());
  return fromStructs(
      LLVM::InlineAsmOp::create(
          b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types),
          operands, code, llvm::join(parts, ","), /*has_side_effects=*/true,
          /*is_align_stack=*/false, LLVM::TailCallKind::None,
          LLVM::AsmDialectAttr(), ArrayAttr())
          .getRes());
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

Value WgmmaBuilder::getUnwritten(int64_t count) {
  SmallVector<Type> types(static_cast<size_t>(count), b.getF32Type());
  return LLVM::UndefOp::create(
      b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types));
}

SmallVector<Value> WgmmaBuilder::toStructs(ArrayRef<Value> reals,
                                           int64_t count) {
  auto size = static_cast<int64_t>(reals.size()) / count;
  SmallVector<Type> types(static_cast<size_t>(size), b.getF32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  SmallVector<Value> structs;
  for (int64_t number = 0; number < count; ++number) {
    Value whole = LLVM::PoisonOp::create(b, loc, type);
    for (int64_t i = 0; i < size; ++i)
      whole = LLVM::InsertValueOp::create(b, loc, whole,
                                          reals[number * size + i], i);
    structs.push_back(whole);
  }
  return structs;
}

SmallVector<Value> WgmmaBuilder::fromStructs(ValueRange structs) {
  SmallVector<Value> reals;
  for (Value whole : structs) {
    auto type = cast<LLVM::LLVMStructType>(whole.getType());
    for (int64_t i = 0; i < static_cast<int64_t>(type.getBody().size()); ++i)
      reals.push_back(LLVM::ExtractValueOp::create(b, loc, whole, i));
  }
  return reals;
}
