//===- WgmmaKernel.h - Warps that multiply four at a time -------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_WGMMAKERNEL_H
#define KS_LIB_CONVERSION_KSTOGPU_WGMMAKERNEL_H

#include "BulkKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace ks {

/// Tensor cores read both operands from shared memory.
class WgmmaKernel : public BulkKernel {
public:
  using BulkKernel::BulkKernel;

protected:
  llvm::SmallVector<Value> createOperands() override;
  llvm::SmallVector<int64_t> getInputShape() override;
  llvm::SmallVector<int64_t> getAccumulatorShape() override;
  void emitBlock(ValueRange extra) override;
  Value emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) override;
  /// Multiplies a chunk, which lies in `stage`, from shared memory.
  virtual Value multiplyStage(const Chunk &chunk, Value stage,
                              Value accumulator);
  Value finishProduct(const Ring &ring, Value accumulator) override;
  Value arrange(Value converted) override;

  Value getStageBefore(Value stage);
  Value getWeightStage(const Chunk &chunk, Value stage) {
    return plan.isResident ? chunk.k : stage;
  }

private:
  void copyAll();
  void setRegisters(int64_t count, mlir::NVVM::SetMaxRegisterAction action);
};

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_WGMMAKERNEL_H
