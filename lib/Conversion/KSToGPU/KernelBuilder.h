//===- KernelBuilder.h - What all kernels have in common --------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_CONVERSION_KSTOGPU_KERNELBUILDER_H
#define KS_LIB_CONVERSION_KSTOGPU_KERNELBUILDER_H

#include "../IndexBuilder.h"
#include "KSToGPU.h"

#include "mlir/IR/PatternMatch.h"

namespace ks {

/// Builds the kernel of a planned product, and what all of them need: operands,
/// shared memory, the end of a product.
class KernelBuilder {
public:
  KernelBuilder(mlir::RewriterBase &b, ProductOpInterface op);

protected:
  using Value = mlir::Value;
  /// First of the warp: entry of the batch, group, row n, column j.
  struct Place {
    Value m, i, n, j;
  };

  /// Names the kernel's arguments: input, weights, result and extras, as in the
  /// order of getOperands. Returns those behind them.
  mlir::ValueRange bindArguments(mlir::ValueRange arguments);
  /// What the launch passes for them.
  llvm::SmallVector<Value> getOperands();
  /// A complex array as its reals.
  Value asReals(Value memref);
  /// A part of the block's shared memory.
  Value viewShared(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                   int64_t offset) {
    return viewShared(shape, element, index.constant(offset));
  }
  Value viewShared(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                   Value offset);
  /// Waits for the kernels launched before, whose results this one may read and
  /// whose operands it may overwrite. Nothing in global memory is touched
  /// before.
  void waitForEarlierKernels();
  /// All threads of the cluster: that those of the others have come here, too.
  void arriveInCluster();
  void waitForCluster();
  /// All threads of the block, or of the `cluster` of blocks.
  void synchronize(int64_t cluster);
  /// What `body` emits, if `condition`.
  void doIf(Value condition, llvm::function_ref<void()> body);

  // --- A ring of stages that the copy engine fills (see BulkKernel.cpp) ---

  /// The first byte of `shared` that the engine's widest swizzle may begin at.
  Value getAlignedBegin();
  /// Creates two barriers of each stage, of which `readers` warps of each block
  /// of the cluster release it, and waits for the other blocks.
  void createRing(int64_t stages, int64_t readers, int64_t cluster);
  // Of a stage.
  Value getFull(Value stage) { return stage; }
  Value getEmpty(Value stage) { return index.add(stage, ringStages); }
  void wait(Value barrier, Value phase);
  /// All lanes have read the stage (if `condition`).
  void release(Value stage, Value condition = {});

  /// How many blocks share out the tiles of `entries`: `slabs` for each tile,
  /// of at most `batchBlocks` tiles at a time. Outside of the kernel.
  Value countBlocks(int64_t entries, int64_t batchBlocks, int64_t slabs);

  /// The sum of the parts of split operands; see ks.join_parts.
  Value joinParts(Value accumulator, FragmentLayout layout);
  /// The epilogue on an accumulator.
  Value applyEpilogue(Value accumulator, PatternAttr pattern,
                      FragmentsAttr fragments, const Place &place);
  /// Converted to another type: rounded to nearest if that is narrower.
  Value convert(Value fragment, mlir::Type to);

  int64_t getElementBytes() const {
    return parts * real.getIntOrFloatBitWidth() / 8;
  }
  /// Of an element of the result.
  int64_t getResultBytes() const {
    return parts * resultReal.getIntOrFloatBitWidth() / 8;
  }
  /// The type that was multiplied, for fragments of reals of type `type`; null
  /// if it is that.
  mlir::TypeAttr getMultiplied(mlir::Type type) {
    return type == real ? mlir::TypeAttr() : mlir::TypeAttr::get(real);
  }
  mlir::IntegerAttr getInteger(int64_t value) {
    return b.getI64IntegerAttr(value);
  }
  LayoutAttr getLayout() {
    return LayoutAttr::get(b.getContext(), op.getLayout());
  }

  mlir::RewriterBase &b;
  mlir::Location loc;
  IndexBuilder index;
  ProductOpInterface op;
  bool batchFirst;
  bool overlapsLaunches = false;
  int64_t parts; // Reals of an element.
  mlir::Type real, accumulatorReal, resultReal;

  // Arguments of the kernel; complex ones as reals.
  Value input, output;
  llvm::SmallVector<Value> weights, extras;
  Value batch;
  Value shared; ///< Memory of the block.

  // Of the ring; and of the thread in its warp.
  Value barriers, lane;

private:
  int64_t ringStages = 0, ringBlocks = 1;
};

} // namespace ks

#endif // KS_LIB_CONVERSION_KSTOGPU_KERNELBUILDER_H
