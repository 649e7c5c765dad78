//===- WgmmaBuilder.h - Instructions of warpgroups --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma.mma_async (PTX ISA, "Asynchronous Warpgroup Level Matrix
// Instructions"), and the descriptors of its operands in shared memory.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTILESTONVGPU_WGMMABUILDER_H
#define KS_LIB_CONVERSION_KSTILESTONVGPU_WGMMABUILDER_H

#include "../IndexBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace ks {

/// Of an instruction of 16-bit elements, whose core matrices are 8 × 8.
constexpr int64_t kWgmmaRows = 64, kWgmmaDepth = 16;
constexpr int64_t kCoreRows = 8, kCoreBytes = 128;

/// Builds products of matrices of `element`.
class WgmmaBuilder {
public:
  using Value = mlir::Value;

  WgmmaBuilder(mlir::OpBuilder &b, mlir::Location loc, mlir::Type element)
      : b(b), loc(loc), index(b, loc), element(element) {}

  /// The descriptor of a matrix that begins `bytes` behind the beginning of
  /// `stages` (PTX ISA, "Matrix Descriptor Format"). Distances are in bytes.
  Value describe(Value stages, Value bytes, int64_t leading, int64_t stride,
                 int64_t swizzle);
  /// The same matrix, `bytes` further on, a multiple of 16.
  Value move(Value descriptor, int64_t bytes);

  /// sums += A · B with both from shared memory, where B lies as `layout` says;
  /// if `isFresh`, sums = A · B. `sums` is a struct of all registers.
  Value multiply(Value descriptorA, Value descriptorB, Value sums,
                 mlir::NVVM::MMALayout layout, bool isFresh = false);
  /// A struct of registers that nothing has been written to.
  Value getUnwritten(int64_t count);
  /// The same with A, four registers of which are this lane's, from registers,
  /// which MLIR's op does not have.
  llvm::SmallVector<Value> multiply(llvm::ArrayRef<Value> registersA,
                                    Value descriptorB,
                                    llvm::ArrayRef<Value> sums);

  /// Waits for all products; `sums` as they are then. The wait has no operands:
  /// an empty piece of code that takes and returns them keeps what uses them
  /// behind it.
  llvm::SmallVector<Value> wait(llvm::ArrayRef<Value> sums);

  /// `count` structs, which have an equal share of `reals`, and back.
  llvm::SmallVector<Value> toStructs(llvm::ArrayRef<Value> reals,
                                     int64_t count);
  llvm::SmallVector<Value> fromStructs(mlir::ValueRange structs);

private:
  /// Code whose results are in the registers of its last operands, which are as
  /// many.
  llvm::SmallVector<Value> createCode(llvm::ArrayRef<Value> operands,
                                      const std::string &code,
                                      const std::string &constraints,
                                      int64_t results);

  mlir::OpBuilder &b;
  mlir::Location loc;
  IndexBuilder index;
  mlir::Type element;
};

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTILESTONVGPU_WGMMABUILDER_H
