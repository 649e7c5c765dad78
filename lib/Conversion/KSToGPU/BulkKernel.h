//===- BulkKernel.h - Kernels whose rings the copy engine fills -*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_BULKKERNEL_H
#define KS_LIB_CONVERSION_KSTOGPU_BULKKERNEL_H

#include "ProductKernel.h"

namespace ks {

class BulkKernel : public ProductKernel {
public:
  using ProductKernel::ProductKernel;

protected:
  using ValueRange = mlir::ValueRange;

  llvm::SmallVector<Value> createOperands() override;
  Value createInputStages() override;
  void emitBlock(ValueRange extra) override;
  Value loadActivations(Value stage, Value step,
                        mlir::VectorType type) override;
  Value emitChunk(const Chunk &chunk, Ring &ring, Value accumulator) override;

  /// Of the stages: [stage][atom][rows][elements].
  virtual llvm::SmallVector<int64_t> getInputShape();
  /// Takes the operands of createOperands, and creates the barriers.
  void begin(ValueRange extra);
  void copyChunk(const Chunk &chunk, Value stage);
  void advance(Ring &ring);
  void ifFirstLane(llvm::function_ref<void()> body) {
    doIf(index.less(lane, 1), body);
  }

  int64_t getSwizzle() const {
    return plan.getSwizzleBytes(p, batchFirst, getElementBytes());
  }
  bool isFlatCopy() const { return plan.isFlatCopy(p, getElementBytes()); }

  Value map;

private:
  void fillRing();
  void copyLater(const Chunk &chunk, Value distance, Value stage);
  void ifFirstWarp(llvm::function_ref<void()> body) {
    doIf(index.less(warp, 1), body);
  }
};

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_BULKKERNEL_H
